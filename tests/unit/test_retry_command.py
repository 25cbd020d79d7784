"""Command lines as people are shown them: to be pasted, without what is secret."""

from __future__ import annotations

import shlex

import pytest

from url_downloader.retry_command import shown_command


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["-H", "X-Any: s3cret"], ["-H", "X-Any: ***"]),
        (["-kH", "X-Any:s3cret\ns3cret"], ["-kH", "X-Any:***"]),
        (["-HX-Any: s3cret"], ["-HX-Any: ***"]),
        (["--header=X-Any: s3cret"], ["--header=X-Any: ***"]),
        (["--header", "Authorization: Bearer s3cret"], ["--header", "Authorization: ***"]),
        (["-H", "@dir/file: x"], ["-H", "@dir/file: x"]),
        (["-H", "Accept: text/html"], ["-H", "Accept: text/html"]),
        (["--proxy", "me:s3cret@h:1"], ["--proxy", "***@h:1"]),
        (["--proxy=me:s3cret@h:1"], ["--proxy=***@h:1"]),
        (["--proxy=socks5h://me:s3cret@h"], ["--proxy=socks5h://***@h"]),
        (["--referer", "http://me:s3cret@h/x"], ["--referer", "http://***@h/x"]),
        (["-d", "me@home", "a: b", "@file"], ["-d", "me@home", "a: b", "@file"]),
    ],
)
def test_what_is_shown(words: list[str], shown: list[str]) -> None:
    """Values of headers and logins are not, whichever way they are written; the rest is."""
    assert shlex.split(shown_command(words)) == shown
