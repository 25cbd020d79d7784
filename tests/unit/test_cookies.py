"""Cookies of a file: which request gets which; a bad file is told without its content."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from url_downloader.cookies import CallCookies, KnownCookies, read_cookies
from url_downloader.shared.errors import InputError

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


def header(cookies: CallCookies, url: str) -> str | None:
    """The Cookie field of a request for this URL."""
    cookies.come_to(urlsplit(url).hostname or "")
    sent = requests.Request("GET", url, cookies=cookies.jar).prepare().headers.get("Cookie")
    return None if sent is None else str(sent)


@pytest.fixture
def known(tmp_path: Path) -> KnownCookies:
    """Those of COOKIES."""
    path = tmp_path / "cookies.txt"
    path.write_text(COOKIES)
    return read_cookies(path)


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
def test_who_gets_which(known: KnownCookies, url: str, names: str) -> None:
    """Domain, path, secure and expiry decide (RFC 6265 §5.4); a host's own are for it alone."""
    sent = header(CallCookies(known), url) or ""
    assert {pair.partition("=")[0] for pair in sent.split("; ") if pair} == set(names.split())


def test_what_a_server_sets_lasts_for_the_call(known: KnownCookies) -> None:
    """It beats the file for the rest of the call, for other hosts of the domain too."""
    call = CallCookies(known)
    header(call, "http://example.com/")
    call.jar.set("domain", "new", domain=".example.com", path="/")
    assert "domain=new" in str(header(call, "http://www.example.com/"))
    assert header(CallCookies(known), "http://example.com/") == "domain=1"


@pytest.mark.parametrize(
    "content",
    [
        *[b"", b"x.test\tFALSE\t/\tFALSE\t0\tname\tsecret\n", b"\xff\xfe\n"],
        b"# Netscape HTTP Cookie File\nx.test FALSE / FALSE 0 name secret\n",
        b"# Netscape HTTP Cookie File\n.x.test\tFALSE\t/\tFALSE\t0\tname\tsecret\n",
        b"# Netscape HTTP Cookie File\nx.test\tFALSE\t/\tFALSE\tsoon\tname\tsecret\n",
        b"# Netscape HTTP Cookie File\nx.test\tFALSE\t/\tFALSE\t0\tname\tsecret\xff\n",
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
    assert "secret" not in words
    assert ("Netscape" in words) == (content is not None)
