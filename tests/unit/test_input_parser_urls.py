"""URLs of a list: their normal form, those that are refused, and messages without secrets."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

import pytest
import validators
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.parsed_list import ParsedList, parsed
from url_downloader.input_parser import is_valid_origin, normal_url
from url_downloader.naming.filenames import DEFAULT_NAME, name_from_url, safe_component
from url_downloader.shared.line_reader import MAX_LINE
from url_downloader.shared.urls import PLAIN_URL, split_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HTTP://H.Example/A", "http://h.example/A"),
        ("http://h", "http://h/"),
        ("http://h?q", "http://h/?q"),
        ("http://h/?a&b=c;d", "http://h/?a&b=c;d"),
        ("http://h/a#b?c", "http://h/a"),
        ("http://h/?#", "http://h/?"),
        ('http://h/a b|c{d}"<>`^', "http://h/a%20b|c%7Bd%7D%22%3C%3E%60%5E"),
        ("http://h/a\\b?c\\d", "http://h/a/b?c\\d"),
        ("http://good\\@evil/", "http://good/@evil/"),
        ("http://h/é?ü", "http://h/%C3%A9?%C3%BC"),
        ("http://h/%41%zz%?%", "http://h/%41%zz%?%"),
        ("http://h/%2f%7E?%2f=%7e+%20", "http://h/%2f%7E?%2f=%7e+%20"),
        ("http://h/[a]?b[c]", "http://h/[a]?b[c]"),
        ("http://h/a?", "http://h/a?"),
        ("http://h/a/../b/%2E/c/.%2e/d/..", "http://h/b/"),
        ("http://h/a;b=c@d:!$&'()*+,~", "http://h/a;b=c@d:!$&'()*+,~"),
        ("http://localhost:8080/", "http://localhost:8080/"),
        ("http://127.0.0.1:65535/", "http://127.0.0.1:65535/"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("http://h.example./", "http://h.example./"),
        ("http://my_server:80/a_b", "http://my_server/a_b"),
        ("https://h:443/a", "https://h/a"),
        ("https://h:80/a", "https://h:80/a"),
        ("http://h:/", "http://h/"),
        ("http://h:0080/", "http://h/"),
        ("http://h:08080/", "http://h:8080/"),
        ("http://h%41/", "http://ha/"),
        ("http://[0:0::1]/", "http://[::1]/"),
        ("http://_a.b__c.example/", "http://_a.b__c.example/"),
        ("http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/"),
        ("http://BÜCHER.example:80/", "http://xn--bcher-kva.example/"),
        ("http://faß.de/", "http://xn--fa-hia.de/"),
        ("http://u:p@h/", "http://u:p@h/"),
        ("http://u@x:p:q@r s%@h/", "http://u%40x:p%3Aq%40r%20s%25@h/"),
        ("http://@h/", "http://h/"),
        ("http://h/" + "a" * 60_000, "http://h/" + "a" * 60_000),
    ],
)
def test_normal_url(text: str, url: str) -> None:
    """URLs that browsers take are taken and escaped as there; existing escapes stay."""
    assert normal_url(text) == url
    assert normal_url(url) == url


@pytest.mark.parametrize(
    "text",
    [
        "h.example/a",
        "ftp://h/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//h/",
        "http:/h/",
        "http:h/",
        "http://http://h/",
        "http://",
        "http:///a",
        "http://u:p@/",
        "http://h:0/",
        "http://h:000/",
        "http://h:99999/",
        "http://h:80:80/",
        "http://-h/",
        "http://a..b/",
        "http://256.1.1.1/",
        "http://[::1",
        "http://a b/",
        "http://h%20/",
        "http://h%2f/",
        "http://[fe80::1%25eth0]/",
        "http://h\u3000i/",
        "http://h/a\0b",
        "http://h/a\x1bb",
        "http://h\u2100/",
        f"http://{'a' * 300}.example/",
        "http://" + "ü" * 64 + ".example/",
    ],
)
def test_what_is_no_url_is_rejected(text: str) -> None:
    """A line that is not an http(s) URL is rejected as such, with its number."""
    result = parsed(f"\n{text}\nhttp://h/")
    assert len(result.jobs) == 1
    assert result.parser.rejected == 1
    assert result.reasons[0].startswith("list.txt:2: not a valid http(s) URL: ")


@pytest.mark.parametrize(
    "text",
    [
        "ftp://user:secret@h/",
        "http://user:secret@h:99999/",
        "http://user:sec@secret@a b/",
        "http://user:secret/secret@h/",
        "http://user:#secret@h/",
        "http://http://user:secret@h/",
        "http:\\\\user:secret@-h/",
        "http:/user:secret@h/",
        "http:user:secret@h/",
        "user:secret@h/",
        "http://[user:secret@[h/",
        "http://user:secret@h/\0",
    ],
)
def test_no_message_shows_a_password(text: str) -> None:
    """No message has the user name and password of a URL, even of an invalid one."""
    (reason,) = parsed(text).reasons
    assert "user" not in reason
    assert "secret" not in reason


@pytest.mark.parametrize(
    "option",
    ["header=Authorization secret", "header=A: secret\0", "Authorization: secret=", "secret"],
)
def test_no_message_shows_a_header(option: str) -> None:
    """An option that may hold a secret is not repeated in its rejection."""
    result = parsed(f"http://h/\n {option}")
    assert result.jobs == []
    assert "secret" not in result.reasons[0]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("header=Authorization: Bearer secret", "the option 'header' must begin with a blank"),
        ("checksum = secret", "the option 'checksum' must begin with a blank"),
        ("Authorization: Bearer secret", "it must begin with http:// or https://"),
        ("TOKEN=secret", "it must begin with http:// or https://"),
        ("machine h login me password secret", "it must begin with http:// or https://"),
        ("--header Cookie: secret", "it must begin with http:// or https://"),
        ("curl -u me:secret http://h/", "it must begin with http:// or https://"),
        ('{"url": "http://h/", "token": "secret"}', "it must begin with http:// or https://"),
        ("secret", "it must begin with http:// or https://"),
        ("secret/secret+secret==", "it must begin with http:// or https://"),
        ("data:secret", "it must begin with http:// or https://"),
    ],
)
def test_no_message_shows_a_line_that_is_unlike_a_url(line: str, hint: str) -> None:
    """A line that does not begin like a URL may be a secret: only the remedy is shown."""
    for text in (line, f"http://h/\n{line}"):
        assert parsed(text).reasons[0].endswith(f": not a valid http(s) URL: {hint}")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"h://\x1b[2J\xc2\x9b\xe2\x80\xae", r"not a valid http(s) URL: h://\x1b[2J\x9b\u202e"),
        (b"http://h/\xff", "not UTF-8"),
        (b"http://h/" + b"a" * MAX_LINE, "longer than 65536 bytes"),
    ],
)
def test_a_reason_can_be_shown(line: bytes, reason: str) -> None:
    """A reason is short and printable, whatever the line holds."""
    assert ParsedList(line).reasons == [f"list.txt:1: {reason}"]


def test_a_reason_is_cut() -> None:
    """Only the beginning of a long line is shown."""
    (rejection,) = parsed(f"ftp://{'x' * 5000}").rejections
    assert rejection.reason.endswith("xxx...")
    assert len(rejection.reason) < 210


URL_TEXTS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTP:\\\\", "ftp://", ""]),
    st.sampled_from(
        [
            "h",
            "h.example.",
            "my_server:80",
            "u:p@h",
            "é.example",
            "[::1]:8",
            "-h",
            "h:0",
            "1.2.3",
        ]
    )
    | st.text(max_size=8),
    st.text(max_size=12) | st.text("/?#&;=%[]:@._~+ a1\u3000\U0001f600\ufdd0", max_size=20),
)


@given(st.from_regex(PLAIN_URL, fullmatch=True))
def test_a_plain_url_needs_no_quoting(url: str) -> None:
    """A plain URL is taken as it is, with the name that quoting would have given it."""
    match = PLAIN_URL.fullmatch(url)
    assert match is not None
    if is_valid_origin(match[1]):
        assert split_url(url) == (match[1], url.removeprefix(match[1]))
    segment = urlsplit(url).path.rpartition("/")[2]
    assert name_from_url(url) == (safe_component(unquote(segment)) or DEFAULT_NAME)


@given(st.from_regex(PLAIN_URL, fullmatch=True))
def test_a_plain_url_is_valid_where_its_origin_is(url: str) -> None:
    """A plain URL is accepted only if its origin is valid."""
    match = PLAIN_URL.fullmatch(url)
    assert match is not None
    if is_valid_origin(match[1]):
        origin, rest = split_url(url)
        assert normal_url(url) == origin + rest
    else:
        with pytest.raises(ValueError, match="not a valid"):
            normal_url(url)


@given(URL_TEXTS)
@settings(max_examples=1000)
def test_a_valid_origin_makes_a_valid_url(text: str) -> None:
    """The verdict on an origin equals that of the validator on the whole URL."""
    try:
        origin, rest = split_url(text)
    except ValueError:
        return
    escaped = quote(re.sub("%(?![0-9a-fA-F]{2})", "%25", rest), safe="%!$&'()*+,;=/:@?")
    probe = f"{origin}{escaped}".replace("_", "x")
    verdict = validators.url(
        probe, simple_host=True, rfc_2782=True, rfc_1034=True, strict_query=False
    )
    is_web = origin.startswith(("http://", "https://"))
    assert is_valid_origin(origin) is (is_web and bool(verdict))
