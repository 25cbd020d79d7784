"""Bodies of replies and their framing to the letter of RFC 9112, over connections in memory."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.memory_replies import (
    BIG,
    NEXT,
    UNNEEDED,
    MemoryStream,
    assert_malformed,
    body_of,
    head,
    in_pieces,
    refusal,
    reply,
)
from url_downloader.network.reply_body import ChunkedBody, CountedBody, UnboundedBody

BODIES = st.lists(st.binary(min_size=1, max_size=300), max_size=6)
SHORT_BODIES = st.lists(st.binary(min_size=1, max_size=20), max_size=4)
EXTENSIONS = st.sampled_from([b"", b";a=b", b" ;a", b';x="y z"', b"\t", b";", b"; \xff"])
TRAILERS = st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nExpires: never\r\n", b"A: b\n"])
LINE_ENDS = st.sampled_from([b"\r\n", b"\n"])
CHUNKED = head(b"Transfer-Encoding: chunked")


def cut_off(data: bytes) -> MemoryStream:
    """Return TLS that ends after these bytes, without a closure alert."""
    return MemoryStream(data, error=ssl.SSLEOFError(8, "EOF occurred"))


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
    found = reply(head(*fields) + b"12345" + NEXT)
    assert isinstance(found.body, CountedBody)
    assert (found.body.left, int(found.head.fields["content-length"])) == (length, length)
    if length == 5:
        assert body_of(found) == b"12345"
        assert (found.body.is_complete, found.connection.buffered) == (True, len(NEXT))


@pytest.mark.parametrize(
    "value",
    [
        *(b"5\r\nContent-Length: 6", b"5, 6", b"5,", b"-5", b"+5", b"1_0", b"0x5", b"5.0"),
        *(b"5 5", b"5\r\n 0", b"5;x", b"\xb2", b"", b"rubbish", b"9" * 19, b"9" * 5000),
        *(b"5\xa0", b"\x0b5", b"5\x85", b"5, 5\x1c", b"5\r\nContent-Length: 05"),
    ],
)
def test_a_content_length_that_is_none(value: bytes) -> None:
    """Lengths that differ, or are no number, are errors: the body's end is unknown."""
    for more in ([], [b"Transfer-Encoding: identity"]):
        assert_malformed(head(b"Content-Length: " + value, *more) + b"12345", "Content-Length")


@pytest.mark.parametrize("sent", [b"", b"1", b"1234"])
def test_a_counted_body_that_is_cut(sent: bytes) -> None:
    """A body that ends before its length is truncated, with TLS and without it."""
    data = head(b"Content-Length: 5") + sent
    for stream in (MemoryStream(data), cut_off(data)):
        assert refusal(stream) == "truncated: connection closed inside the body"


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
    found = reply(head(*fields) + b"5\r\n12345\r\n0\r\n\r\n" + NEXT)
    assert isinstance(found.body, ChunkedBody)
    assert body_of(found) == b"12345"
    assert "content-length" not in found.head.fields
    assert found.connection.is_reusable == (len(fields) == 1)


@pytest.mark.parametrize(
    "value",
    [
        *(
            b"gzip",
            b"gzip, chunked",
            b"chunked, gzip",
            b"chunked, chunked",
            b"x",
            b"chunked;q=1",
            b"xchunked",
            b"",
        ),
        *(b"\x0bchunked", b"chunked\xa0", b"identity, \x85chunked"),
    ],
)
def test_an_unknown_transfer_coding(value: bytes) -> None:
    """A body in an unknown transfer coding is refused, also if the head has a length."""
    for more in ([], [b"Content-Length: 5"]):
        data = head(b"Transfer-Encoding: " + value, *more) + b"12345"
        assert_malformed(data, "transfer coding")


@pytest.mark.parametrize("fields", [[], [b"Transfer-Encoding: identity"], [b"X: y"]])
def test_without_any_framing_the_close_ends_the_body(fields: list[bytes]) -> None:
    """Without length and chunks the body ends with the connection, which is not reused."""
    found = reply(head(*fields) + b"to the end")
    assert isinstance(found.body, UnboundedBody)
    assert body_of(found) == b"to the end"
    assert not found.body.is_complete
    assert not found.connection.can_be_kept


@pytest.mark.parametrize("body", [b"", b"not to the end"])
def test_over_tls_only_a_closure_alert_ends_such_a_body(body: bytes) -> None:
    """TLS that is cut off ends no body: somebody may have cut it (RFC 9112 §9.8)."""
    assert body_of(reply(head(b"X: y") + body)) == body
    cut = refusal(cut_off(head(b"X: y") + body))
    assert cut == "truncated: TLS connection cut off inside the body"


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize(
    "field", [b"X: y", b"Content-Length: 5", b"Transfer-Encoding: chunked"]
)
def test_a_reply_without_a_body(status: int, field: bytes) -> None:
    """A 204 or 304 has no body, whatever its fields say."""
    found = reply(head(field, status=b"HTTP/1.1 %d x\r\n" % status) + b"5\r\n12345")
    assert (body_of(found), found.body.is_complete) == (b"", True)


def chunked(
    pieces: list[bytes], extension: bytes = b"", trailer: bytes = b"", *, end: bytes = b"\r\n"
) -> bytes:
    """Return a chunked body (RFC 9112 §7.1), with sizes as different servers write them."""
    forms = (b"%x", b"%X", b"00%X", b"00000000000000000000%x")
    sizes = [forms[len(piece) % 4] % len(piece) for piece in pieces]
    pairs = zip(sizes, pieces, strict=True)
    chunks = [size + extension + end + piece + end for size, piece in pairs]
    return b"".join([*chunks, b"0" + extension + end, trailer, end])


@given(BODIES, EXTENSIONS, TRAILERS, st.sampled_from([1, 2, 7, 255, BIG]), LINE_ENDS)
def test_any_chunks(
    pieces: list[bytes], extension: bytes, trailer: bytes, bite: int, end: bytes
) -> None:
    """Chunks with extensions and a trailer are one body; the next reply stays unread."""
    data = CHUNKED + chunked(pieces, extension, trailer, end=end)
    found = reply(data + NEXT)
    assert body_of(found, bite) == b"".join(pieces)
    assert found.connection.buffered == len(NEXT)
    assert (found.body.is_complete, found.body.read(bite)) == (True, b"")


@given(BODIES, EXTENSIONS, TRAILERS, st.integers(1, 50), LINE_ENDS)
def test_chunks_that_arrive_in_pieces(
    pieces: list[bytes], extension: bytes, trailer: bytes, size: int, end: bytes
) -> None:
    """A chunked body is the same however it arrives, and nothing after it is waited for."""
    data = CHUNKED + chunked(pieces, extension, trailer, end=end)
    found = reply(MemoryStream(*in_pieces(data, size), error=UNNEEDED))
    assert body_of(found) == b"".join(pieces)
    assert found.connection.can_be_kept


@given(SHORT_BODIES, EXTENSIONS, TRAILERS, st.booleans())
def test_a_chunked_body_that_lacks_its_last_chunk(
    pieces: list[bytes], extension: bytes, trailer: bytes, is_tls: bool
) -> None:
    """A body that is cut before its last chunk is truncated, however much of it came."""
    whole = chunked(pieces, extension, trailer)
    stream = cut_off if is_tls else MemoryStream
    complete = len(whole) - len(trailer) - len(b"\r\n")
    for end in range(complete):
        error = refusal(stream(CHUNKED + whole[:end]))
        assert error.startswith("truncated: "), whole[:end]
    for end in range(complete, len(whole) + 1):
        found = reply(stream(CHUNKED + whole[:end]))
        assert body_of(found) == b"".join(pieces)
        assert found.connection.can_be_kept == (end == len(whole))


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b" ", b"-5", b"-0", b"+5", b"0x1", b"1_0", b" 5", b"\t5", b"5 5", b"5,5"),
        *(b"g", b"5h", b"5.0", b"\xb2", b";a=b", b"5\0", b"5;a\0", b"5\r", b"5;a\rb", b'"5"'),
        *(b"5\xa0", b"5\x0b", b"f" * 16, b"5" * 5000, b"5;" + b"x" * 5000, b"0" * 5000 + b"5"),
    ],
)
def test_a_bad_chunk_size(line: bytes) -> None:
    """An invalid chunk size is an error, in the first chunk and in a later one."""
    for before in (b"", b"3\r\nabc\r\n"):
        data = CHUNKED + before + line + b"\r\n12345\r\n0\r\n\r\n"
        assert_malformed(data, "chunk size")


@pytest.mark.parametrize(
    "after", [b"0\r\n", b"x\r\n", b"\r\r\n", b"\r0\r\n", b" \r\n", b"5\r\n", b"6" * 5000]
)
def test_no_line_end_after_a_chunk(after: bytes) -> None:
    """A chunk must end where its size says."""
    data = CHUNKED + b"5\r\n12345" + after + b"\r\n0\r\n\r\n"
    assert_malformed(data, "a chunk is longer than its size says")


def test_an_empty_line_too_many_after_a_chunk() -> None:
    """One line end follows a chunk; another one is no chunk size."""
    for end in (b"\r\n", b"\n"):
        data = CHUNKED + b"5\r\n12345\n" + end + b"0\r\n\r\n"
        assert_malformed(data, "chunk size")


def test_a_trailer_without_end() -> None:
    """A trailer is read and dropped, up to a bound."""
    assert_malformed(CHUNKED + b"0\r\n" + b"X: y\r\n" * 50_000, "trailer")
    assert_malformed(CHUNKED + b"0\r\n" + b"y" * BIG, "trailer")


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
    stream = MemoryStream(head(field), framed % b"a", b"b", b"cd", error=UNNEEDED)
    found = reply(stream)
    assert [found.body.read(BIG) for _ in range(3)] == [b"a", b"b", b"cd"]


@pytest.mark.parametrize(
    ("field", "body"),
    [
        (b"Content-Length: 5", b"12345"),
        (b"Content-Length: 0", b""),
        (b"Transfer-Encoding: chunked", b"5\r\n12345\r\n0\r\n\r\n"),
    ],
)
def test_nothing_is_waited_for_at_the_end_of_a_body(field: bytes, body: bytes) -> None:
    """The framing ends a body; the next byte belongs to another reply, and may never come."""
    found = reply(MemoryStream(head(field), body, error=UNNEEDED))
    assert body_of(found) == (body[3:8] if b"\r" in body else body)
    assert found.body.read(BIG) == b""
    assert found.connection.can_be_kept
