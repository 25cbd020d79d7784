"""Patterns of hosts: their normal form, and the hosts that they fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.config.host_patterns import authority_of, compiled, parse_host_pattern

PATTERN_TEXT = st.from_regex(r"[a-zA-Z0-9ü\uff11.*?:\[\]@/ -]{0,12}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        *[
            (text, text)
            for text in ("h", "*", "*.example.org", "h?st.*", "a_b.test", "h.test.")
        ],
        ("H.Test", "h.test"),
        ("*.Example.ORG", "*.example.org"),
        ("h:443", "h:443"),
        ("*:0080", "*:80"),
        ("h:65535", "h:65535"),
        ("127.1", "127.0.0.1"),
        ("10.*", "10.*"),
        ("[2001:DB8:0::1]", "[2001:db8::1]"),
        ("[::1]:443", "[::1]:443"),
        ("[2001:DB8:*]:443", "[2001:db8:*]:443"),
        ("bücher.test", "xn--bcher-kva.test"),
        ("*.BÜCHER.test", "*.xn--bcher-kva.test"),
        ("*.bücher\u3002test:80", "*.xn--bcher-kva.test:80"),
        ("\uff11.*", "1.*"),
    ],
)
def test_normal_form(text: str, pattern: str) -> None:
    """Hosts get the form that they have in a URL in normal form."""
    assert parse_host_pattern(text) == pattern


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *[
            (text, "*.example.org")
            for text in ("", ":80", "h:", "h:x", "h:-1", "h:000080", "::1")
        ],
        *[
            (text, "*.example.org")
            for text in ("[a-z]*", "[::1", "h]", "[]", "a b", "h#", "h%2f")
        ],
        *[(text, "without scheme") for text in ("http://h", "//h", "h/", "10.0.0.0/8")],
        *[(text, "from 1 to 65535") for text in ("h:0", "*:65536", "[::1]:99999")],
        *[
            (text, "no URL has the host")
            for text in ("1.2.3.4.5", "[1]", "h\u00a0.test", "h" * 999)
        ],
        ("*.h\u00a0i", "no URL has the host 'h\\xa0i'"),
        ("bü*", "'bü*' has * or ?"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    """A text that is no pattern is refused; the message has the text and the remedy."""
    with pytest.raises(ValueError, match=r"host|port|ASCII") as caught:
        parse_host_pattern(text)
    assert reason in str(caught.value)


def test_no_password_is_shown() -> None:
    """The message about a user name and password has neither."""
    with pytest.raises(ValueError, match="no user name and password") as caught:
        parse_host_pattern("https://me:s3cret@h")
    assert "s3cret" not in str(caught.value)


@given(st.text(st.characters(exclude_categories=()), max_size=20) | PATTERN_TEXT)
def test_any_text(text: str) -> None:
    """Each text has a normal form, which is its own normal form, or is refused."""
    try:
        pattern = parse_host_pattern(text)
    except ValueError:
        return
    assert parse_host_pattern(pattern) == pattern
    assert pattern.isascii()
    compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        ("h.test", ["h.test:80", "h.test:443"], ["x.h.test:80", "h.test.x:80", "hxtest:80"]),
        ("*.h.test", ["a.h.test:80", "a.b.h.test:80"], ["h.test:80", "a.h.test.x:80"]),
        ("h?.test", ["h1.test:80"], ["h.test:80", "h12.test:80"]),
        ("*", ["h:80", "127.0.0.1:443", "[::1]:80"], []),
        ("h:443", ["h:443"], ["h:80", "h:4430", "h:44"]),
        ("*:8080", ["h:8080", "[::1]:8080"], ["h:80", "[::8080]:80"]),
        ("10.*", ["10.0.0.1:80"], ["110.0.0.1:80"]),
        ("[::1]", ["[::1]:80"], ["[::11]:80", "1:80", "::80"]),
        ("[::1]:80", ["[::1]:80"], ["[::1]:443", "1:80"]),
        ("[2001:db8:*]", ["[2001:db8::1]:80"], ["[2001:db9::1]:80"]),
    ],
)
def test_comparison(pattern: str, fitting: list[str], other: list[str]) -> None:
    """A pattern fits whole hosts; one without a port fits each port."""
    expression = compiled(pattern)
    assert [each for each in fitting if not expression.match(each)] == []
    assert [each for each in other if expression.match(each)] == []


def test_authorities() -> None:
    """An IPv6 address gets its brackets."""
    assert authority_of(("https", "h.test", 443)) == "h.test:443"
    assert authority_of(("http", "2001:db8::1", 80)) == "[2001:db8::1]:80"
