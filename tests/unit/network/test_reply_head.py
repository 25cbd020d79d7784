"""Heads of replies to the letter of RFC 9112, over connections in memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict

from tests.support.memory_replies import (
    BIG,
    FIELDS,
    NEXT,
    OK,
    UNNEEDED,
    MemoryStream,
    assert_malformed,
    body_of,
    head,
    in_pieces,
    refusal,
    reply,
)
from url_downloader.network.connection import MAX_INTERIM
from url_downloader.network.reply_head import (
    MAX_HEAD_BYTES,
    MAX_PLAIN_HEAD,
    ReplyHead,
    elements_of,
    find_head,
    parse_plain_head,
)

TOO_LARGE = "headers-too-large"
CUT_HEAD = "truncated: connection closed inside the header block"
LINES = st.lists(
    st.tuples(st.sampled_from([b"A", b"a", b"B", b"Set-Cookie"]), st.sampled_from(b"12345")),
    unique_by=lambda line: (line[0].lower(), line[1]),
)


def head_of(*fields: bytes, status: bytes = OK) -> ReplyHead:
    """Return the head with these fields, as it is read from a connection."""
    return reply(head(*fields, status=status)).head


@pytest.mark.parametrize(
    "whole",
    [
        head(b"Content-Length: 0", b"X: y"),
        head(b"X: y").replace(b"\r\n", b"\n"),
        b"HTTP/1.0 404\r\nX:\r\n folded\r\n\r\n",
        head(b"Link: </a>", status=b"HTTP/1.1 103 Early Hints\r\n") + head(b"X: y"),
        head(status=b"HTTP/1.1 100 Continue\r\n") * 2 + head(),
    ],
)
def test_the_end_of_the_stream_within_a_header_block(whole: bytes) -> None:
    """A connection that closes inside the header block, at any byte, is an error."""
    assert reply(whole).head.status in (200, 404)
    for end in range(1, len(whole)):
        assert refusal(whole[:end]) == CUT_HEAD, whole[:end]


@given(FIELDS, st.integers(0, 10**6))
def test_any_header_block_is_read_whole_or_not_at_all(fields: list[bytes], place: int) -> None:
    """A header block of any fields is read to its last byte, or is an error."""
    whole = head(*fields)
    found = reply(whole + NEXT)
    assert len(found.head.lines) == len(fields)
    assert (found.head.size, found.connection.buffered) == (len(whole), len(NEXT))
    cut = whole[: 1 + place % (len(whole) - 1)]
    assert refusal(cut) == CUT_HEAD


@given(fields=FIELDS, size=st.integers(1, 100))
def test_the_short_way_and_the_long_way(fields: list[bytes], size: int) -> None:
    """A head means the same to both parsers, at once or in pieces of any size."""
    block = head(*fields, b"Content-Length: 0", b"Set-Cookie: a", b"Set-Cookie: b")
    found = parse_plain_head(block)
    assert found is not None
    assert find_head(block, 0, scanned=0) == found
    assert reply(MemoryStream(*in_pieces(block, size), error=UNNEEDED)).head == found


@pytest.mark.parametrize(
    "block",
    [
        head(b"X: y").replace(b"\r\n", b"\n"),
        head(b"X : y"),
        head(b"X: y", b" z"),
        head(b"X: y", status=b"HTTP/1.0 200 OK\r\n"),
        head(b"X: y", status=b"HTTP/1.1 103 Early Hints\r\n"),
        head(b"X: y", status=b"HTTP/1.1  200 OK\r\n"),
        head(b"X: a\0b"),
        head(b"no colon"),
        head(b"X: " + b"y" * MAX_PLAIN_HEAD),
        head(b"X: y")[:-1],
        head(),
        b"",
    ],
)
def test_the_plain_parser_leaves_the_rest_to_the_other_one(block: bytes) -> None:
    """A head that is unusual, incomplete or wrong is none of the plain parser's."""
    assert parse_plain_head(block) is None


@pytest.mark.parametrize("status", [100, 102, 103, 150, 199])
@pytest.mark.parametrize("times", [1, 3, 50])
def test_interim_replies_are_skipped(status: int, times: int) -> None:
    """Any number of 1xx replies is skipped; the final reply has its own fields alone."""
    interim = b"HTTP/1.1 %d Interim\r\nContent-Length: 9\r\nX-Interim: 1\r\n\r\n" % status
    data = interim * times + head(b"X: y", b"Content-Length: 4") + b"data" + NEXT
    for size in (1, 7, BIG):
        found = reply(MemoryStream(*in_pieces(data, size)))
        assert found.head.status == 200
        assert found.head.lines == [("x", "y"), ("content-length", "4")]
        assert body_of(found) == b"data"


def test_interim_replies_without_end() -> None:
    """The bytes of interim replies before a final one are bounded."""
    interim = head(b"X: " + b"y" * 60_000, status=b"HTTP/1.1 102 Processing\r\n")
    assert_malformed(
        interim * (MAX_HEAD_BYTES // len(interim) + 1), "over 256 KiB", kind=TOO_LARGE
    )


def test_too_many_interim_replies() -> None:
    """More than a hundred interim replies are refused, however short they are."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert reply(interim * MAX_INTERIM + head()).head.status == 200
    assert_malformed(interim * (MAX_INTERIM + 1) + head(), "more than 100", kind=TOO_LARGE)


def test_switching_protocols_is_refused() -> None:
    """A 101 is refused: what follows it is not HTTP/1."""
    only_head = head(status=b"HTTP/1.1 101 Switching Protocols\r\n")
    assert_malformed(only_head + head(), "101")
    assert_malformed(MemoryStream(only_head, error=UNNEEDED), "101")


@pytest.mark.parametrize(
    "status_line",
    [
        *(b"\r\n", b"\n", b" \r\n", b"200 OK\r\n", b"HTTP/1.1\r\n", b"HTTP/1.1 \r\n"),
        *(b"HTTP/2 200 OK\r\n", b"HTTP/2.0 200 OK\r\n", b"HTTP/0.9 200 OK\r\n"),
        *(b"HTTP/1 200 OK\r\n", b"HTTP/1.10 200 OK\r\n", b"http/1.1 200 OK\r\n"),
        *(b"ICY 200 OK\r\n", b" HTTP/1.1 200 OK\r\n", b"<html>\r\n", b"SSH-2.0-OpenSSH\r\n"),
        *(b"HTTP/1.1 20 OK\r\n", b"HTTP/1.1 2000 OK\r\n", b"HTTP/1.1 099 OK\r\n"),
        *(b"HTTP/1.1 +20 OK\r\n", b"HTTP/1.1 2 0 OK\r\n", b"HTTP/1.1 2_0 OK\r\n"),
        *(b"HTTP/1.1 200OK\r\n", b"HTTP/1.1 200 O\0K\r\n", b"HTTP/1.1 200 O\rK\r\n"),
        *(b"HTTP/1.1200 OK\r\n", b"\xef\xbb\xbfHTTP/1.1 200 OK\r\n"),
    ],
)
def test_a_malformed_status_line(status_line: bytes) -> None:
    """A line that is no HTTP/1 status line is refused at once, also after an interim reply."""
    for before in (b"", b"HTTP/1.1 100 \r\n\r\n"):
        assert_malformed(before + head(status=status_line), "status line", kind="not-http")
        early = MemoryStream(before + status_line, error=UNNEEDED)
        assert_malformed(early, "status line", kind="not-http")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "try https"),
        (b"\x16\x03\x03" + bytes(300), "try https"),
        (b"220 smtp.example.org ESMTP\r\n", "status line"),
        (b"HTT", "closed inside the header block"),
        (b"x" * BIG, "status line"),
        (b"x", "status line"),
    ],
)
def test_what_is_not_http(data: bytes, words: str) -> None:
    """Garbage and other protocols are reported as such, however short or long they are."""
    kind = "truncated" if data == b"HTT" else "not-http"
    assert_malformed(data, words, kind=kind)


@pytest.mark.parametrize(
    ("status_line", "status", "is_version_10"),
    [
        (b"HTTP/1.1 200 OK\n", 200, False),
        (b"HTTP/1.0 404 Not Found\r\n", 404, True),
        (b"HTTP/1.1 200\r\n", 200, False),
        (b"HTTP/1.1 200 \r\n", 200, False),
        (b"HTTP/1.1  200\tOK\r\n", 200, False),
        (b"HTTP/1.1 999 \xfcber\r\n", 999, False),
        (b"HTTP/1.9 200 OK\r\n", 200, False),
        (b"HTTP/1.1 200 " + b"y" * 100_000 + b"\r\n", 200, False),
    ],
)
def test_a_status_line(status_line: bytes, status: int, *, is_version_10: bool) -> None:
    """The forms of RFC 9112 §4 are understood, and the lone line feed of §2.2."""
    found = head_of(status=status_line)
    assert (found.status, found.is_version_10) == (status, is_version_10)


@pytest.mark.parametrize(
    "line",
    [
        *(b"no colon", b": no name", b"two words: x", b"\0: x", b" : x", b"\xa0: x"),
        *(b"n\xe4me: x", b"a\0b: x", b"X: a\0b", b"X: a\rContent-Length: 5", b"X: a\r"),
        *(b"From me", b"(x): y", b"x,y: z", b"HTTP/1.1 200 OK", b"\x0bX: y", b" a\0b"),
        *(b"Content-Length : 5", b"content-length\t: 5", b"Transfer-Encoding : chunked"),
        b"TRANSFER-ENCODING \t: chunked",
    ],
)
def test_a_malformed_header_line(line: bytes) -> None:
    """A line that another reader may drop, or take for the end or for framing, is an error."""
    assert_malformed(head(line), "header line")
    if line != b" : x":  # which continues another line
        assert_malformed(head(b"A: b", line, b"Content-Length: 0"), "header line")


def test_a_malformed_header_line_is_quoted_without_its_value() -> None:
    """The message for a malformed line shows no value: it may be a cookie."""
    message = refusal(head(b"Set-Cookie: id=S3CRET\0"))
    assert "Set-Cookie" in message
    assert "S3CRET" not in message


@pytest.mark.parametrize("line", [b"no colon\r\n", b"Content-Length : 5\r\n", b" : x\r\n"])
def test_the_lines_are_judged_when_the_head_is_complete(line: bytes) -> None:
    """A close inside a head is a truncation, whatever lines have arrived."""
    assert refusal(OK + line) == CUT_HEAD
    assert_malformed(OK + line + b"\r\n", "header line")


@pytest.mark.parametrize("line", [b"blank : x", b"blank\t: x", b"blank \t :x"])
def test_blanks_before_a_colon(line: bytes) -> None:
    """Blanks before the colon are left out, as in browsers, where no byte is at stake."""
    assert head_of(b"A: b", line).lines == [("a", "b"), ("blank", "x")]


def test_header_lines_are_kept() -> None:
    """Folded, repeated and empty fields are kept, and those with odd characters."""
    fields = [b"A:b", b"A: c \t", b"F: 1", b" ", b"\t2", b"E:", b"#$%&'*+^_`|~9: \xe4"]
    found = head_of(*fields)
    assert found.values("a") == ["b", "c"]
    assert found.fields["f"].split() == ["1", "2"]
    assert (found.fields["e"], found.fields["#$%&'*+^_`|~9"]) == ("", "ä")


@pytest.mark.parametrize("odd", ["\xa0", "\x85", "\x0b", "\x1c"])
def test_only_blanks_and_tabs_are_blank(odd: str) -> None:
    """Other characters around a value belong to it, to both parsers, and in lists."""
    octet = odd.encode("latin-1")
    for status in (OK, b"HTTP/1.1  200 OK\r\n"):
        found = head_of(b"X: \t" + octet + b"y" + octet + b" \t", status=status)
        assert found.fields["x"] == f"{odd}y{odd}"
    assert elements_of(f" a\t, {odd}B{odd}") == ["a", f"{odd}b{odd}"]


@pytest.mark.parametrize("length", [65536, 100_000, MAX_HEAD_BYTES - len(head(b"X: "))])
def test_a_long_line(length: int) -> None:
    """A line may be as long as a whole head; its value is not cut."""
    long = b"y" * length
    assert head_of(b"X: " + long).fields["x"] == long.decode()
    assert len(head_of(long[:-1] + b":").lines[0][0]) == length - 1


def test_many_lines() -> None:
    """The number of header lines is not bounded, only their bytes."""
    assert len(head_of(*[b"X-%d: y" % number for number in range(10_000)]).lines) == 10_000


def test_an_oversize_block() -> None:
    """The number of bytes in a head is bounded, also before its end has arrived."""
    left = MAX_HEAD_BYTES - len(head(b"X: "))
    assert reply(head(b"X: " + b"y" * left) + NEXT).head.size == MAX_HEAD_BYTES
    words = "header block over 256 KiB"
    assert_malformed(head(b"X: " + b"y" * (left + 1)), words, kind=TOO_LARGE)
    endless = MemoryStream(OK, *[b"X: y\r\n" * 1000] * 50, error=UNNEEDED)
    assert_malformed(endless, words, kind=TOO_LARGE)


def test_a_head_is_found_where_it_begins() -> None:
    """A head is found from any offset on; None says that bytes are missing."""
    before, block = head(status=b"HTTP/1.1 100 \r\n"), head(b"X: y")
    data = before + block + NEXT
    whole = len(before + block)
    for end in range(len(before), whole):
        assert find_head(data[:end], len(before), scanned=0) is None
    found = find_head(bytearray(data), len(before), scanned=whole - 1)
    assert found is not None
    assert (found.fields, found.size) == ({"x": "y"}, len(block))


@pytest.mark.parametrize(
    ("version", "fields", "is_last"),
    [
        (b"1.1", [], False),
        (b"1.1", [b"Connection: close"], True),
        (b"1.1", [b"Connection: Close"], True),
        (b"1.1", [b"Connection: upgrade , close"], True),
        (b"1.1", [b"Connection: x", b"Connection: close"], True),
        (b"1.1", [b"Connection: keep-alive"], False),
        (b"1.1", [b"Connection: keep-alive, close"], True),
        (b"1.1", [b"Connection: closed"], False),
        (b"1.1", [b"X: close"], False),
        (b"1.0", [], True),
        (b"1.0", [b"Connection: keep-alive"], False),
        (b"1.0", [b"Connection: Keep-Alive, x"], False),
        (b"1.0", [b"Connection: keep-alive, close"], True),
        (b"1.0", [b"Connection: x"], True),
    ],
)
def test_which_reply_is_the_last(version: bytes, fields: list[bytes], *, is_last: bool) -> None:
    """A connection is kept by default with HTTP/1.1, on demand with HTTP/1.0 (§9.3)."""
    found = head_of(*fields, b"Content-Length: 0", status=b"HTTP/%b 200 OK\r\n" % version)
    assert found.is_last is is_last


@pytest.mark.parametrize(
    ("lines", "value", "kept"),
    [
        ([b"A: 1", b"a: 1"], "1", [("a", "1")]),
        ([b"A: 1", b"B: 1", b"a: 1", b"A: 1"], "1", [("a", "1"), ("b", "1")]),
        ([b"A: 1", b"a: 2"], "1, 2", [("a", "1"), ("a", "2")]),
        ([b"A: 1", b"a: 2", b"A: 2"], "1, 2", [("a", "1"), ("a", "2")]),
        ([b"A:", b"a:"], "", [("a", "")]),
        ([b"A: 1", b"A: 2", b"a: 2", b"a: 1"], "1, 2", [("a", "1"), ("a", "2")]),
    ],
)
def test_the_same_twice_is_once(
    lines: list[bytes], value: str, kept: list[tuple[str, str]]
) -> None:
    """A field that an application and the server in front of it both set has one value."""
    found = head_of(*lines)
    assert (found.fields["a"], list(found.lines)) == (value, kept)


@pytest.mark.parametrize(
    ("name", "values"),
    [("content-encoding", ["gzip", "gzip"]), ("set-cookie", ["a=1", "a=2", "a=1"])],
)
def test_some_mean_it_when_they_say_the_same_again(name: str, values: list[str]) -> None:
    """A repeated coding was applied twice; the last cookie of a name is valid."""
    names = [name.title(), *[name] * (len(values) - 1)]
    pairs = zip(names, values, strict=True)
    found = head_of(*(f"{each}: {value}".encode() for each, value in pairs))
    assert found.fields[name] == ", ".join(values)
    assert found.lines == [(name, value) for value in values]
    assert found.values(name) == values


@given(LINES)
def test_they_are_what_urllib3_makes_of_the_same_lines(lines: list[tuple[bytes, int]]) -> None:
    """Each name, in any case, has the value that urllib3 would give it."""
    found = head_of(*(b"%b: %d" % line for line in lines))
    known = HTTPHeaderDict((name.decode(), str(value)) for name, value in lines)
    assert len(found.fields) == len(known)
    for name in ("a", "b", "set-cookie", "c"):
        assert found.fields.get(name) == known.get(name)
        assert found.values(name) == known.getlist(name)
