"""Framing to the letter of RFC 9112, over streams in memory."""

from __future__ import annotations

import http.client
import io
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.network.message_head import (
    MAX_HEADER_BYTES,
    MAX_INTERIM,
    ExchangeError,
    header_block,
    request_line,
)
from url_downloader.network.strict_response import StrictResponse

OK = b"HTTP/1.1 200 OK\r\n"
BIG = 1 << 20
TOO_LARGE = "headers-too-large"
NEXT = b"HTTP/1.1 500 of the next reply\r\n\r\n"

VALUES = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)
FIELDS = st.lists(
    VALUES.map(lambda value: b"X-a.1_~: " + value.encode("latin-1")),
    max_size=6,
    unique_by=bytes.strip,
)
BODIES = st.lists(st.binary(min_size=1, max_size=300), max_size=6)
SHORT_BODIES = st.lists(st.binary(min_size=1, max_size=20), max_size=4)
EXTENSIONS = st.sampled_from([b"", b";a=b", b" ;a", b';x="y z"', b"\t", b";", b"; \xff"])
TRAILERS = st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nExpires: never\r\n", b"A: b\n"])


class Stream(io.BytesIO):
    """What a server sends until it closes the connection; knows how far it was read."""

    position = 0

    def peek(self, _: int = 0) -> bytes:
        return self.getvalue()[self.tell() :]

    def close(self) -> None:
        if not self.closed:
            self.position = self.tell()
        super().close()


class FakeSocket:
    """As much of a socket as a reply needs."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream

    def makefile(self, *_: object) -> io.BufferedIOBase:
        return self._stream


def reply(data: bytes | io.BufferedIOBase) -> StrictResponse:
    """The reply that begins with this header block."""
    stream = Stream(data) if isinstance(data, bytes) else data
    response = StrictResponse(cast("Any", FakeSocket(stream)), method="GET")
    response.begin()
    return response


def body_of(response: StrictResponse, size: int = BIG) -> bytes:
    """The body, read in bites of this size."""
    bites: list[bytes] = []
    while bite := response.read1(size):
        assert len(bite) <= size or size < 0
        bites.append(bytes(bite))
    return b"".join(bites)


def refusal(data: bytes) -> str:
    """Kind and message of the error that reading this reply, head and body, ends with."""
    with pytest.raises(ExchangeError) as caught:
        body_of(reply(data))
    return f"{caught.value.kind}: {caught.value.message}"


def assert_malformed(data: bytes, *words: str, kind: str = "malformed-reply") -> None:
    """Reading this reply must end as one that breaks the rules, in these words, and short."""
    error = refusal(data)
    assert error.startswith(f"{kind}: ")
    assert all(word in error for word in words)
    assert len(error) < 300


def head(*fields: bytes, status: bytes = OK) -> bytes:
    """A header block."""
    return b"".join([status, *(field + b"\r\n" for field in fields), b"\r\n"])


CHUNKED = head(b"Transfer-Encoding: chunked")
CUT_HEAD = "truncated: connection closed inside the header block"


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
    """A connection that closes at any place inside the header block is an error, no reply."""
    assert reply(whole).status in (200, 404)
    for end in range(1, len(whole)):
        assert refusal(whole[:end]) == CUT_HEAD, whole[:end]


@given(FIELDS, st.integers(0, 10**6))
def test_any_header_block_is_read_whole_or_not_at_all(fields: list[bytes], place: int) -> None:
    """Whatever the fields are, their block is taken to its last byte, or it is an error."""
    whole = head(*fields)
    assert len(reply(whole).headers.lines) == len(fields)
    cut = whole[: 1 + place % (len(whole) - 1)]
    assert refusal(cut) == CUT_HEAD


def test_no_reply_at_all() -> None:
    """A connection that closes before the first byte is what http.client calls it."""
    with pytest.raises(http.client.RemoteDisconnected):
        reply(b"")


@pytest.mark.parametrize("status", [100, 102, 103, 150, 199])
@pytest.mark.parametrize("times", [1, 3, 50])
def test_interim_replies_are_skipped(status: int, times: int) -> None:
    """However many 1xx come first, the final reply is the reply, with its own fields alone."""
    interim = b"HTTP/1.1 %d Interim\r\nContent-Length: 9\r\nX-Interim: 1\r\n\r\n" % status
    response = reply(interim * times + head(b"X: y", b"Content-Length: 4") + b"data" + NEXT)
    assert response.status == 200
    assert response.headers.lines == [("X", "y"), ("Content-Length", "4")]
    assert body_of(response) == b"data"


def test_interim_replies_without_end() -> None:
    """A server that never comes to its final reply is not listened to for ever."""
    interim = head(b"X: " + b"y" * 60_000, status=b"HTTP/1.1 102 Processing\r\n")
    assert_malformed(
        interim * (MAX_HEADER_BYTES // len(interim) + 1), "over 256 KiB", kind=TOO_LARGE
    )


def test_too_many_interim_replies() -> None:
    """However short they are, a hundred are enough."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert reply(interim * MAX_INTERIM + head()).status == 200
    assert_malformed(interim * (MAX_INTERIM + 1) + head(), "more than 100", kind=TOO_LARGE)


def test_switching_protocols_is_refused() -> None:
    """What follows a 101 is not HTTP/1; nobody asked for it."""
    assert_malformed(head(status=b"HTTP/1.1 101 Switching Protocols\r\n") + head(), "101")


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
    """What is no HTTP/1 status line begins no reply, also after an interim one."""
    for before in (b"", b"HTTP/1.1 100 \r\n\r\n"):
        assert_malformed(before + head(status=status_line), "status line", kind="not-http")


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
    """Garbage and other protocols are called so, however short or long they are."""
    kind = "truncated" if data == b"HTT" else "not-http"
    assert_malformed(data, words, kind=kind)


@pytest.mark.parametrize(
    ("status_line", "status", "reason"),
    [
        (b"HTTP/1.1 200 OK\n", 200, "OK"),
        (b"HTTP/1.0 404 Not Found\r\n", 404, "Not Found"),
        (b"HTTP/1.1 200\r\n", 200, ""),
        (b"HTTP/1.1 200 \r\n", 200, ""),
        (b"HTTP/1.1  200\tOK\r\n", 200, "OK"),
        (b"HTTP/1.1 999 \xfcber\r\n", 999, "über"),
    ],
)
def test_a_status_line(status_line: bytes, status: int, reason: str) -> None:
    """What RFC 9112 §4 allows, and the lone line feed of §2.2, is understood."""
    response = reply(head(status=status_line))
    assert (response.status, response.reason) == (status, reason)


@pytest.mark.parametrize(
    "line",
    [
        *(b"no colon", b": no name", b"two words: x", b"blank : x", b"tab\t: x", b"\0: x"),
        *(b"n\xe4me: x", b"a\0b: x", b"X: a\0b", b"X: a\rContent-Length: 5", b"X: a\r"),
        *(b"From me", b"(x): y", b"x,y: z", b"HTTP/1.1 200 OK", b"\x0bX: y", b" a\0b"),
    ],
)
def test_a_malformed_header_line(line: bytes) -> None:
    """A line that http.client would drop, or take for the end, is an error instead."""
    assert_malformed(head(line), "header line")
    assert_malformed(head(b"A: b", line, b"Content-Length: 0"), "header line")


def test_header_lines_are_kept() -> None:
    """Folded, repeated and empty fields come through, and those with odd characters."""
    fields = [b"A:b", b"A: c \t", b"F: 1", b" ", b"\t2", b"E:", b"#$%&'*+^_`|~9: \xe4"]
    headers = reply(head(*fields)).headers
    assert headers.get_all("A") == ["b", "c"]
    assert headers["F"].split() == ["1", "2"]
    assert (headers["E"], headers["#$%&'*+^_`|~9"]) == ("", "ä")


@pytest.mark.parametrize("length", [65536, 65537, 100_000])
def test_an_oversize_line(length: int) -> None:
    """A line beyond http.client's bound is an error, not a cut-off value."""
    long = b"y" * length
    for block in (head(status=OK[:-2] + long + OK[-2:]), head(long + b":"), head(b" " + long)):
        with pytest.raises(http.client.HTTPException, match="line"):
            reply(block)


def test_an_oversize_block() -> None:
    """All lines together are bounded as well, to the byte; and so is their number."""
    assert reply(head(*[b"X: y"] * 99)).status == 200
    assert_malformed(head(*[b"X: y"] * 100), "more than 99", kind=TOO_LARGE)
    fields = [b"X: " + b"y" * 60_000] * 4
    left = MAX_HEADER_BYTES - len(head(*fields)) - len(b"X: \r\n")
    assert reply(head(*fields, b"X: " + b"y" * left)).status == 200
    assert_malformed(
        head(*fields, b"X: " + b"y" * (left + 1)), "header block over 256 KiB", kind=TOO_LARGE
    )


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ([b"Content-Length: 5"], 5),
        ([b"content-length:5 \t"], 5),
        ([b"Content-Length: 005"], 5),
        ([b"Content-Length: 5, 5"], 5),
        ([b"Content-Length: 5", b"Content-Length: 5"], 5),
        ([b"Content-Length: 5 ,5", b"Content-Length: 5"], 5),
        ([b"Content-Length: 5", b"Transfer-Encoding: identity"], 5),
        ([b"Content-Length: 999999999999999999"], 999_999_999_999_999_999),
        ([b"Content-Length:", b" 5"], 5),
    ],
)
def test_content_length(fields: list[bytes], length: int) -> None:
    """One length, given once or several times, ends the body and is seen as one field."""
    response = reply(head(*fields) + b"12345" + NEXT)
    assert response.length == length
    assert [int(v) for v in response.headers.get_all("Content-Length", [])] == [length]
    if length == 5:
        assert body_of(response) == b"12345"


@pytest.mark.parametrize(
    "value",
    [
        *(b"5\r\nContent-Length: 6", b"5, 6", b"5,", b"-5", b"+5", b"1_0", b"0x5", b"5.0"),
        *(b"5 5", b"5\r\n 0", b"5;x", b"\xb2", b"", b"rubbish", b"9" * 19, b"9" * 5000),
    ],
)
def test_a_content_length_that_is_none(value: bytes) -> None:
    """Lengths that differ, and what is no number, are errors: nobody knows where it ends."""
    for more in ([], [b"Transfer-Encoding: identity"]):
        assert_malformed(head(b"Content-Length: " + value, *more) + b"12345", "Content-Length")


@pytest.mark.parametrize(
    "fields",
    [
        [b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: Chunked"],
        [b"Transfer-Encoding: identity, chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 3"],
        [b"Content-Length: 99", b"Transfer-Encoding: chunked"],
        [b"Content-Length: 99", b"Transfer-Encoding: identity, chunked"],
        [b"Content-Length: rubbish", b"Transfer-Encoding: chunked"],
    ],
)
def test_transfer_encoding_wins(fields: list[bytes]) -> None:
    """A chunked body is read as one, whatever length is claimed beside it."""
    response = reply(head(*fields) + b"5\r\n12345\r\n0\r\n\r\n" + NEXT)
    assert response.length is None
    assert body_of(response) == b"12345"
    assert "Content-Length" not in response.headers


@pytest.mark.parametrize(
    "value",
    [b"gzip", b"gzip, chunked", b"chunked, gzip", b"x", b"chunked;q=1", b"xchunked", b""],
)
def test_an_unknown_transfer_coding(value: bytes) -> None:
    """A body in a coding that can't be undone is refused, also if a length is given."""
    for more in ([], [b"Content-Length: 5"]):
        data = head(b"Transfer-Encoding: " + value, *more) + b"12345"
        assert_malformed(data, "transfer coding")


@pytest.mark.parametrize("fields", [[], [b"Transfer-Encoding: identity"], [b"X: y"]])
def test_without_any_framing_the_close_ends_the_body(fields: list[bytes]) -> None:
    """Neither length nor chunks: the body is what comes; the connection serves no more."""
    response = reply(head(*fields) + b"to the end")
    assert (response.length, response.chunked, response.will_close) == (None, False, True)
    assert body_of(response) == b"to the end"


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize(
    "field", [b"X: y", b"Content-Length: 5", b"Transfer-Encoding: chunked"]
)
def test_a_reply_without_a_body(status: int, field: bytes) -> None:
    """A 204 or 304 has no body, whatever its fields say."""
    response = reply(head(field, status=b"HTTP/1.1 %d x\r\n" % status) + b"5\r\n12345")
    assert body_of(response) == b""


def chunked(pieces: list[bytes], extension: bytes = b"", trailer: bytes = b"") -> bytes:
    """A chunked body (RFC 9112 §7.1), with sizes as different servers write them."""
    sizes = [(b"%x", b"%X", b"00%X")[len(piece) % 3] % len(piece) for piece in pieces]
    pairs = zip(sizes, pieces, strict=True)
    chunks = [size + extension + b"\r\n" + piece + b"\r\n" for size, piece in pairs]
    return b"".join([*chunks, b"0" + extension + b"\r\n", trailer, b"\r\n"])


@given(BODIES, EXTENSIONS, TRAILERS, st.sampled_from([1, 2, 7, 255, BIG, -1]))
def test_any_chunks(pieces: list[bytes], extension: bytes, trailer: bytes, bite: int) -> None:
    """Chunks with extensions and a trailer become one body; the next reply stays unread."""
    data = CHUNKED + chunked(pieces, extension, trailer)
    stream = Stream(data + NEXT)
    response = reply(stream)
    assert body_of(response, bite) == b"".join(pieces)
    assert stream.position == len(data)
    assert response.read1(bite) == b""


@given(SHORT_BODIES, EXTENSIONS, TRAILERS)
def test_a_chunked_body_that_lacks_its_last_chunk(
    pieces: list[bytes], extension: bytes, trailer: bytes
) -> None:
    """Cut anywhere before the last chunk, a body is truncated, however much came of it."""
    whole = chunked(pieces, extension, trailer)
    complete = len(whole) - len(trailer) - len(b"\r\n")
    for end in range(complete):
        assert refusal(CHUNKED + whole[:end]).startswith("truncated: "), whole[:end]
    for end in range(complete, len(whole) + 1):
        assert body_of(reply(CHUNKED + whole[:end])) == b"".join(pieces)


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b" ", b"-5", b"-0", b"+5", b"0x1", b"1_0", b" 5", b"\t5", b"5 5", b"5,5"),
        *(b"g", b"5h", b"5.0", b"\xb2", b";a=b", b"5\0", b"5;a\0", b"5\r", b"5;a\rb", b'"5"'),
        # A lone line feed is for header lines only (RFC 9112 §2.2).
        *(b"5\n12345", b"f" * 16, b"0" * 16, b"5" * 5000, b"5;" + b"x" * 5000),
    ],
)
def test_a_bad_chunk_size(line: bytes) -> None:
    """What is no size is an error, in the first chunk and in a later one."""
    for before in (b"", b"3\r\nabc\r\n"):
        data = CHUNKED + before + line + b"\r\n12345\r\n0\r\n\r\n"
        assert_malformed(data, "chunk size")


@pytest.mark.parametrize(
    "after", [b"0\r\n", b"x\r\n", b"\n0\r\n", b"\r0\r\n", b" \r\n", b"5\r\n"]
)
def test_no_line_end_after_a_chunk(after: bytes) -> None:
    """A chunk must end where its size says."""
    assert_malformed(CHUNKED + b"5\r\n12345" + after + b"\r\n0\r\n\r\n", "chunk")


def test_a_trailer_without_end() -> None:
    """A trailer is read away up to a bound."""
    assert_malformed(CHUNKED + b"0\r\n" + b"X: y\r\n" * 50_000, "trailer")


class Slow(io.RawIOBase):
    """A connection on which pieces arrive; to wait for one more than there are is an error."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = next(self._pieces, None)
        assert piece is not None, "waited for bytes that were not needed"
        buffer[: len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize(
    ("field", "framed"),
    [
        (b"Content-Length: 99", b"%b"),
        (b"X: y", b"%b"),
        (b"Transfer-Encoding: chunked", b"63\r\n%b"),
    ],
)
def test_what_has_arrived_is_returned(field: bytes, framed: bytes) -> None:
    """A read never waits for its buffer to fill: a trickle is seen byte by byte."""
    response = reply(io.BufferedReader(Slow(head(field), framed % b"a", b"b", b"cd"), BIG))
    assert [response.read1(BIG) for _ in range(3)] == [b"a", b"b", b"cd"]


def test_the_head_of_a_request() -> None:
    """It has its fields in their order, bytes as they are."""
    fields: dict[str, str | bytes] = {"Host": "a.test", "X-Name": "caf\xe9", "Y": b"\xc3\xa9"}
    assert request_line("GET", "/a?b") + header_block(fields) == (
        b"GET /a?b HTTP/1.1\r\nHost: a.test\r\nX-Name: caf\xe9\r\nY: \xc3\xa9\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("target", "fields"),
    [("/a\r\nX: y", {}), ("/", {"A\n": "b"}), ("/", {"A": "b\r"}), ("/", {"A": b"b\0"})],
)
def test_nothing_ends_a_line_of_a_request(target: str, fields: dict[str, str | bytes]) -> None:
    """What would smuggle in a header field is refused."""
    with pytest.raises(ValueError, match="line end"):
        request_line("GET", target) + header_block(fields)


@given(fields=FIELDS)
def test_the_short_way_and_the_long_way(fields: list[bytes]) -> None:
    """A header block means the same when it comes whole and when it comes line by line."""
    block = head(*fields, b"Content-Length: 0", b"Set-Cookie: a", b"Set-Cookie: b")
    # A blank more, and it is read line by line.
    odd = block.replace(b"HTTP/1.1 200", b"HTTP/1.1  200", 1)
    short, long = reply(block), reply(odd)
    assert short.headers.lines == long.headers.lines
    assert vars(short).keys() == vars(long).keys()
    for name in ("status", "reason", "version", "length", "chunked", "will_close"):
        assert getattr(short, name) == getattr(long, name)


def test_a_stream_that_is_closed_first() -> None:
    """A reply can be closed, as Python does when it collects both, after its stream."""
    stream = Stream(head(b"Content-Length: 5") + b"12345")
    response = reply(stream)
    stream.close()
    response.close()
    assert response.closed
