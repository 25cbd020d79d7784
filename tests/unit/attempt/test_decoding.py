"""Content codings are undone piece by piece, wherever the pieces are cut, or it is an error."""

from __future__ import annotations

import gzip
import itertools
import os
import random
import sys
import zlib
from collections.abc import Callable, Iterable

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.attempt.content_codings import content_codings, non_coding_words
from url_downloader.attempt.content_decoders import (
    BOMB_SIZE,
    Brotli,
    CodingDecoder,
    Inflater,
    Zstandard,
)
from url_downloader.attempt.decoding import Identity, decoder_for
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Decoder

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 256 * 1024
"""No decoded piece is longer."""


def gzipped(data: bytes, level: int = 6) -> bytes:
    """One gzip member (RFC 1952)."""
    return gzip.compress(data, level, mtime=0)


def zlibbed(data: bytes, level: int = 6) -> bytes:
    """What HTTP means by deflate (RFC 1950)."""
    return zlib.compress(data, level)


def raw_deflated(data: bytes, level: int = 6) -> bytes:
    """What some servers mean by it (RFC 1951)."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


CODINGS: dict[str, tuple[str, Callable[[bytes, int], bytes]]] = {
    "gzip": ("gzip", gzipped),
    "zlib": ("deflate", zlibbed),
    "raw": ("deflate", raw_deflated),
}
each_coding = pytest.mark.parametrize(("coding", "compress"), CODINGS.values(), ids=CODINGS)

DATA = st.binary(max_size=2000) | st.binary(min_size=1, max_size=9).map(lambda b: b * 5000)
LEVELS = st.integers(0, 9)
CUTS = st.lists(st.integers(0, 10**6), max_size=8)
SAMPLE = b"a line that is here again and again\n" * 50 + bytes(range(256))


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` in pieces, cut at these places; some may be empty."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in itertools.pairwise([0, *ends, len(data)])]


def decoded(decoder: Decoder, pieces: Iterable[bytes]) -> bytes:
    """What these pieces of a whole body stand for."""
    data = b"".join(bytes(part) for piece in pieces for part in decoder.feed(piece))
    decoder.finish()
    return data


def ending(coding: str, pieces: Iterable[bytes]) -> bytes | ErrorKind:
    """What this body decodes to, or why it doesn't."""
    try:
        return decoded(Inflater(coding), pieces)
    except AttemptError as error:
        return error.kind


def refusal(coding: str, *pieces: bytes) -> AttemptError:
    """The error that this body ends with."""
    with pytest.raises(AttemptError) as caught:
        decoded(Inflater(coding), pieces)
    assert caught.value.kind is ErrorKind.ENCODING
    assert coding in caught.value.message
    return caught.value


@each_coding
@given(data=DATA, level=LEVELS, cuts=CUTS)
def test_split_at_any_points(
    coding: str,
    compress: Callable[[bytes, int], bytes],
    data: bytes,
    level: int,
    cuts: list[int],
) -> None:
    """However the body is cut up on its way, it decodes to what was sent."""
    assert decoded(Inflater(coding), cut(compress(data, level), cuts)) == data


@each_coding
def test_byte_by_byte(coding: str, compress: Callable[[bytes, int], bytes]) -> None:
    """Even single bytes are enough."""
    assert decoded(Inflater(coding), cut(compress(SAMPLE, 6), range(5000))) == SAMPLE


@given(members=st.lists(DATA, min_size=1, max_size=4), level=LEVELS, cuts=CUTS)
def test_gzip_of_several_members(members: list[bytes], level: int, cuts: list[int]) -> None:
    """Members one after the other are one body (RFC 1952 §2.2), wherever it is cut."""
    body = b"".join(gzipped(member, level) for member in members)
    assert decoded(Inflater("gzip"), cut(body, cuts)) == b"".join(members)


def test_a_cut_between_members() -> None:
    """A member that begins with a new piece of the body is decoded like the first."""
    pieces = [gzipped(b"one"), gzipped(b""), gzipped(b"two")]
    assert decoded(Inflater("gzip"), pieces) == b"onetwo"


@each_coding
def test_cut_short_anywhere(coding: str, compress: Callable[[bytes, int], bytes]) -> None:
    """A body that ends before its last byte is an error, wherever that is."""
    body = compress(SAMPLE, 6)
    for end in range(1, len(body)):
        assert "cut short" in refusal(coding, body[:end]).message


def test_a_second_member_cut_short() -> None:
    """The end of the first member does not make a body whole whose second has begun."""
    first, second = gzipped(b"one"), gzipped(b"two")
    for end in range(1, len(second)):
        refusal("gzip", first + second[:end])
        refusal("gzip", first, second[:end])


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("pieces", [[], [b""], [b"", b""]])
def test_an_empty_body_is_nothing(coding: str, pieces: list[bytes]) -> None:
    """No bytes at all are an empty file, whatever coding they are said to have."""
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
def test_garbage(coding: str, body: bytes) -> None:
    """What is not of the coding, has a wrong sum, or goes on after its end is an error."""
    refusal(coding, body)
    refusal(coding, *cut(body, [1, 5, len(body) - 1]))


@given(data=st.binary(max_size=300), place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_bit_that_was_flipped_never_passes(data: bytes, place: int, bit: int) -> None:
    """Wrong data is never taken for right: gzip's sum is checked."""
    body = bytearray(gzipped(data))
    body[place % len(body)] ^= 1 << bit
    assert ending("gzip", [bytes(body)]) in (data, ErrorKind.ENCODING)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]), CUTS)
def test_any_bytes_at_all(body: bytes, coding: str, cuts: list[int]) -> None:
    """No body leads to another exception than the one that is foreseen."""
    end = ending(coding, cut(body, cuts))
    assert isinstance(end, bytes) or end is ErrorKind.ENCODING


@each_coding
def test_pieces_are_bounded(coding: str, compress: Callable[[bytes, int], bytes]) -> None:
    """A body that swells a thousandfold comes in pieces that fit into memory."""
    size = 0
    decoder = Inflater(coding)
    for piece in decoder.feed(compress(bytes(20 * PIECE), 9)):
        assert 0 < len(piece) <= PIECE
        size += len(piece)
    decoder.finish()
    assert size == 20 * PIECE


@each_coding
@pytest.mark.parametrize("rest", [-1, 0, 1, 2, 100, 258, 259])
def test_what_is_left_after_a_full_piece_comes_too(
    coding: str, compress: Callable[[bytes, int], bytes], rest: int
) -> None:
    """Decoded bytes that no input is left for are not forgotten."""
    data = bytes(PIECE + rest)
    assert decoded(Inflater(coding), [compress(data, 9)]) == data


def test_nothing_is_decoded_ahead() -> None:
    """Who stops after the first piece has not paid for the others."""
    decoder = Inflater("gzip")
    next(decoder.feed(gzipped(bytes(20 * PIECE), 9)))
    with pytest.raises(AttemptError, match="cut short"):
        decoder.finish()


def test_data_that_does_not_shrink_comes_whole() -> None:
    """Bounded pieces lose nothing of data whose compressed form is the longer one."""
    data = random.Random(1).randbytes(3 * PIECE)
    pieces = [data[i : i + PIECE] for i in range(0, len(data), PIECE)]
    body = b"".join(gzipped(piece, 0) for piece in pieces)
    assert decoded(Inflater("gzip"), cut(body, [PIECE, 2 * PIECE])) == data


@given(DATA, CUTS)
def test_identity(data: bytes, cuts: list[int]) -> None:
    """Without a coding what came is what is stored."""
    assert decoded(Identity(), cut(data, cuts)) == data


@pytest.mark.parametrize(
    ("codings", "body"),
    [
        ("", SAMPLE),
        ("identity", SAMPLE),
        (" Identity , identity", SAMPLE),
        (",", SAMPLE),
        ("gzip", gzipped(SAMPLE)),
        ("GZip", gzipped(SAMPLE)),
        (" gzip\t", gzipped(SAMPLE)),
        ("x-gzip", gzipped(SAMPLE)),
        ("gzip, identity", gzipped(SAMPLE)),
        ("identity,gzip,", gzipped(SAMPLE)),
        ("deflate", zlibbed(SAMPLE)),
        ("Deflate", raw_deflated(SAMPLE)),
        ("br", brotli.compress(SAMPLE)),
        ("zstd", zstd.compress(SAMPLE)),
        ("gzip, gzip", gzipped(gzipped(SAMPLE))),
        ("gzip, gzip", gzipped(SAMPLE)),
        ("gzip, gzip", gzipped(SAMPLE[:1]) + gzipped(SAMPLE[1:])),
        ("gzip, gzip, gzip", gzipped(SAMPLE)),
        ("gzip, br", brotli.compress(gzipped(SAMPLE))),
        ("deflate, gzip", gzipped(zlibbed(SAMPLE))),
        ("utf-8, gzip", gzipped(SAMPLE)),
        ("gzip, aws-chunked", gzipped(SAMPLE)),
    ],
)
def test_a_coding_that_was_not_asked_for_is_undone(codings: str, body: bytes) -> None:
    """The decoder is the one that the field names, in any case and with idle parts."""
    decoder = decoder_for(codings, paths=["/page.html"], media_type="text/html")
    assert decoded(decoder, [body]) == SAMPLE


@pytest.mark.parametrize(
    "codings",
    [
        "compress",
        "x-unknown",
        "rot13",
        "gzip, exi",
        "gzip, gzip, gzip, gzip, gzip, gzip",
        "gzip;q=1",
    ],
)
def test_a_coding_that_cannot_be_undone_is_refused(codings: str) -> None:
    """Better no file than one in a coding that its name does not tell of."""
    with pytest.raises(AttemptError, match="Content-Encoding") as caught:
        decoder_for(codings, paths=["/page.html"], media_type="text/html")
    assert caught.value.kind is ErrorKind.CODING
    assert codings in caught.value.message


@given(data=st.binary(max_size=5), cuts=CUTS)
def test_a_coding_that_was_named_twice(data: bytes, cuts: list[int]) -> None:
    """The file comes out, whether the coding was applied once or twice."""
    if data.startswith(b"\x1f\x8b") or data == b"\x1f":
        return
    for body in (gzipped(data), gzipped(gzipped(data))):
        decoder = decoder_for("gzip, gzip", paths=[], media_type="")
        assert decoded(decoder, cut(body, cuts)) == data


@pytest.mark.parametrize(
    "words",
    [
        *("none", "None", "NULL", "UTF-8", "utf8", "iso-8859-1", "windows-1252", "us-ascii"),
        *("binary", "8bit", "7bit", "base64", "aws-chunked", "text/plain", "charset=utf-8"),
        *("none, utf-8", "identity, binary", "", ","),
    ],
)
def test_a_word_that_names_no_coding_changes_nothing(words: str) -> None:
    """Object stores and old scripts write such words; what came is what is stored."""
    assert list(content_codings(words)) == []
    decoder = decoder_for(words, paths=["/page.html"], media_type="text/html")
    assert decoded(decoder, [SAMPLE]) == SAMPLE


@pytest.mark.parametrize("value", ["x" * 10_000, "x," * 5_000, "none," * 2_000 + "gzip"])
def test_a_refusal_is_short(value: str) -> None:
    """A server can't fill the log with names of codings."""
    with pytest.raises(AttemptError) as caught:
        decoder_for(value, paths=[], media_type="")
    assert len(caught.value.message) < 200


def test_not_every_word_is_looked_for() -> None:
    """Python searches folders for each word that may be a charset: what is too much is one."""
    assert len(content_codings(",".join(f"x{n}" for n in range(10_000)))) <= 21


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", ""),
        ("gzip, identity", ""),
        ("UTF-8", "UTF-8"),
        ("aws-chunked,gzip", "aws-chunked"),
        ("none, gzip, binary", "none, binary"),
        ("text/" + "x" * 1000, "text/" + "x" * 55),
        ("none," * 1000, "none"),
    ],
)
def test_only_words_that_name_no_coding_are_told(value: str, words: str) -> None:
    """The warning names them, and is short."""
    assert non_coding_words(value) == words


@pytest.mark.parametrize("codings", ["gzip", "deflate", "gzip, gzip"])
@pytest.mark.parametrize(
    "name",
    [
        *("/a.gz", "/a.tar.gz", "/a.tgz", "a.GZ", "a.bz2", "a.tbz2", "a.xz", "a.txz"),
        *("a.lzma", "a.zst", "a.br", "a.lz4", "a.Z", "a.svgz", ".gz"),
        *("a.vcf.bgz", "a.gzip", "a.taz", "a.zstd"),
    ],
)
def test_a_compressed_file_is_stored_as_it_came(codings: str, name: str) -> None:
    """One of the names is enough: what is meant is the compressed file itself."""
    for paths in ([name, "page"], ["/page", name], [name]):
        decoder = decoder_for(codings, paths=paths, media_type="text/plain")
        assert isinstance(decoder, Identity)


@pytest.mark.parametrize(
    ("codings", "name", "media_type"),
    [
        ("br", "/a.js.br", "text/plain"),
        ("BR", "/a.BR", "text/plain"),
        ("gzip, br", "/a.br", "text/plain"),
        ("br", "/a", "application/x-brotli"),
        ("zstd", "/a.tar.zst", "text/plain"),
        ("zstd", "/a", "application/zstd"),
        ("zstd", "/a", "application/vnd.oci.image.layer.v1.tar+zstd"),
        ("compress", "/a.Z", "text/plain"),
        ("bzip2", "/a.bz2", "text/plain"),
    ],
)
def test_a_coding_that_is_the_files_own_stays(codings: str, name: str, media_type: str) -> None:
    """A `.br` that is called br is the file itself."""
    decoder = decoder_for(codings, paths=[name], media_type=media_type)
    assert isinstance(decoder, Identity)


@pytest.mark.parametrize(
    ("codings", "name", "body"),
    [
        ("br", "/a.tar.gz", brotli.compress(gzipped(SAMPLE))),
        ("zstd", "/a.gz", zstd.compress(gzipped(SAMPLE))),
        ("zstd", "/a.br", zstd.compress(gzipped(SAMPLE))),
        ("gzip, br", "/a.gz", brotli.compress(gzipped(SAMPLE))),
        ("br, gzip", "/a.gz", gzipped(brotli.compress(gzipped(SAMPLE)))),
    ],
)
def test_what_was_added_to_a_compressed_file_is_undone(
    codings: str, name: str, body: bytes
) -> None:
    """A `.gz` that comes as br is stored as the `.gz` that it is."""
    decoder = decoder_for(codings, paths=[name], media_type="application/gzip")
    assert b"".join(map(bytes, decoder.feed(body))) == gzipped(SAMPLE)


@pytest.mark.parametrize(
    "media_type",
    [
        *("application/gzip-compressed", "application/x-compressed", "application/x-tar-gz"),
        *("application/x-gtar-compressed", "application/tlsrpt+gzip"),
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        *("application/gzip", "application/x-gzip", "Application/X-GZIP; q=1"),
        *("application/x-bzip2", "application/x-xz", "application/x-tgz", "application/zstd"),
        " application/gzip ",
    ],
)
def test_a_compressed_media_type_is_stored_as_it_came(media_type: str) -> None:
    """A server that says what the file is, and that it is compressed, means the file."""
    decoder = decoder_for("gzip", paths=["/a", "a"], media_type=media_type)
    assert isinstance(decoder, Identity)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("/gz", "text/html"),
        ("/a.gz/index.html", "text/html"),
        ("/a.gzip.txt", "text/html"),
        ("/a.gzz", ""),
        ("/agz", "application/gzip-not"),
        ("/a.zip", "application/zip"),
        ("/a.tar", "application/x-tar"),
        ("/a", "text/plain; x=application/gzip"),
    ],
)
def test_others_are_decoded(name: str, media_type: str) -> None:
    """What only looks a little like a compressed file is not one."""
    decoder = decoder_for("gzip", paths=[name], media_type=media_type)
    assert isinstance(decoder, Inflater)


def swollen(coding: str, data: bytes) -> tuple[int, ErrorKind | None]:
    """How much comes out of a body, and how it ends."""
    given = 0
    try:
        for piece in Inflater(coding).feed(data):
            given += len(piece)
    except AttemptError as error:
        return given, error.kind
    return given, None


@pytest.mark.parametrize(("coding", "bits"), [("gzip", 31), ("deflate", 15)])
def test_a_bomb_is_refused(coding: str, bits: int) -> None:
    """A body that swells a thousandfold is given up when it has swollen to its bound."""
    compressor = zlib.compressobj(9, wbits=bits)
    mebibytes = [compressor.compress(bytes(1 << 20)) for _ in range(100)]
    given, kind = swollen(coding, b"".join([*mebibytes, compressor.flush()]))
    assert kind is ErrorKind.BOMB
    assert BOMB_SIZE - (1 << 20) <= given <= BOMB_SIZE


def test_many_members_can_be_a_bomb() -> None:
    """The bound is for the body, not for each of its members."""
    member = gzipped(bytes(1 << 20), 9)
    assert swollen("gzip", member * 100)[1] is ErrorKind.BOMB


def test_a_body_that_decodes_to_nothing_is_refused() -> None:
    """Empty blocks, and empty members, without end: the bytes on the wire are bounded, too."""
    compressor = zlib.compressobj(wbits=31)
    start = compressor.compress(b"x") + compressor.flush(zlib.Z_FULL_FLUSH)
    for body, first in ((b"\0\0\0\xff\xff" * 200_000, start), (gzipped(b"") * 50_000, b"")):
        inflater, taken = Inflater("gzip"), []
        endless = itertools.chain([first], itertools.repeat(body))
        with pytest.raises(AttemptError) as caught:
            taken += [len(b"".join(inflater.feed(piece))) for piece in endless]
        assert caught.value.kind is ErrorKind.BOMB


MORE: dict[str, tuple[Callable[[], CodingDecoder], Callable[[bytes], bytes]]] = {
    "br": (Brotli, brotli.compress),
    "zstd": (Zstandard, zstd.compress),
}
each_library = pytest.mark.parametrize(("make", "compress"), MORE.values(), ids=MORE)


@each_library
@given(data=DATA, cuts=CUTS)
def test_other_codings(
    make: Callable[[], CodingDecoder],
    compress: Callable[[bytes], bytes],
    data: bytes,
    cuts: list[int],
) -> None:
    """However the body is cut, it decodes to what was sent; an empty one is empty."""
    assert decoded(make(), cut(compress(data), cuts)) == data
    assert decoded(make(), []) == b""


@each_library
def test_other_codings_that_are_broken(
    make: Callable[[], CodingDecoder], compress: Callable[[bytes], bytes]
) -> None:
    """A body that is cut short, is garbage, or goes on after its end is an error."""
    body = compress(SAMPLE)
    for spoilt in (body[:-1], body[: len(body) // 2], b"<html>" * 99, body + b"<html>"):
        for pieces in ([spoilt], cut(spoilt, range(0, len(spoilt), 7))):
            with pytest.raises(AttemptError) as caught:
                decoded(make(), pieces)
            assert caught.value.kind is ErrorKind.ENCODING


@each_library
def test_other_bombs(
    make: Callable[[], CodingDecoder], compress: Callable[[bytes], bytes]
) -> None:
    """Pieces are bounded, and so is what they sum up to."""
    body, sizes = compress(bytes(2 * BOMB_SIZE)), list[int]()
    with pytest.raises(AttemptError) as caught:
        sizes.extend(map(len, make().feed(body)))
    assert caught.value.kind is ErrorKind.BOMB
    # The library for br looks at its bound after each of its own blocks.
    assert max(sizes) <= 2 * PIECE
    assert sum(sizes) <= BOMB_SIZE


def test_frames_of_zstd() -> None:
    """Frames one after the other are one body (RFC 8878 §3.1), wherever it is cut."""
    body = zstd.compress(b"one") + zstd.compress(b"") + zstd.compress(b"two")
    assert decoded(Zstandard(), [body]) == b"onetwo"
    assert decoded(Zstandard(), cut(body, range(len(body)))) == b"onetwo"


@pytest.mark.parametrize("empty", [zstd.compress(b""), b"\x50\x2a\x4d\x18" + bytes(4)])
def test_zstd_does_not_come_with_nothing_for_ever(empty: bytes) -> None:
    """More than a thousand frames in a row that hold nothing are refused."""
    full = zstd.compress(b"a")
    assert decoded(Zstandard(), [(empty * 900 + full) * 3]) == b"aaa"
    with pytest.raises(AttemptError, match="empty frames") as caught:
        list(Zstandard().feed(full + empty * 1100))
    assert caught.value.kind is ErrorKind.BOMB


@pytest.mark.parametrize(("coding", "library"), [("br", "brotli"), ("zstd", "backports")])
def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, coding: str, library: str) -> None:
    """The failure names the coding and the extra; another attempt would not help."""
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, "compression", None)
    with pytest.raises(AttemptError, match="extra 'codings': pip install") as caught:
        decoder_for(coding, paths=[], media_type="")
    assert caught.value.kind is ErrorKind.CODING
    assert coding in caught.value.message


def test_a_large_body_that_shrinks_well_is_no_bomb() -> None:
    """Above the bound of the size, up to the ratio is fine."""
    data = bytes(8_000) + os.urandom(100)
    member = b"".join(gzipped(data) for _ in range(64))
    decoder = Inflater("gzip")
    times = BOMB_SIZE // (len(data) * 64) + 10
    total = sum(len(piece) for _ in range(times) for piece in decoder.feed(member))
    assert total == times * len(data) * 64 > BOMB_SIZE
