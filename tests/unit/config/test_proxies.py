"""Proxies: their URLs, their environment variables, and the hosts that are reached directly."""

from __future__ import annotations

import pytest

from url_downloader.config.proxies import (
    Proxy,
    excepts_all,
    is_excepted,
    parse_proxy,
    proxy_exceptions,
    proxy_fields,
    proxy_variable,
)
from url_downloader.config.server_settings import ServerSettings
from url_downloader.shared.errors import ConfigError
from url_downloader.shared.url_parts import origin_of

SECRET = "S3CRET"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://h:3128", Proxy(scheme="http", host="h", port=3128)),
        ("h:3128", Proxy(scheme="http", host="h", port=3128)),
        ("h", Proxy(scheme="http", host="h", port=80)),
        (" \thttp://h:3128\r\n", Proxy(scheme="http", host="h", port=3128)),
        ("HTTPS://H.Test:/", Proxy(scheme="https", host="H.Test", port=443)),
        ("http://h:3128/path?x#y", Proxy(scheme="http", host="h", port=3128)),
        ("socks5://h", Proxy(scheme="socks5", host="h", port=1080)),
        ("socks5h://[::1]:1", Proxy(scheme="socks5h", host="::1", port=1)),
        ("http://[fe80::1%25lo]:1", Proxy(scheme="http", host="fe80::1%lo", port=1)),
        ("socks4a://h", Proxy(scheme="socks4a", host="h", port=1080)),
        ("http://bücher.test", Proxy(scheme="http", host="xn--bcher-kva.test", port=80)),
        ("u:p@h:1", Proxy(scheme="http", host="h", port=1, login=(b"u", b"p"))),
        ("http://u@h:1", Proxy(scheme="http", host="h", port=1, login=(b"u", b""))),
        ("http://u:p@x:y@h:1", Proxy(scheme="http", host="h", port=1, login=(b"u", b"p@x:y"))),
        (
            "http://u:%23%FC%@h",
            Proxy(scheme="http", host="h", port=80, login=(b"u", b"#\xfc%")),
        ),
        (
            "http://u:ü\udcfc@h",
            Proxy(scheme="http", host="h", port=80, login=(b"u", b"\xc3\xbc\xfc")),
        ),
        ("http://under_score:65535", Proxy(scheme="http", host="under_score", port=65535)),
    ],
)
def test_url_of_a_proxy(text: str, expected: Proxy) -> None:
    """A URL is parsed as curl parses it, and its login is bytes."""
    assert parse_proxy(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "http://", "http://:3128", f"http://me:{SECRET}@", f"http://me:{SECRET}@:1"],
        *[f"http://me:{SECRET}#x@h:3128", f"http://me:12#{SECRET}@h:3128"],
        *[f"http://me:{SECRET}/x@h", f"http://me:{SECRET}?x@h", f"me:1/{SECRET}@h"],
        *[f"http://me:{SECRET}@h:0", f"http://me:{SECRET}@h:65536", f"http://me:{SECRET}@h:x"],
        *[
            f"http://me:{SECRET}@h:999999",
            f"http://me:{SECRET}@h h",
            f"http://me:{SECRET}@h:1 x",
        ],
        *[f"ftp://me:{SECRET}@h", f"socks://me:{SECRET}@h", f"://me:{SECRET}@h"],
        *[f"http://me:{SECRET}@[::1", f"http://me:{SECRET}@[x]:1", f"http://me:{SECRET}@::1"],
        *[
            f"http://me:{SECRET}@a..h",
            f"http://me:{SECRET}@{'a' * 64}",
            f"http://me:{SECRET}@h\0",
        ],
    ],
)
def test_bad_url_of_a_proxy(text: str) -> None:
    """The error has the reason, but not the URL; the settings raise it, too."""
    with pytest.raises(ValueError, match=r"\S") as caught:
        parse_proxy(text)
    assert SECRET not in str(caught.value)
    # The traceback of the original error would show the text.
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    with pytest.raises(ConfigError, match="--proxy: ") as refused:
        ServerSettings(proxy=text)
    assert SECRET not in str(refused.value)


def test_the_login_is_secret() -> None:
    """The login is sent to the proxy as bytes, and is not in the repr."""
    proxy = parse_proxy(f"http://me:{SECRET}%FC@h")
    assert SECRET not in repr(proxy)
    assert proxy_fields(proxy) == {"Proxy-Authorization": "Basic bWU6UzNDUkVU/A=="}
    assert proxy_fields(parse_proxy("http://h")) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[(f"{scheme}://h", True) for scheme in ("http", "https", "socks5h", "socks4a")],
        *[("socks5://h", False), ("socks4://h", False), ("h:3128", True)],
    ],
)
def test_who_chooses_the_address(text: str, expected: bool) -> None:
    """All proxies resolve host names themselves but SOCKS in the forms that get an address."""
    assert parse_proxy(text).chooses_address is expected


@pytest.mark.parametrize(
    ("exceptions", "expected"),
    [
        *[(text, True) for text in ("*", "x, *", " * y")],
        *[(text, False) for text in ("", "x", "*:80", "*.x", ".", "0.0.0.0/0")],
    ],
)
def test_all_hosts_are_exceptions(exceptions: str, expected: bool) -> None:
    """Only an asterisk without a port stands for all hosts."""
    assert excepts_all(exceptions) is expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ""),
        ({"NO_PROXY": "b"}, "b"),
        ({"no_proxy": "a", "NO_PROXY": "b"}, "a"),
        ({"no_proxy": "", "NO_PROXY": "b"}, "b"),
    ],
)
def test_variable_of_exceptions(environment: dict[str, str], expected: str) -> None:
    """The variable in lower case wins unless it is empty."""
    assert proxy_exceptions(environment) == expected


@pytest.mark.parametrize(
    ("scheme", "environment", "expected"),
    [
        ("http", {}, None),
        ("http", {"http_proxy": "a", "HTTP_PROXY": "b", "all_proxy": "c"}, "http_proxy"),
        ("http", {"HTTP_PROXY": "b", "all_proxy": "c"}, "HTTP_PROXY"),
        ("https", {"http_proxy": "a", "ALL_PROXY": "c"}, "ALL_PROXY"),
        ("https", {"all_proxy": "a", "ALL_PROXY": "c"}, "all_proxy"),
        ("https", {"https_proxy": "", "HTTPS_PROXY": "b"}, None),
        ("https", {"https_proxy": " ", "ALL_PROXY": "b"}, "ALL_PROXY"),
        ("http", {"HTTP_PROXY": "b", "REQUEST_METHOD": "GET"}, None),
        ("http", {"HTTP_PROXY": "b", "ALL_PROXY": "c", "REQUEST_METHOD": "GET"}, "ALL_PROXY"),
        ("http", {"http_proxy": "a", "REQUEST_METHOD": "GET"}, "http_proxy"),
        ("https", {"HTTPS_PROXY": "b", "REQUEST_METHOD": "GET"}, "HTTPS_PROXY"),
    ],
)
def test_proxy_variable(scheme: str, environment: dict[str, str], expected: str | None) -> None:
    """The scheme's variable and lower case win; HTTP_PROXY is ignored under CGI."""
    assert proxy_variable(scheme, environment) == expected


@pytest.mark.parametrize(
    ("exceptions", "url", "expected"),
    [
        *[("", "http://a.test/", False), (" , ,", "http://a.test/", False)],
        *[("*", "http://a.test/", True), ("x,*", "http://[::1]/", True)],
        *[("a.test", f"http://{host}/", True) for host in ("a.test", "b.a.test", "A.Test.")],
        *[("a.test", f"http://{host}/", False) for host in ("ba.test", "test", "a.test.b")],
        *[(text, "http://a.test/", True) for text in (".test", "*.test", "A.TEST", "a.test.")],
        *[("x, a.test y", f"http://{host}/", True) for host in ("x", "a.test", "y")],
        *[("a.test:80", "http://a.test/", True), ("a.test:443", "https://a.test/", True)],
        *[("a.test:80", "https://a.test/", False), (".test:8080", "http://a.test:8080/", True)],
        *[("10.0.0.1", "http://10.0.0.1/", True), ("0.0.1", "http://10.0.0.1/", False)],
        *[("10.0.0.0/8", "http://10.2.3.4/", True), ("10.0.0.0/8", "http://11.0.0.1/", False)],
        *[("10.9.9.9/8", "http://10.2.3.4/", True), ("10.0.0.0/8", "http://a.test/", False)],
        *[
            ("10.0.0.1:8080", "http://10.0.0.1:8080/", True),
            ("10.0.0.1:1", "http://10.0.0.1/", False),
        ],
        *[
            ("10.0.0.0/8:80", "http://10.0.0.1/", True),
            ("10.0.0.0/8:81", "http://10.0.0.1/", False),
        ],
        *[(text, "http://[::1]:80/", True) for text in ("::1", "[::1]", "[::1]:80", "::/64")],
        *[("[0:0::1]", "http://[::1]/", True), ("[::1]:81", "http://[::1]/", False)],
        *[("fd00::/8", "http://[fd12::1]/", True), ("fd00::/8", "http://10.0.0.1/", False)],
        *[("a.test:x", "http://a.test/", False), ("[::1", "http://[::1]/", False)],
    ],
)
def test_exceptions(exceptions: str, url: str, expected: bool) -> None:
    """A domain includes its subdomains, a network its addresses; each may have a port."""
    assert is_excepted(origin_of(url), exceptions) is expected
