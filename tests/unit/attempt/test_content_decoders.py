"""Decoders of content codings: the chunks of a body do not matter, and its size is bounded."""

from __future__ import annotations

import itertools
import os
import random
import zlib
from collections.abc import Callable, Iterable

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.codings import (
    CUTS,
    SAMPLE,
    cut,
    decoded,
    gzipped,
    raw_deflated,
    zlibbed,
    zstd,
)
from url_downloader.attempt.content_decoders import (
    BOMB_SIZE,
    Brotli,
    CodingDecoder,
    Inflater,
    Zstandard,
)
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

PIECE = 256 * 1024
"""Bytes of the longest piece that a decoder of gzip or deflate yields."""

CODINGS: dict[str, tuple[str, Callable[[bytes, int], bytes]]] = {
    "gzip": ("gzip", gzipped),
    "zlib": ("deflate", zlibbed),
    "raw": ("deflate", raw_deflated),
}
each_coding = pytest.mark.parametrize(("coding", "compress"), CODINGS.values(), ids=CODINGS)

DATA = st.binary(max_size=2000) | st.binary(min_size=1, max_size=9).map(lambda b: b * 5000)
LEVELS = st.integers(0, 9)


def ending(coding: str, pieces: Iterable[bytes]) -> bytes | ErrorKind:
    """Return the decoded body, or the kind of the error that it raises."""
    try:
        return decoded(Inflater(coding), pieces)
    except AttemptError as error:
        return error.kind


def refusal(coding: str, *pieces: bytes) -> AttemptError:
    """Return the error that this body raises, after a check of its kind."""
    with pytest.raises(AttemptError) as caught:
        decoded(Inflater(coding), pieces)
    assert caught.value.kind is ErrorKind.ENCODING
    assert coding in caught.value.message
    return caught.value


@each_coding
@given(data=DATA, level=LEVELS, cuts=CUTS)
def test_a_body_in_any_chunks(
    coding: str,
    compress: Callable[[bytes, int], bytes],
    data: bytes,
    level: int,
    cuts: list[int],
) -> None:
    """A body is decoded in the same way in whatever chunks it arrives."""
    assert decoded(Inflater(coding), cut(compress(data, level), cuts)) == data


@each_coding
def test_a_body_in_single_bytes(coding: str, compress: Callable[[bytes, int], bytes]) -> None:
    """A body that arrives in single bytes is decoded."""
    assert decoded(Inflater(coding), cut(compress(SAMPLE, 6), range(5000))) == SAMPLE


@given(members=st.lists(DATA, min_size=1, max_size=4), level=LEVELS, cuts=CUTS)
def test_gzip_of_several_members(members: list[bytes], level: int, cuts: list[int]) -> None:
    """Several gzip members are one body (RFC 1952 §2.2), in whatever chunks it arrives."""
    body = b"".join(gzipped(member, level) for member in members)
    assert decoded(Inflater("gzip"), cut(body, cuts)) == b"".join(members)


def test_a_gzip_member_in_each_chunk() -> None:
    """A member that begins with a new chunk is decoded like the first."""
    pieces = [gzipped(b"one"), gzipped(b""), gzipped(b"two")]
    assert decoded(Inflater("gzip"), pieces) == b"onetwo"


@each_coding
def test_a_truncated_body(coding: str, compress: Callable[[bytes, int], bytes]) -> None:
    """A body that lacks its last bytes raises an error, however many it lacks."""
    body = compress(SAMPLE, 6)
    for end in range(1, len(body)):
        assert "cut short" in refusal(coding, body[:end]).message


def test_a_truncated_second_gzip_member() -> None:
    """A body whose second member has begun must have all of its bytes."""
    first, second = gzipped(b"one"), gzipped(b"two")
    for end in range(1, len(second)):
        refusal("gzip", first + second[:end])
        refusal("gzip", first, second[:end])


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("pieces", [[], [b""], [b"", b""]])
def test_an_empty_body(coding: str, pieces: list[bytes]) -> None:
    """A body without bytes is an empty file, in any coding."""
    assert decoded(Inflater(coding), pieces) == b""


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"<html>not compressed</html>"),
        ("gzip", zlibbed(SAMPLE)),
        ("gzip", raw_deflated(SAMPLE)),
        ("gzip", b"\x1f\x8b\x07" + gzipped(SAMPLE)[3:]),
        ("gzip", gzipped(SAMPLE) + b"garbage"),
        ("gzip", gzipped(SAMPLE)[:-8] + bytes(8)),
        ("gzip", gzipped(SAMPLE)[:-1] + b"\xff"),
        ("deflate", b"<html>not compressed</html>"),
        ("deflate", gzipped(SAMPLE)),
        ("deflate", zlibbed(SAMPLE) + b"x"),
        ("deflate", zlibbed(SAMPLE)[:-1] + b"\0\0"),
        ("deflate", raw_deflated(SAMPLE) + b"x"),
        ("deflate", zlibbed(SAMPLE) + zlibbed(SAMPLE)),
        ("deflate", zlibbed(SAMPLE) + gzipped(SAMPLE)),
    ],
)
def test_malformed_data(coding: str, body: bytes) -> None:
    """Another coding, a wrong checksum, or data after the end of a body raises an error."""
    refusal(coding, body)
    refusal(coding, *cut(body, [1, 5, len(body) - 1]))


@given(data=st.binary(max_size=300), place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_in_gzip(data: bytes, place: int, bit: int) -> None:
    """A flipped bit raises an error or changes nothing, as gzip's checksum is verified."""
    body = bytearray(gzipped(data))
    body[place % len(body)] ^= 1 << bit
    assert ending("gzip", [bytes(body)]) in (data, ErrorKind.ENCODING)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]), CUTS)
def test_any_bytes_as_a_body(body: bytes, coding: str, cuts: list[int]) -> None:
    """Any body is decoded, or raises AttemptError and no other exception."""
    end = ending(coding, cut(body, cuts))
    assert isinstance(end, bytes) or end is ErrorKind.ENCODING


@each_coding
def test_the_size_of_decoded_pieces(
    coding: str, compress: Callable[[bytes, int], bytes]
) -> None:
    """A body that expands a thousandfold is decoded in pieces of bounded size."""
    size = 0
    decoder = Inflater(coding)
    for piece in decoder.feed(compress(bytes(20 * PIECE), 9)):
        assert 0 < len(piece) <= PIECE
        size += len(piece)
    decoder.finish()
    assert size == 20 * PIECE


@each_coding
@pytest.mark.parametrize("rest", [-1, 0, 1, 2, 100, 258, 259])
def test_data_beyond_a_full_piece(
    coding: str, compress: Callable[[bytes, int], bytes], rest: int
) -> None:
    """Decoded bytes beyond a full piece are yielded, even if no input is left."""
    data = bytes(PIECE + rest)
    assert decoded(Inflater(coding), [compress(data, 9)]) == data


def test_decoding_on_demand() -> None:
    """The decoder decodes a piece only when the caller asks for it."""
    decoder = Inflater("gzip")
    next(decoder.feed(gzipped(bytes(20 * PIECE), 9)))
    with pytest.raises(AttemptError, match="cut short"):
        decoder.finish()


def test_incompressible_data() -> None:
    """Data whose compressed form is longer than itself is decoded completely."""
    data = random.Random(1).randbytes(3 * PIECE)
    pieces = [data[i : i + PIECE] for i in range(0, len(data), PIECE)]
    body = b"".join(gzipped(piece, 0) for piece in pieces)
    assert decoded(Inflater("gzip"), cut(body, [PIECE, 2 * PIECE])) == data


def decoded_size(coding: str, data: bytes) -> tuple[int, ErrorKind | None]:
    """Return the number of decoded bytes of a body, and the kind of its error."""
    given = 0
    try:
        for piece in Inflater(coding).feed(data):
            given += len(piece)
    except AttemptError as error:
        return given, error.kind
    return given, None


@pytest.mark.parametrize(("coding", "bits"), [("gzip", 31), ("deflate", 15)])
def test_a_decompression_bomb(coding: str, bits: int) -> None:
    """A body that expands a thousandfold is decoded up to a bounded size, then fails."""
    compressor = zlib.compressobj(9, wbits=bits)
    mebibytes = [compressor.compress(bytes(1 << 20)) for _ in range(100)]
    given, kind = decoded_size(coding, b"".join([*mebibytes, compressor.flush()]))
    assert kind is ErrorKind.BOMB
    assert BOMB_SIZE - (1 << 20) <= given <= BOMB_SIZE


def test_a_decompression_bomb_of_many_gzip_members() -> None:
    """The bound applies to the whole body, not to each member."""
    member = gzipped(bytes(1 << 20), 9)
    assert decoded_size("gzip", member * 100)[1] is ErrorKind.BOMB


def test_an_endless_body_that_decodes_to_nothing() -> None:
    """Endless empty blocks or members fail: the encoded size of a body is bounded, too."""
    compressor = zlib.compressobj(wbits=31)
    start = compressor.compress(b"x") + compressor.flush(zlib.Z_FULL_FLUSH)
    for body, first in ((b"\0\0\0\xff\xff" * 200_000, start), (gzipped(b"") * 50_000, b"")):
        inflater, taken = Inflater("gzip"), []
        endless = itertools.chain([first], itertools.repeat(body))
        with pytest.raises(AttemptError) as caught:
            taken += [len(b"".join(inflater.feed(piece))) for piece in endless]
        assert caught.value.kind is ErrorKind.BOMB


def test_a_large_body_with_an_allowed_ratio() -> None:
    """A body above the bound of the size is decoded if the ratio of its sizes is allowed."""
    data = bytes(8_000) + os.urandom(100)
    member = b"".join(gzipped(data) for _ in range(64))
    decoder = Inflater("gzip")
    times = BOMB_SIZE // (len(data) * 64) + 10
    total = sum(len(piece) for _ in range(times) for piece in decoder.feed(member))
    assert total == times * len(data) * 64 > BOMB_SIZE


MORE: dict[str, tuple[Callable[[], CodingDecoder], Callable[[bytes], bytes]]] = {
    "br": (Brotli, brotli.compress),
    "zstd": (Zstandard, zstd.compress),
}
each_library = pytest.mark.parametrize(("make", "compress"), MORE.values(), ids=MORE)


@each_library
@given(data=DATA, cuts=CUTS)
def test_a_br_or_zstd_body_in_any_chunks(
    make: Callable[[], CodingDecoder],
    compress: Callable[[bytes], bytes],
    data: bytes,
    cuts: list[int],
) -> None:
    """A body is decoded in whatever chunks it arrives; an empty body is an empty file."""
    assert decoded(make(), cut(compress(data), cuts)) == data
    assert decoded(make(), []) == b""


@each_library
def test_a_malformed_br_or_zstd_body(
    make: Callable[[], CodingDecoder], compress: Callable[[bytes], bytes]
) -> None:
    """A body that is truncated, of another format, or continues after its end fails."""
    body = compress(SAMPLE)
    for spoilt in (body[:-1], body[: len(body) // 2], b"<html>" * 99, body + b"<html>"):
        for pieces in ([spoilt], cut(spoilt, range(0, len(spoilt), 7))):
            with pytest.raises(AttemptError) as caught:
                decoded(make(), pieces)
            assert caught.value.kind is ErrorKind.ENCODING


@each_library
def test_a_decompression_bomb_in_br_or_zstd(
    make: Callable[[], CodingDecoder], compress: Callable[[bytes], bytes]
) -> None:
    """The size of each decoded piece is bounded, and so is their sum."""
    body, sizes = compress(bytes(2 * BOMB_SIZE)), list[int]()
    with pytest.raises(AttemptError) as caught:
        sizes.extend(map(len, make().feed(body)))
    assert caught.value.kind is ErrorKind.BOMB
    # The library for br checks its bound after each of its own blocks.
    assert max(sizes) <= 2 * PIECE
    assert sum(sizes) <= BOMB_SIZE


def test_zstd_of_several_frames() -> None:
    """Several frames are one body (RFC 8878 §3.1), in whatever chunks it arrives."""
    body = zstd.compress(b"one") + zstd.compress(b"") + zstd.compress(b"two")
    assert decoded(Zstandard(), [body]) == b"onetwo"
    assert decoded(Zstandard(), cut(body, range(len(body)))) == b"onetwo"


@pytest.mark.parametrize("empty", [zstd.compress(b""), b"\x50\x2a\x4d\x18" + bytes(4)])
def test_zstd_of_many_empty_frames(empty: bytes) -> None:
    """A body with more than a thousand empty frames in a row fails."""
    full = zstd.compress(b"a")
    assert decoded(Zstandard(), [(empty * 900 + full) * 3]) == b"aaa"
    with pytest.raises(AttemptError, match="empty frames") as caught:
        list(Zstandard().feed(full + empty * 1100))
    assert caught.value.kind is ErrorKind.BOMB
