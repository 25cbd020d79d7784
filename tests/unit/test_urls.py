"""URLs as WHATWG's standard reads them, but with every escape left as it is written."""

from __future__ import annotations

import re
import string
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.urls import resolve, split_url

BASE = "http://user:pw@host:8080/a/b?c"
HOME = "http://user:pw@host:8080"


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("", "/"),
        ("/", "/"),
        ("/.", "/"),
        ("/..", "/"),
        ("/a/.", "/a/"),
        ("/a/..", "/"),
        ("/a/../b", "/b"),
        ("/../../a", "/a"),
        ("/a/%2e", "/a/"),
        ("/a/%2E%2e/b", "/b"),
        ("/a/.%2E/b", "/b"),
        ("/a/%2e./b", "/b"),
        ("/a/.../b", "/a/.../b"),
        ("/a/..b", "/a/..b"),
        ("/a/.%2Fb", "/a/.%2Fb"),
        ("/a//../b", "/a/b"),
        ("//a//b", "//a//b"),
        ("//../a", "/a"),
        ("/a/./", "/a/"),
        ("/a/..\\b", "/b"),
        ("\\a\\b", "/a/b"),
        ("/a%5Cb", "/a%5Cb"),
        ("/a%2fb%2Fc", "/a%2fb%2Fc"),
        ("/%7Ea~", "/%7Ea~"),
        ("/%", "/%"),
        ("/%zz%4", "/%zz%4"),
        ("/a b", "/a%20b"),
        ("/é", "/%C3%A9"),
        ("/\U0001f600", "/%F0%9F%98%80"),
        ('/"<>^`{}', "/%22%3C%3E%5E%60%7B%7D"),
        ("/[a]|!$&'()*+,-.:;=@_~", "/[a]|!$&'()*+,-.:;=@_~"),
        ("/?", "/?"),
        ("?", "/?"),
        ("/a?b?c", "/a?b?c"),
        ("/a?b/../c", "/a?b/../c"),
        ("/a?%2f%7e+&&b=&=c", "/a?%2f%7e+&&b=&=c"),
        ('/a?[]{}|^`\\"<> é', "/a?[]{}|^`\\%22%3C%3E%20%C3%A9"),
        ("/a?b'c", "/a?b'c"),
        ("/a#b?c", "/a"),
        ("/a?b#c#d", "/a?b"),
        ("#a", "/"),
    ],
)
def test_path_and_query(path: str, normal: str) -> None:
    """Only what may not stand there is escaped; dot segments go, empty ones stay."""
    assert split_url(f"http://h{path}") == ("http://h", normal)


@pytest.mark.parametrize(
    ("start", "normal"),
    [
        ("http://h", "http://h"),
        ("HTTP://H.EXAMPLE", "http://h.example"),
        ("http:\\\\h", "http://h"),
        ("http://h:", "http://h"),
        ("http://h:80", "http://h"),
        ("http://h:00080", "http://h"),
        ("https://h:443", "https://h"),
        ("https://h:80", "https://h:80"),
        ("http://h:443", "http://h:443"),
        ("http://h:065535", "http://h:65535"),
        ("http://%48", "http://h"),
        ("http://[::0001]:080", "http://[::1]"),
        ("http://[FE80::ABCD]", "http://[fe80::abcd]"),
        ("http://bücher.example", "http://xn--bcher-kva.example"),
        ("http://u@h", "http://u@h"),
        ("http://u:@h", "http://u:@h"),
        ("http://:p@h", "http://:p@h"),
        ("http://@h", "http://h"),
        ("http://u%40:p%3a@h", "http://u%40:p%3a@h"),
        (
            "http://a@b:c:d/@h".replace("/", "%2F", 3).replace("%2F", "/", 2),
            "http://a%40b:c%3Ad%2F@h",
        ),
    ],
)
def test_scheme_host_and_port(start: str, normal: str) -> None:
    """They are in normal form, so that equal origins are the same text; logins stay theirs."""
    assert split_url(f"{start}/") == (normal, "/")


@pytest.mark.parametrize(
    "text",
    [
        *("", "h", "//h/", "http", "http:", "http://", "http:h", "http:/h", "http:///h"),
        *("ftp://h/", "http://:80/", "http://u@/", "http://h:x/", "http://h:1:2/"),
        *("http://h:0/", "http://h:00/", "http://h:65536/", f"http://h:{'9' * 5000}/"),
        *("http://a b/", "http://a%20b/", "http://a%2fb/", "http://a%00/", "http://a%ff/"),
        *("http://[::1/", "http://::1/", "http://[1.2.3.4]/", "http://[fe80::1%25a]/"),
        # Python's codec would take half a minute for the last.
        *(f"http://{'a.' * 1100}/", f"http://{chr(0xFDFA) * 80_000}/"),
        *("http://a|b/", "http://a^b/", "http://[]/", "http://http://h/", "http://u:#p@h/"),
    ],
)
def test_what_is_no_url(text: str) -> None:
    """No http(s), no host, a port or a host that none can have, and what slips look like."""
    with pytest.raises(ValueError):  # noqa: PT011 - each has a text of its own
        split_url(text)


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("", f"{HOME}/a/b?c"),
        ("x", f"{HOME}/a/x"),
        ("./x", f"{HOME}/a/x"),
        ("../x", f"{HOME}/x"),
        ("../../x", f"{HOME}/x"),
        ("x/%2e%2E/y", f"{HOME}/a/y"),
        (".", f"{HOME}/a/"),
        ("..", f"{HOME}/"),
        ("?x", f"{HOME}/a/b?x"),
        ("?", f"{HOME}/a/b?"),
        ("#x", f"{HOME}/a/b?c"),
        ("x?y#z?", f"{HOME}/a/x?y"),
        ("/x", f"{HOME}/x"),
        ("\\x", f"{HOME}/x"),
        ("//o/x", "http://o/x"),
        ("\\\\o\\x", "http://o/x"),
        ("/\\o/x", "http://o/x"),
        ("///o/x", "http://o/x"),
        ("//o", "http://o/"),
        ("//u:p@o:80", "http://u:p@o/"),
        ("http:x", f"{HOME}/a/x"),
        ("HTTP:/x", f"{HOME}/x"),
        ("http:///o/x", "http://o/x"),
        ("https:o/x", "https://o/x"),
        ("https:/o/x", "https://o/x"),
        ("https://o:443/%2f?%7E#x", "https://o/%2f?%7E"),
        (" \t x\ny \r", f"{HOME}/a/xy"),
        ("x y/é", f"{HOME}/a/x%20y/%C3%A9"),
        ("x\x01y", f"{HOME}/a/x%01y"),
        ("1:2", f"{HOME}/a/1:2"),
        *[(bad, None) for bad in ("ftp://o/", "a:b", "javascript:x", "mailto:a@b", "data:,x")],
        *[(bad, None) for bad in ("http://", "//", "https:", "//:80/", "//o:0/", "//o:x/")],
        *[(bad, None) for bad in ("//[::1/", "//a b/", "http://a%00b/", "//o:99999/")],
    ],
)
def test_a_reference(reference: str, target: str | None) -> None:
    """A Location means what browsers take it for, and may lead nowhere."""
    assert resolve(BASE, reference) == target


TEXTS = st.text(st.sampled_from("/?#\\:@[]%.aA2eF~'\" \u00e9\u3000|^`{}\x01")) | st.text()


@given(TEXTS)
def test_the_normal_form_is_its_own(text: str) -> None:
    """It is ASCII but for the host, has no blanks, and is the normal form of itself."""
    try:
        origin, rest = split_url(f"http://h/{text}")
    except ValueError:
        return
    assert split_url(origin + rest) == (origin, rest)
    assert set(rest) <= set(string.ascii_letters + string.digits + string.punctuation) - set(
        '"<>#'
    )
    assert rest.startswith("/")


@given(st.text(st.sampled_from("/?aA2eF~'+&=%;,")))
def test_no_escape_is_touched(text: str) -> None:
    """A URL of characters that may stand in one is asked for as it is written."""
    if re.search(r"(?i)/(\.|%2e){1,2}(/|\?|$)", "/" + text.partition("?")[0]):
        return
    assert split_url(f"http://h/{text}") == ("http://h", f"/{text}")


@given(TEXTS)
def test_nothing_is_lost(text: str) -> None:
    """What a server decodes is what the URL says: escaping changes no byte of a query."""
    written = text.partition("#")[0]
    _, rest = split_url(f"http://h/?{text}")
    decoded = unquote_to_bytes(rest.removeprefix("/?"))
    assert decoded == unquote_to_bytes(written.encode("utf-8", "surrogatepass"))


@given(TEXTS, st.sampled_from([BASE, "https://h/", "http://h//x/?"]))
def test_any_reference_leads_to_a_normal_url_or_nowhere(reference: str, base: str) -> None:
    """It never raises, and its target is in normal form."""
    target = resolve(base, reference)
    if target is not None:
        assert "".join(split_url(target)) == target
