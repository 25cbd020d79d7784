"""Bodies and their framing to the letter of RFC 9112, over streams in memory."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.memory_replies import (
    BIG,
    FIELDS,
    NEXT,
    Stream,
    assert_malformed,
    body_of,
    head,
    refusal,
    reply,
)

BODIES = st.lists(st.binary(min_size=1, max_size=300), max_size=6)
SHORT_BODIES = st.lists(st.binary(min_size=1, max_size=20), max_size=4)
EXTENSIONS = st.sampled_from([b"", b";a=b", b" ;a", b';x="y z"', b"\t", b";", b"; \xff"])
TRAILERS = st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nExpires: never\r\n", b"A: b\n"])
CHUNKED = head(b"Transfer-Encoding: chunked")


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
    """One length, given once or several times, ends the body and is one field."""
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
    """Lengths that differ, or are no number, are errors: the body's end is unknown."""
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
    """A chunked body is read as chunked, whatever length the head claims."""
    response = reply(head(*fields) + b"5\r\n12345\r\n0\r\n\r\n" + NEXT)
    assert response.length is None
    assert body_of(response) == b"12345"
    assert "Content-Length" not in response.headers


@pytest.mark.parametrize(
    "value",
    [b"gzip", b"gzip, chunked", b"chunked, gzip", b"x", b"chunked;q=1", b"xchunked", b""],
)
def test_an_unknown_transfer_coding(value: bytes) -> None:
    """A body in an unknown transfer coding is refused, also if the head has a length."""
    for more in ([], [b"Content-Length: 5"]):
        data = head(b"Transfer-Encoding: " + value, *more) + b"12345"
        assert_malformed(data, "transfer coding")


@pytest.mark.parametrize("fields", [[], [b"Transfer-Encoding: identity"], [b"X: y"]])
def test_without_any_framing_the_close_ends_the_body(fields: list[bytes]) -> None:
    """Without length and chunks the body ends with the connection, which is not reused."""
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
    """Return a chunked body (RFC 9112 §7.1), with sizes as different servers write them."""
    sizes = [(b"%x", b"%X", b"00%X")[len(piece) % 3] % len(piece) for piece in pieces]
    pairs = zip(sizes, pieces, strict=True)
    chunks = [size + extension + b"\r\n" + piece + b"\r\n" for size, piece in pairs]
    return b"".join([*chunks, b"0" + extension + b"\r\n", trailer, b"\r\n"])


@given(BODIES, EXTENSIONS, TRAILERS, st.sampled_from([1, 2, 7, 255, BIG, -1]))
def test_any_chunks(pieces: list[bytes], extension: bytes, trailer: bytes, bite: int) -> None:
    """Chunks with extensions and a trailer are one body; the next reply stays unread."""
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
    """A body that is cut before its last chunk is truncated, however much of it came."""
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
    """An invalid chunk size is an error, in the first chunk and in a later one."""
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
    """A trailer is read and dropped, up to a bound."""
    assert_malformed(CHUNKED + b"0\r\n" + b"X: y\r\n" * 50_000, "trailer")


class Slow(io.RawIOBase):
    """A connection on which pieces arrive; a read that waits for one more fails the test."""

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
    """A read returns what has arrived, and never waits for its buffer to fill."""
    response = reply(io.BufferedReader(Slow(head(field), framed % b"a", b"b", b"cd"), BIG))
    assert [response.read1(BIG) for _ in range(3)] == [b"a", b"b", b"cd"]


@given(fields=FIELDS)
def test_the_short_way_and_the_long_way(fields: list[bytes]) -> None:
    """A header block means the same when it comes at once and when it comes line by line."""
    block = head(*fields, b"Content-Length: 0", b"Set-Cookie: a", b"Set-Cookie: b")
    # With one blank more the block is read line by line.
    odd = block.replace(b"HTTP/1.1 200", b"HTTP/1.1  200", 1)
    short, long = reply(block), reply(odd)
    assert short.headers.lines == long.headers.lines
    assert vars(short).keys() == vars(long).keys()
    for name in ("status", "reason", "version", "length", "chunked", "will_close"):
        assert getattr(short, name) == getattr(long, name)


def test_a_stream_that_is_closed_first() -> None:
    """A reply can be closed after its stream, as Python's garbage collector does."""
    stream = Stream(head(b"Content-Length: 5") + b"12345")
    response = reply(stream)
    stream.close()
    response.close()
    assert response.closed
