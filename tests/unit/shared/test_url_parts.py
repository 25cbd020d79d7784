"""The origin and the login of a URL are in front of its path, whatever comes after."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from url_downloader.shared.url_parts import login_of, origin_of

STARTS = {
    "http://a": ("http", "a", 80),
    "https://A.b": ("https", "a.b", 443),
    "http://a:8080": ("http", "a", 8080),
    "https://me:word@[::1]:1": ("https", "::1", 1),
}


@pytest.mark.parametrize(
    "rest", ["", "/", "/x", "?a=/b", "#/@c:1/", "/http://c@d:2/", "//e@f:3"]
)
@pytest.mark.parametrize("start", STARTS)
def test_what_follows_the_origin_is_no_part_of_it(start: str, rest: str) -> None:
    """Slashes, colons and signs in the path, the query or the fragment don't count."""
    assert origin_of(start + rest) == STARTS[start]
    login = (b"me", b"word") if urlsplit(start).username else None
    assert login_of(start + rest) == login
