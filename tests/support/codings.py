"""Bodies in content codings, cut into pieces and decoded."""

from __future__ import annotations

import gzip
import itertools
import sys
import zlib
from collections.abc import Iterable

from hypothesis import strategies as st

from url_downloader.shared.ports import Decoder

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = [
    "CUTS",
    "SAMPLE",
    "cut",
    "decoded",
    "gzipped",
    "raw_deflated",
    "zlibbed",
    "zstd",
]

CUTS = st.lists(st.integers(0, 10**6), max_size=8)
SAMPLE = b"a line that is here again and again\n" * 50 + bytes(range(256))


def gzipped(data: bytes, level: int = 6) -> bytes:
    """Return one gzip member (RFC 1952)."""
    return gzip.compress(data, level, mtime=0)


def zlibbed(data: bytes, level: int = 6) -> bytes:
    """Return what HTTP calls deflate (RFC 1950)."""
    return zlib.compress(data, level)


def raw_deflated(data: bytes, level: int = 6) -> bytes:
    """Return what some servers call deflate (RFC 1951)."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Return `data` in pieces, cut at these places; pieces may be empty."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in itertools.pairwise([0, *ends, len(data)])]


def decoded(decoder: Decoder, pieces: Iterable[bytes]) -> bytes:
    """Return the decoded form of a whole body that comes in these pieces."""
    data = b"".join(bytes(part) for piece in pieces for part in decoder.feed(piece))
    decoder.finish()
    return data
