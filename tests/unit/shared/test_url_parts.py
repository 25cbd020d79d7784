"""Parts of a URL: its origin, its login, and the URL without user name and password."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.shared.url_parts import (
    login_of,
    origin_of,
    origin_text,
    url_of,
    without_credentials,
)

STARTS = {
    "http://a": ("http", "a", 80),
    "https://A.b": ("https", "a.b", 443),
    "http://a:8080": ("http", "a", 8080),
    "https://me:word@[::1]:1": ("https", "::1", 1),
}


USERINFO = st.text("aZ0:@%!$&'()*+,;=-._~", max_size=12)
HOSTS = st.sampled_from(["h", "a.example:8080", "[::1]", "[2001:db8::1]:443", "127.0.0.1"])
TAILS = st.text("ab:@/?#&=.", max_size=20).map(lambda tail: f"/{tail}")


@pytest.mark.parametrize(
    "rest", ["", "/", "/x", "?a=/b", "#/@c:1/", "/http://c@d:2/", "//e@f:3"]
)
@pytest.mark.parametrize("start", STARTS)
def test_what_follows_the_origin_is_no_part_of_it(start: str, rest: str) -> None:
    """Slashes, colons and at signs in path, query and fragment change neither result."""
    assert origin_of(start + rest) == STARTS[start]
    login = (b"me", b"word") if urlsplit(start).username else None
    assert login_of(start + rest) == login


@pytest.mark.parametrize("login", ["", "me@", "me:word@", ":@", "a%2Fb:c%40d@"])
@pytest.mark.parametrize("rest", ["/", "/x/y", "/a@b?c=/d@e", "//f@g:3"])
@pytest.mark.parametrize(
    "start", ["http://a", "https://a.b:80", "http://a.:81", "http://[::1]", "https://[::1]:8"]
)
def test_an_origin_as_text(start: str, rest: str, login: str) -> None:
    """URLs in normal form have the same text if, and only if, they have the same origin."""
    scheme, _, host = start.partition("://")
    text = origin_text(f"{scheme}://{login}{host}{rest}")
    assert text == start == url_of(origin_of(f"{start}{rest}"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h/", "http://h/"),
        ("http://u@h/", "http://h/"),
        ("http://u:p@h/", "http://h/"),
        ("http://:p@h/", "http://h/"),
        ("http://@h/", "http://h/"),
        ("https://u:p@h:8443/a?b=c#d", "https://h:8443/a?b=c#d"),
        ("https://u:p@[::1]:80/", "https://[::1]:80/"),
        ("http://u:p%40q@h/", "http://h/"),
        # An at sign after the authority belongs to the path, the query or the fragment.
        ("http://h/a@b", "http://h/a@b"),
        ("http://h?a@b", "http://h?a@b"),
        ("http://h#a@b", "http://h#a@b"),
        ("http://h:80/a:b@c/d", "http://h:80/a:b@c/d"),
        ("http://h/npm//pkg@1.0/x", "http://h/npm//pkg@1.0/x"),
        ("http://u:p@h/npm//pkg@1.0/x", "http://h/npm//pkg@1.0/x"),
        # Invalid URLs, which messages show too.
        ("http://u:p@ss@h/", "http://h/"),
        ("http://u:p w@h/", "http://h/"),
        ("http://u:p\x00@h/", "http://h/"),
        ("http://u:p@", "http://"),
        ("http://u:p@h:99999999/", "http://h:99999999/"),
        ("ftp://u:p@h/a", "ftp://h/a"),
        ("//u:p@h/a", "//h/a"),
        ("u:p@h/a", "h/a"),
        ("http://u:é@h/", "http://h/"),
        ("http://u:p\n@h/", "http://h/"),
        ("", ""),
        ("@", ""),
    ],
)
def test_without_credentials(url: str, shown: str) -> None:
    """User name and password vanish, also from an invalid URL; the rest stays as it is."""
    assert without_credentials(url) == shown


@given(USERINFO, HOSTS, TAILS)
def test_of_any_valid_url_only_the_userinfo_vanishes(user: str, host: str, tail: str) -> None:
    """Path, query and fragment are shown as they are, whatever they hold."""
    plain = f"http://{host}{tail}"
    assert without_credentials(plain) == plain
    assert without_credentials(f"http://{user}@{host}{tail}") == plain
