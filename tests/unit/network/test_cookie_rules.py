"""Cookies as servers and files write them."""

from __future__ import annotations

import pytest

from url_downloader.network.cookie_rules import Cookie, parse_cookie_line, parse_set_cookie

NOW = 2_000_000_000.0
SECRET = "S3CRET"


@pytest.mark.parametrize(
    ("attributes", "expires"),
    [
        ("", None),
        ("Max-Age=60", NOW + 60),
        ("Max-Age=0", 0.0),
        ("Max-Age=-1", 0.0),
        ("max-age=00; Expires=Fri, 01 Jan 2100 00:00:00 GMT", 0.0),
        (f"Max-Age={'0' * 400}60", NOW + 60),
        (f"Max-Age={'9' * 400}", NOW + 1e12),
        (f"Max-Age={'9' * 5000}", NOW + 1e12),
        *[(f"Max-Age={age}", None) for age in ("NaN", "1e9", "inf", "+5", "", "-", "1.5")],
        ("Expires=Fri, 01 Jan 2100 00:00:00 GMT", 4102444800.0),
        ("expires=Fri, 01-Jan-2100 00:00:00 GMT", 4102444800.0),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Expires=Fri, 01 Jan 9999 00:00:00 GMT", 253370764800.0),
        ("Expires=Fri, 01 Jan 10000 00:00:00 GMT", None),
        ("Expires=Fri, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Expires=Fri, 99 Jan 2100 99:99:99 GMT", None),
        *[(f"Expires={text}", None) for text in ("NaN", "-1", "0", "soon", "9" * 5000)],
        ("Max-Age=60; Max-Age=x; Expires=Fri, 01 Jan 2100 00:00:00 GMT", 4102444800.0),
    ],
)
@pytest.mark.filterwarnings("error")
def test_when_it_expires(attributes: str, expires: float | None) -> None:
    """An unreadable age is ignored, and no age is too large (RFC 6265 §5.2)."""
    cookie = parse_set_cookie(f"a=1; {attributes}", host="x.test", path="/", now=NOW)
    assert cookie is not None
    assert cookie.expires == expires


@pytest.mark.parametrize(
    ("text", "pair", "path"),
    [
        ('a="1 2" ; HttpOnly', ("a", '"1 2"'), "/d"),
        ("a=b=c;Path=/p;path=/q", ("a", "b=c"), "/q"),
        ("a=; Path=relative", ("a", ""), "/d"),
        ("a=\xe9", ("a", "\xe9"), "/d"),
    ],
)
def test_what_is_set(text: str, pair: tuple[str, str], path: str) -> None:
    """Names and values are bytes that come back as they are; the path is the URL's folder."""
    cookie = parse_set_cookie(text, host="x.test", path="/d/file", now=NOW)
    assert cookie is not None
    assert ((cookie.name, cookie.value), cookie.path) == (pair, path)


@pytest.mark.parametrize(
    "text",
    ["", "a", "=1", ";a=1", "a=\x01", "a\x00=1", f"a={'x' * 4096}", "a=1; Domain=other.test"],
)
def test_what_sets_nothing(text: str) -> None:
    """A field without a name, with control characters, too long or for others is ignored."""
    assert parse_set_cookie(text, host="x.test", path="/", now=NOW) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "x.test\tTRUE\t/\tFALSE\t0\tn\tv",
            Cookie(name="n", value="v", domain="x.test", is_host_only=False),
        ),
        (".X.test\tFALSE\t/\tFALSE\t0\tn\tv", Cookie(name="n", value="v", domain="x.test")),
        (
            "x.test\tfalse\t/p\ttrue\t1.5e9\tn\tv",
            Cookie(
                name="n", value="v", domain="x.test", path="/p", is_secure=True, expires=1.5e9
            ),
        ),
        ("x.test\tFALSE\t/\tFALSE\t0\tn\t", Cookie(name="n", value="", domain="x.test")),
        ("x.test\tFALSE\t/\tFALSE\t0\tn", Cookie(name="n", value="", domain="x.test")),
        ("x.test\tFALSE\t/\tFALSE\t\tn\tv", Cookie(name="n", value="v", domain="x.test")),
        (
            f"x.test\tFALSE\t/\tFALSE\t{'9' * 400}\tn\tv",
            Cookie(name="n", value="v", domain="x.test", expires=1e12),
        ),
        (
            "x.test\tFALSE\t/\tFALSE\t-1\tn\tv",
            Cookie(name="n", value="v", domain="x.test", expires=-1.0),
        ),
        (
            "#HttpOnly_x.test\tFALSE\t/\tFALSE\t0\tn\tv",
            Cookie(name="n", value="v", domain="x.test"),
        ),
        ("[::1]\tFALSE\t/\tFALSE\t0\tn\tv", Cookie(name="n", value="v", domain="::1")),
        (
            "x.test\tFALSE\t/\tFALSE\t0\tn\t\xfc",
            Cookie(name="n", value="\xfc", domain="x.test"),
        ),
        ("# x.test\tFALSE", None),
        (" ", None),
    ],
)
def test_a_line_of_a_file(line: str, expected: Cookie | None) -> None:
    """A line is read as curl reads it: the flag says for whom it is, the dot nothing."""
    assert parse_cookie_line(line.encode("latin-1")) == expected


def test_a_cookie_is_secret() -> None:
    """A cookie that is logged by mistake shows neither its name nor its value."""
    assert SECRET not in repr(Cookie(name=SECRET, value=SECRET, domain="x.test"))
