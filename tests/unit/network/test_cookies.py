"""Cookies: which request gets which; what a file and what servers may say."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from url_downloader.network.cookie_rules import Cookie, parse_cookie_line, parse_set_cookie
from url_downloader.network.cookies import MAX_COOKIES, MAX_PER_HOST, Cookies, read_cookies
from url_downloader.shared.errors import InputError
from url_downloader.shared.url_parts import origin_of

NOW = 2_000_000_000.0
LATER = 4_000_000_000
COOKIES = f"""# Netscape HTTP Cookie File
# a comment

.example.com\tTRUE\t/\tFALSE\t{LATER}\tdomain\t1
www.example.com\tFALSE\t/\tFALSE\t{LATER}\thost\t2
Www.Example.com\tFALSE\t/deep\tFALSE\t{LATER}\tpath\t3
www.example.com\tFALSE\t/\tTRUE\t{LATER}\tsecure\t4
#HttpOnly_www.example.com\tFALSE\t/\tFALSE\t0\tcurl-session\t5
www.example.com\tFALSE\t/\tFALSE\t\tsession\t6
www.example.com\tFALSE\t/\tFALSE\t1000\texpired\t7
localhost\tFALSE\t/\tFALSE\t{LATER}\tlocal\t8
127.0.0.1\tFALSE\t/\tFALSE\t{LATER}\taddress\t9
"""


HEADING = "# Netscape HTTP Cookie File\n"
GOOD = "x.test\tFALSE\t/\tFALSE\t0\tname\tvalue\n"
SECRET = "S3CRET"


def header(cookies: Cookies, url: str) -> str | None:
    """The Cookie field of a request for this URL."""
    parts = urlsplit(url)
    found = cookies.of_host(parts.hostname or "")
    return cookies.field(found, scheme=parts.scheme, target=parts.path).get("Cookie")


def reply(cookies: Cookies, url: str, *fields: str) -> None:
    """Have the server of this URL set cookies."""
    cookies.store(fields, origin=origin_of(url), target=urlsplit(url).path)


@pytest.fixture
def known(tmp_path: Path) -> Cookies:
    """Those of COOKIES."""
    path = tmp_path / "cookies.txt"
    path.write_text(COOKIES)
    return Cookies(read_cookies(path), now=lambda: NOW)


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("http://www.example.com/", "domain host curl-session session"),
        ("https://www.example.com/", "domain host secure curl-session session"),
        ("http://www.example.com/deep/er", "path domain host curl-session session"),
        ("http://www.example.com/deeper", "domain host curl-session session"),
        ("http://example.com/", "domain"),
        ("http://a.www.example.com/", "domain"),
        *[("http://notexample.com/", ""), ("http://example.com.evil.test/", "")],
        *[("http://com/", ""), ("http://localhost:8080/", "local")],
        *[("http://127.0.0.1:8080/", "address"), ("http://1.127.0.0.1.test/", "")],
    ],
)
def test_who_gets_which(known: Cookies, url: str, names: str) -> None:
    """Domain, path, secure and expiry decide (RFC 6265 §5.4); a host's own are for it alone."""
    sent = header(known, url) or ""
    assert {pair.partition("=")[0] for pair in sent.split("; ") if pair} == set(names.split())


def test_what_a_server_sets_is_for_its_host_alone() -> None:
    """A Domain makes no cookie for other hosts: that domain may be many people's."""
    cookies = Cookies(now=lambda: NOW)
    reply(
        cookies,
        "http://a.shop.test/x/y",
        "s=1",
        "d=2; Domain=shop.test",
        "e=3; Domain=evil.test",
    )
    assert header(cookies, "http://a.shop.test/x/z") == "s=1; d=2"
    assert header(cookies, "http://a.shop.test/") is None
    for host in ("shop.test", "b.shop.test", "b.a.shop.test", "evil.test", "127.0.0.1"):
        assert header(cookies, f"http://{host}/x/y") is None


def test_a_domain_of_the_users_file_is_shared(known: Cookies) -> None:
    """Its servers alone may change and remove the user's cookies of the domain."""
    reply(known, "http://evil.test/", "domain=e; Domain=example.com")
    reply(
        known,
        "http://a.example.com/",
        "domain=new; Domain=.Example.com; Path=/",
        "own=1; Path=/",
    )
    assert header(known, "http://b.example.com/") == "domain=new"
    assert header(known, "http://a.example.com/") == "own=1; domain=new"
    reply(known, "http://b.example.com/", "domain=; Domain=example.com; Path=/; Max-Age=0")
    assert header(known, "http://a.example.com/") == "own=1"


def test_a_cookie_is_replaced_and_removed() -> None:
    """By one of the same name and path; one whose time is over is not sent."""
    clock = [NOW]
    cookies = Cookies(now=lambda: clock[0])
    reply(cookies, "http://x.test/", "a=1", "b=1; Max-Age=10", "c=1; Path=/deep")
    reply(
        cookies,
        "http://x.test/",
        "a=2",
        "c=; Path=/deep; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    )
    assert header(cookies, "http://x.test/deep") == "b=1; a=2"
    clock[0] += 10
    assert header(cookies, "http://x.test/deep") == "a=2"


def test_what_is_for_tls_alone() -> None:
    """It is sent over TLS alone, and set over TLS alone."""
    cookies = Cookies(now=lambda: NOW)
    reply(cookies, "http://x.test/", "a=1; Secure")
    assert header(cookies, "https://x.test/") is None
    reply(cookies, "https://x.test/", "a=2; secure")
    assert header(cookies, "https://x.test/") == "a=2"
    assert header(cookies, "http://x.test/") is None


def test_servers_can_set_only_so_many(known: Cookies) -> None:
    """The oldest give way; those of the user stay."""
    names = [f"n{number}" for number in range(MAX_PER_HOST + 1)]
    reply(known, "http://www.example.com/", *(f"{name}=1; Path=/" for name in names))
    sent = str(header(known, "http://www.example.com/")).split("; ")
    assert [pair for pair in sent if pair.startswith("n")] == [
        f"{name}=1" for name in names[1:]
    ]
    assert "host=2" in sent
    for number in range(MAX_COOKIES):
        reply(known, f"http://h{number}.test/", "a=1")
    assert header(known, "http://h0.test/") == "a=1"
    assert "n50" not in str(header(known, "http://www.example.com/"))
    assert "host=2" in str(header(known, "http://www.example.com/"))
    reply(known, "http://last.test/", "a=1")
    assert header(known, "http://h0.test/") is None


def test_none_are_kept_where_none_are_wanted() -> None:
    """The user's are sent all the same."""
    cookies = Cookies([Cookie(name="a", value="1", domain="x.test")], keeps=False)
    reply(cookies, "http://x.test/", "b=2")
    assert header(cookies, "http://x.test/") == "a=1"


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
    """An age that can't be read counts as not said, and none is too large (RFC 6265 §5.2)."""
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
    """A field without a name, with controls, too long or for others is ignored."""
    assert parse_set_cookie(text, host="x.test", path="/", now=NOW) is None


@pytest.mark.parametrize("heading", [HEADING, "", "\ufeff" + HEADING, "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_as_people_make_it(tmp_path: Path, heading: str, end: str) -> None:
    """Neither heading nor mark of the byte order matter, nor how lines end."""
    (tmp_path / "c").write_text(
        (heading + GOOD).replace("\n", end), newline="", encoding="utf-8"
    )
    assert header(Cookies(read_cookies(tmp_path / "c")), "http://x.test/") == "name=value"


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
    """It is read as curl reads it: the flag says for whom it is, the dot nothing."""
    assert parse_cookie_line(line.encode("latin-1")) == expected


@pytest.mark.parametrize(
    "line",
    [
        "x.test FALSE / FALSE 0 name S3CRET",
        "x.test\tFALSE\t/\tFALSE\t0",
        "x.test\tFALSE\t/\tFALSE\t0\tname\tS3CRET\tmore",
        "x.test\tmaybe\t/\tFALSE\t0\tname\tS3CRET",
        "x.test\tFALSE\t/\tFALSE\tsoon\tname\tS3CRET",
        "x.test\tFALSE\t/\tFALSE\tnan\tname\tS3CRET",
        "x.test\tFALSE\t/\tFALSE\t0\t\tS3CRET",
        "x.test\tFALSE\t/\tFALSE\t0\tname\tS3\x00CRET",
    ],
)
def test_a_line_that_cant_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    """It is skipped with a note of its number, and nothing of what is in it."""
    path = tmp_path / "c"
    path.write_text(HEADING + f"{line}\n" + GOOD)
    with caplog.at_level(logging.WARNING):
        assert len(read_cookies(path)) == 1
    (said,) = caplog.messages
    assert said == f"{path}: not in Netscape's format, skipped: lines 2"
    caplog.clear()
    path.write_text(f"{line}\n" * 5000 + GOOD)
    read_cookies(path)
    (said,) = caplog.messages
    assert said.endswith("lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 ...")


@pytest.mark.parametrize(
    "content",
    [
        *[b"", b"\n\n", b"\xff\xfe\n", b"<!DOCTYPE html>\n<p>S3CRET</p>\n"],
        b'[{"name": "sid", "value": "S3CRET"}]',
        b"# Netscape HTTP Cookie File\nx.test FALSE / FALSE 0 name S3CRET\n",
        "x.test\tFALSE\t/\tFALSE\t0\tname\tS3CRET\n".encode("utf-16"),
        None,
    ],
)
def test_a_file_of_something_else(tmp_path: Path, content: bytes | None) -> None:
    """The error names the file and the format, and shows nothing of what is in it."""
    path = tmp_path / "cookies.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_cookies(path)
    words = str(caught.value)
    assert words.startswith(f"{path}: the cookies can't be read: ")
    assert SECRET not in words
    assert ("Netscape" in words) == (content is not None)


def test_a_file_with_a_heading_alone(tmp_path: Path) -> None:
    """A browser without cookies has exported it."""
    (tmp_path / "c").write_text(HEADING)
    assert read_cookies(tmp_path / "c") == []


def test_a_cookie_is_secret() -> None:
    """A cookie that is logged by mistake shows neither its name nor its value."""
    assert SECRET not in repr(Cookie(name=SECRET, value=SECRET, domain="x.test"))
