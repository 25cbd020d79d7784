"""URLs in the normal form of the WHATWG standard, but with every escape as it is written."""

from __future__ import annotations

import re
import string
from contextlib import suppress
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.shared.urls import (
    PLAIN_START,
    PLAIN_URL,
    resolve,
    split_url,
    without_secrets,
)

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
    """Characters that may not stand there are escaped; dot segments go, empty ones stay."""
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
        ("http://[2001:DB8:0:0:1:0:0:01]:8080", "http://[2001:db8::1:0:0:1]:8080"),
        ("http://[1:0:0:2:0:0:0:3]", "http://[1:0:0:2::3]"),
        ("http://[1:2:3:4:5:6::8]", "http://[1:2:3:4:5:6:0:8]"),
        ("http://[0:0:10:20:30:40:50:0]", "http://[::10:20:30:40:50:0]"),
        ("http://[::]", "http://[::]"),
        ("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
        ("http://127.0.0.1.:80", "http://127.0.0.1"),
        ("http://0x7f.1", "http://127.0.0.1"),
        ("http://0X7F.0x0.0x.0x1", "http://127.0.0.1"),
        ("http://0177.0.0.01", "http://127.0.0.1"),
        ("http://2130706433", "http://127.0.0.1"),
        ("http://0xffffffff", "http://255.255.255.255"),
        ("http://0x", "http://0.0.0.0"),
        ("http://1.65535", "http://1.0.255.255"),
        ("http://%31%32%37.1", "http://127.0.0.1"),
        ("http://\uff11\uff12\uff17.1", "http://127.0.0.1"),
        ("http://1.2.3.4a", "http://1.2.3.4a"),
        ("http://H.EXAMPLE.", "http://h.example."),
        ("http://%C3%9C.de", "http://xn--tda.de"),
        ("http://U\u0308.de", "http://xn--tda.de"),
        ("http://XN--TDA.de", "http://xn--tda.de"),
        ("http://fa\u00df.de", "http://xn--fa-hia.de"),
        ("http://a\u3002b\uff0ec\uff61d", "http://a.b.c.d"),
        ("http://a%C2%ADb\u00ad", "http://ab"),
        ("http://i\u2764.ws", "http://xn--i-7iq.ws"),
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
    """All three are in normal form, so that equal origins are equal texts; logins stay."""
    assert split_url(f"{start}/") == (normal, "/")
    assert split_url(f"{normal}/") == (normal, "/")


@pytest.mark.parametrize(
    "text",
    [
        *("", "h", "//h/", "http", "http:", "http://", "http:h", "http:/h", "http:///h"),
        *("ftp://h/", "http://:80/", "http://u@/", "http://h:x/", "http://h:1:2/"),
        *("http://h:0/", "http://h:00/", "http://h:65536/", f"http://h:{'9' * 5000}/"),
        *("http://a b/", "http://a%20b/", "http://a%2fb/", "http://a%00/", "http://a%ff/"),
        *("http://[::1/", "http://::1/", "http://[1.2.3.4]/", "http://[fe80::1%25a]/"),
        *(
            "http://256.1.1.1/",
            "http://1.2.3.4.5/",
            "http://1..2/",
            "http://08/",
            "http://a.1/",
        ),
        *("http://4294967296/", "http://1.16777216/", "http://1.2.65536/", "http://a.0x/"),
        *(
            "http://1_0.1/",
            "http://+1.1/",
            "http://0x.-.0/",
            "http://[::1.2.3]/",
            "http://[:1]/",
        ),
        *("http://\u2100/", "http://\u00ad/", "http://xn--\u00fc/", "http://\udce9/"),
        *(f"http://{'a' * 256}/", "http://" + "\u00fc" * 64, f"http://{'%41' * 256}/"),
        # Python's codec would take half a minute for the last.
        *(f"http://{'a.' * 1100}/", f"http://{chr(0xFDFA) * 80_000}/"),
        *("http://a|b/", "http://a^b/", "http://[]/", "http://http://h/", "http://u:#p@h/"),
    ],
)
def test_what_is_no_url(text: str) -> None:
    """Another scheme, no host, an impossible port or host, and likely typos are refused."""
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
        ("caf\udce9?\udcff", f"{HOME}/a/caf%E9?%FF"),
        ("//B\u00fccher.example:80", "http://xn--bcher-kva.example/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        *[(bad, None) for bad in ("ftp://o/", "a:b", "javascript:x", "mailto:a@b", "data:,x")],
        *[(bad, None) for bad in ("http://", "//", "https:", "//:80/", "//o:0/", "//o:x/")],
        *[(bad, None) for bad in ("//[::1/", "//a b/", "http://a%00b/", "//o:99999/")],
    ],
)
def test_a_reference(reference: str, target: str | None) -> None:
    """A Location has the target that it has in browsers, or None where it has no target."""
    assert resolve(BASE, reference) == target


TEXTS = st.text(st.sampled_from("/?#\\:@[]%.aA2eF~'\" \u00e9\u3000|^`{}\x01")) | st.text()


@given(TEXTS)
def test_the_normal_form_is_its_own(text: str) -> None:
    """The normal form of a URL is ASCII but for the host, without blanks, and stable."""
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
    """A URL of characters that may stand in one is requested as it is written."""
    if re.search(r"(?i)/(\.|%2e){1,2}(/|\?|$)", "/" + text.partition("?")[0]):
        return
    assert split_url(f"http://h/{text}") == ("http://h", f"/{text}")


@given(TEXTS)
def test_nothing_is_lost(text: str) -> None:
    """Escaping changes no byte of a query: a server decodes what the URL says."""
    written = text.partition("#")[0]
    _, rest = split_url(f"http://h/?{text}")
    decoded = unquote_to_bytes(rest.removeprefix("/?"))
    assert decoded == unquote_to_bytes(written.encode("utf-8", "surrogatepass"))


@given(TEXTS, st.sampled_from([BASE, "https://h/", "http://h//x/?"]))
def test_any_reference_leads_to_a_normal_url_or_nowhere(reference: str, base: str) -> None:
    """No reference raises, and each target is in normal form."""
    target = resolve(base, reference)
    if target is not None:
        assert "".join(split_url(target)) == target


PIECES = st.sampled_from(
    [
        *("http:", "https:", "HTTP:", "ftp:", "//", "/", "\\", "?", "#", "@", ":", "h", "a_b"),
        *(
            ".",
            "..",
            "%2e",
            ".%2E",
            "%",
            "%2f",
            "%zz",
            "'",
            '"',
            " ",
            "^",
            "|",
            "[",
            "]",
            "[::1]",
        ),
        *("80", "0443", "0", "127.1", "0x7f", "08", "xn--", "-", "\u00e9", "\u00ad", "\uff0e"),
        *("\u2764", "\udce9", "\x01", "\t"),
    ]
)


@given(st.lists(PIECES, max_size=10).map("".join))
def test_what_a_reference_leads_to_is_fit_for_a_request_line(text: str) -> None:
    """A target is printable ASCII without blank and fragment, and resolves to itself."""
    url = resolve(BASE, text)
    if url is not None:
        assert re.fullmatch(r"https?://[^/?#\\ ]+/[!-~]*", url)
        assert "#" not in url
        assert resolve(BASE, url) == url


@given(st.from_regex(PLAIN_START, fullmatch=True) | st.from_regex(PLAIN_URL, fullmatch=True))
def test_a_plain_start_is_in_normal_form(url: str) -> None:
    """A URL that a pattern of plain URLs matches is in normal form."""
    try:
        found = "".join(split_url(url))
    except ValueError:
        return
    assert found == (url if url.count("/") > 2 else f"{url}/")


LONG = 1 << 16


@pytest.mark.parametrize(
    "text",
    [
        "http://h/" + "/.." * LONG,
        "http://h/" + "a/" * LONG + "../" * LONG,
        "http://h/" + "%2e/" * LONG,
        "http://h/" + "\u00e9" * LONG,
        "http://h/?" + "%" * LONG,
        "http://" + "u:" * LONG + "@h/",
        "http://" + "@" * LONG + "h/",
        "http://" + "a." * LONG + "b/",
        "http://" + "\u00fcb\u0308" * LONG + "/",
        "http://" + "%41" * LONG + "/",
        "http://" + "9" * LONG + "/",
        "http://h:" + "9" * LONG + "/",
        "http://h:" + "0" * LONG + "80/",
        "http://[" + ":" * LONG + "]/",
        "http:" + "/" * LONG + "h",
        "a" * LONG,
        "http://h/" + "a#" * LONG,
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_long_lines_take_no_long_time(text: str) -> None:
    """The time for a line grows linearly with its length; otherwise this test hangs."""
    for number in range(10):
        with suppress(ValueError):
            split_url(f"{text}{number}")
        resolve(BASE, f"{text}{number}")
    assert PLAIN_URL.fullmatch(text + " ") is None
    assert len(without_secrets(text)) <= len(text) + len("***@")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:secret@h:0/", "http://***@h:0/"),
        ("http:\\\\u:secret@h/", "http:\\\\***@h/"),
        ("http:/u:secret@h/", "http:/***@h/"),
        ("http://u:sec/ret@h/", "http://***@h/"),
        ("//u:secret@h/", "***@h/"),
        ("ftp://u:secret@h/", "***@h/"),
        ("u:secret@h", "***@h"),
        ("http://h/\na", "http://h/\na"),
    ],
)
def test_secrets_are_left_out(text: str, shown: str) -> None:
    """Possible user names and passwords are not shown, also of a broken URL."""
    assert without_secrets(text) == shown
