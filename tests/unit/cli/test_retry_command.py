"""The command that retries what failed, and its secrets."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest

from url_downloader.cli.command_settings import CommandLine
from url_downloader.cli.retry_command import retry_arguments, shown_command


@pytest.mark.parametrize(
    ("words", "position", "failed_list", "is_continuing", "expected"),
    [
        (["urls", "-w", "8"], 0, None, False, ["urls", "-w", "8", "-c"]),
        (["-N", "--", "urls"], 2, None, True, ["-N", "--", "urls"]),
        (["-q", "--", "urls"], 2, None, False, ["-q", "-c", "--", "urls"]),
        (["-w8", "urls"], 1, "bad", False, ["-w8", "bad"]),
        (["--", "urls"], 1, "bad", False, ["--", "bad"]),
        (["-", "--report", "-"], 0, "bad", False, ["bad", "--report", "-"]),
        (["urls"], 0, "-bad", False, ["./-bad"]),
        (["urls"], 0, "@bad", False, ["./@bad"]),
        # Where the position of the list is not certain, the list stays.
        (["@options", "-d", "urls"], None, "bad", False, ["@options", "-d", "urls", "-c"]),
        (["@options"], None, "bad", True, ["@options"]),
    ],
)
def test_retry_arguments(
    words: list[str],
    position: int | None,
    failed_list: str | None,
    *,
    is_continuing: bool,
    expected: list[str],
) -> None:
    """The failed list replaces the list; without one, `-c` keeps the finished files."""
    line = CommandLine(words=words, list_position=position)
    found = retry_arguments(line, failed_list=failed_list, is_continuing=is_continuing)
    assert found == expected


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["my list"], "'my list'"),
        (["$x", "a'b"], """'$x' 'a'"'"'b'"""),
        (["-H", "Authorization: Bearer abc"], "-H 'Authorization: ***'"),
        (["--cert", "me.pem:abc"], "--cert 'me.pem:***'"),
        (["--cert=me.pem:abc"], "'--cert=me.pem:***'"),
        (["--key", "me.key:a:b"], "--key 'me.key:***'"),
        (["--cert", "me.pem"], "--cert me.pem"),
        (["--cert", "C:me.pem"], "--cert C:me.pem"),
        (["--cookies", "a=b; c=d"], "--cookies 'a=***'"),
        (["--cookies=a=b"], "'--cookies=a=***'"),
        (["--cookies", "/day=1/cookies.txt"], "--cookies /day=1/cookies.txt"),
        (["--referer", "https://h/a?token=abc"], "--referer 'https://h/a?***'"),
        (["--referer=https://u:p@h/a?b"], "'--referer=https://***@h/a?***'"),
        (["-HCookie:a=b"], "'-HCookie:***'"),
        (["--header=X-Api-Key: abc"], "'--header=X-Api-Key: ***'"),
        (["-H", "private-token:abc"], "-H 'private-token:***'"),
        (["-H", "Accept: text/html"], "-H 'Accept: text/html'"),
        (["--proxy", "http://me:pw@h:1/"], "--proxy 'http://***@h:1/'"),
        (["--proxy=socks5://me@h"], "'--proxy=socks5://***@h'"),
        (["--referer", "http://h/a@b"], "--referer http://h/a@b"),
        (["--key", "private.pem"], "--key private.pem"),
        (["-4", "--resolve", "h:80:[::1],192.0.2.1"], "-4 --resolve 'h:80:[::1],192.0.2.1'"),
        (
            ["--only-public", "--allow-net=10.0.0.0/8", "--deny-net", "::1", "--trust-proxy"],
            "--only-public --allow-net=10.0.0.0/8 --deny-net ::1 --trust-proxy",
        ),
    ],
)
def test_shown_command(words: list[str], shown: str) -> None:
    """The command is quoted for a shell, without passwords, cookies and tokens."""
    assert shown_command(words) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["-H", "X-Any: s3cret"], ["-H", "X-Any: ***"]),
        (["-kH", "X-Any:s3cret\ns3cret"], ["-kH", "X-Any:***"]),
        (["-HX-Any: s3cret"], ["-HX-Any: ***"]),
        (["--header=X-Any: s3cret"], ["--header=X-Any: ***"]),
        (["-kNHX-Any: s3cret"], ["-kNHX-Any: ***"]),
        (["-kNH", "X-Any: s3cret"], ["-kNH", "X-Any: ***"]),
        (["-0qH", "X-Any: s3cret"], ["-0qH", "X-Any: ***"]),
        (["-HHash: s3cret"], ["-HHash: ***"]),
        (["-H=X-Any: s3cret"], ["-H=X-Any: ***"]),
        (["-H", "Accept-Token: s3cret"], ["-H", "Accept-Token: ***"]),
        (["-H", "User-Agent-Key: s3cret"], ["-H", "User-Agent-Key: ***"]),
        (["-kHAccepted: s3cret"], ["-kHAccepted: ***"]),
        (["-kHAccept-Language: de"], ["-kHAccept-Language: de"]),
        (["-H", "user-agent: me"], ["-H", "user-agent: me"]),
        (["--proxy", "http://me:s3#c/r?e t@h:1"], ["--proxy", "http://***@h:1"]),
        (["--proxy=me:s3/cr@et@h:1"], ["--proxy=***@h:1"]),
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
def test_no_secret_is_shown(words: list[str], shown: list[str]) -> None:
    """Values of headers and logins are hidden, however they are written; the rest is shown."""
    assert shlex.split(shown_command(words)) == shown


@pytest.mark.parametrize(
    "name", [b"caf\xe9", b"a\x1b[2Jb", b"it's\na", b"a\\b\x7f", "caf\u00e9".encode()]
)
def test_any_name_can_be_pasted(name: bytes) -> None:
    """A word that a terminal can't show is quoted so that bash reads the same bytes."""
    shown = shown_command([os.fsdecode(name)])
    assert shown.isprintable()
    echoed = subprocess.run(
        ["bash", "-c", f"printf %s {shown}"], check=True, capture_output=True
    )
    assert echoed.stdout == name
