"""The cookies of a run: those that a request gets, the user's file, and the servers' own."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from url_downloader.network.cookie_rules import Cookie
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
    """Return the Cookie field of a request for this URL."""
    return cookies.field(origin_of(url), target=urlsplit(url).path).get("Cookie")


def reply(cookies: Cookies, url: str, *fields: str) -> None:
    """Have the server of this URL set cookies."""
    cookies.store(fields, origin=origin_of(url), target=urlsplit(url).path)


@pytest.fixture
def known(tmp_path: Path) -> Cookies:
    """Return the cookies of COOKIES."""
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
    """Domain, path, secure and expiry decide (RFC 6265 §5.4), or the host of a host cookie."""
    sent = header(known, url) or ""
    assert {pair.partition("=")[0] for pair in sent.split("; ") if pair} == set(names.split())


def test_what_a_server_sets_is_for_its_host_alone() -> None:
    """A Domain makes no cookie for other hosts, as many owners may share that domain."""
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
    """Only servers of a domain may change and remove the user's cookies of that domain."""
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
    """A cookie is replaced by one of the same name and path, and not sent once it expired."""
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
    """A secure cookie is sent over TLS alone, and set over TLS alone."""
    cookies = Cookies(now=lambda: NOW)
    reply(cookies, "http://x.test/", "a=1; Secure")
    assert header(cookies, "https://x.test/") is None
    reply(cookies, "https://x.test/", "a=2; secure")
    assert header(cookies, "https://x.test/") == "a=2"
    assert header(cookies, "http://x.test/") is None


def test_servers_can_set_only_so_many(known: Cookies) -> None:
    """The number of cookies is bounded: the oldest go first, the user's stay."""
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
    """Without a cookie store the user's cookies are sent all the same."""
    cookies = Cookies([Cookie(name="a", value="1", domain="x.test")], keeps=False)
    reply(cookies, "http://x.test/", "b=2")
    assert header(cookies, "http://x.test/") == "a=1"


@pytest.mark.parametrize("heading", [HEADING, "", "\ufeff" + HEADING, "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_as_people_make_it(tmp_path: Path, heading: str, end: str) -> None:
    """Heading, byte order mark and kind of line ends do not matter."""
    (tmp_path / "c").write_text(
        (heading + GOOD).replace("\n", end), newline="", encoding="utf-8"
    )
    assert header(Cookies(read_cookies(tmp_path / "c")), "http://x.test/") == "name=value"


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
    """It is skipped with a warning that has its number and none of its content."""
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
    """The error names the file and the format, and shows nothing of the content."""
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
    """A file with a heading alone, the export of a browser without cookies, is accepted."""
    (tmp_path / "c").write_text(HEADING)
    assert read_cookies(tmp_path / "c") == []
