"""Decoders of single content codings: gzip, deflate and, with their libraries, br and zstd.

Each decoder yields pieces of bounded size. It fails if the encoded and the decoded size of a
body differ beyond a bound, as those of a decompression bomb do.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Chunk

BOMB_SIZE = 64 * 1024 * 1024
"""Bytes that a body may have, encoded or decoded, before the two sizes are compared."""
BOMB_RATIO = 100
"""Ratio of the larger to the smaller of the two sizes, beyond which a body fails.

A body beyond it would fill the disk, or arrive endlessly and decode to nothing.
"""
_PIECE = 256 * 1024
"""Bytes of the largest piece that a decoder yields."""
_SLICE = 64 * 1024
"""Bytes that are decoded at once.

After each gzip member, zlib copies the rest of its input. Without slices, that would take time
quadratic in the size of the body."""
_MAX_EMPTY_FRAMES = 1_000
"""Empty zstd frames in a row that a body may have.

Each frame needs a new decoder: BOMB_SIZE bytes in frames of 8 bytes would take minutes."""
_EXPANDS = f"expands to more than {BOMB_RATIO} times its size"
_SHRINKS = f"is more than {BOMB_RATIO} times as large as its decoded data"
_GZIP, _ZLIB, _RAW_DEFLATE = 31, 15, -15
_GZIP_MAGIC = b"\x1f\x8b"


class CodingDecoder:
    """Decoder of one content coding, with the bounds that hold for all codings.

    Args:
        coding: Name of the coding.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._fed = 0
        self._given = 0

    def feed(self, chunk: Chunk) -> Iterator[bytes]:
        """Yield the decoded bytes that `chunk` completes.

        Raises:
            AttemptError: The data is not of this coding, or is a decompression bomb.
        """
        data = bytes(chunk)
        self._fed += len(data)
        for start in range(0, len(data), _SLICE):
            for piece in self._pieces(data[start : start + _SLICE]):
                self._given += len(piece)
                self._check(self._given, self._fed, problem=_EXPANDS)
                yield piece
        self._check(self._fed, self._given, problem=_SHRINKS)

    def finish(self) -> None:
        """Check that the body is complete. An empty body is complete in any coding.

        Raises:
            AttemptError: The compressed data has no end.
        """
        if self._fed and not self._is_at_end():
            raise self._failure("is cut short")

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield the decoded bytes that `data` completes, in pieces that are not empty."""
        raise NotImplementedError

    def _is_at_end(self) -> bool:
        raise NotImplementedError

    def _check(self, count: int, other: int, *, problem: str) -> None:
        if count > max(BOMB_SIZE, BOMB_RATIO * other):
            raise AttemptError(ErrorKind.BOMB, f"the {self._coding} body {problem}")

    def _failure(self, problem: str) -> AttemptError:
        return AttemptError(ErrorKind.ENCODING, f"the {self._coding} body {problem}")


class Inflater(CodingDecoder):
    """Decoder of gzip, also of several members, and of deflate.

    Args:
        coding: Name of the coding: `gzip` or `deflate`.
    """

    def __init__(self, coding: str) -> None:
        super().__init__(coding)
        self._head = b""
        self._window_bits = 0
        self._inflate = zlib.decompressobj()

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if not self._window_bits:
            data = self._head = self._head + data
            if len(data) < 2:
                return
            self._window_bits = _window_bits(self._coding, data)
            self._inflate = zlib.decompressobj(self._window_bits)
        piece = None
        while data or piece:
            try:
                piece = self._inflate_some(data)
            except zlib.error as error:
                raise self._failure(f"can't be decoded: {error}") from error
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            if piece:
                yield piece

    def _inflate_some(self, data: bytes) -> bytes:
        if self._inflate.eof and data:
            if self._window_bits != _GZIP:
                raise zlib.error("data after its end")
            self._inflate = zlib.decompressobj(_GZIP)
        return self._inflate.decompress(data, _PIECE)

    def _is_at_end(self) -> bool:
        return self._inflate.eof


class OptionalGzip(Inflater):
    """Decoder that undoes gzip if the data is gzip, and returns other data unchanged.

    Some replies name gzip twice: for the application, and for a server in front of it. That
    server may have applied gzip again, or not.
    """

    def __init__(self) -> None:
        super().__init__("gzip")
        self._is_plain = False

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if not (self._is_plain or self._window_bits):
            data, self._head = self._head + data, b""
            if data == _GZIP_MAGIC[:1]:
                self._head = data
                return
            self._is_plain = not data.startswith(_GZIP_MAGIC)
        if self._is_plain:
            yield data
        else:
            yield from super()._pieces(data)

    def finish(self) -> None:
        """Check that the body is complete.

        Raises:
            AttemptError: The compressed data has no end.
        """
        if not self._is_plain:
            super().finish()


class Brotli(CodingDecoder):
    """Decoder of br (RFC 7932).

    Raises:
        AttemptError: The library is not installed.
    """

    def __init__(self) -> None:
        super().__init__("br")
        try:
            import brotli  # noqa: PLC0415 - it comes with an extra
        except ImportError as error:
            raise _missing("br", package="brotli") from error
        self._decompressor: Any = brotli.Decompressor()
        self._error: type[Exception] = brotli.error

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if self._decompressor.is_finished():
            raise self._failure("has data after its end")
        while True:
            try:
                piece = self._decompressor.process(data, output_buffer_limit=_PIECE)
            except self._error as error:
                raise self._failure("can't be decoded") from error
            if piece:
                yield piece
            if self._decompressor.can_accept_more_data() or self._decompressor.is_finished():
                return
            data = b""

    def _is_at_end(self) -> bool:
        return bool(self._decompressor.is_finished())


class Zstandard(CodingDecoder):
    """Decoder of zstd (RFC 8878), also of several frames.

    Raises:
        AttemptError: The library is not installed.
    """

    def __init__(self) -> None:
        super().__init__("zstd")
        try:
            # Before Python 3.14, the module comes with an extra.
            if sys.version_info >= (3, 14):
                from compression import zstd  # noqa: PLC0415
            else:
                from backports import zstd  # noqa: PLC0415
        except ImportError as error:
            raise _missing("zstd", package="backports.zstd") from error
        self._make = zstd.ZstdDecompressor
        self._error: type[Exception] = zstd.ZstdError
        self._decompressor = self._make()
        self._empty_frames = 0

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._decompressor.eof:
                self._count_frame()
                self._decompressor = self._make()
            try:
                piece = self._decompressor.decompress(data, _PIECE)
            except self._error as error:
                raise self._failure("can't be decoded") from error
            if piece:
                self._empty_frames = 0
                yield piece
            is_at_end = self._decompressor.eof
            data = self._decompressor.unused_data if is_at_end else b""
            if not data and (is_at_end or self._decompressor.needs_input):
                return

    def _is_at_end(self) -> bool:
        return self._decompressor.eof

    def _count_frame(self) -> None:
        self._empty_frames += 1
        if self._empty_frames > _MAX_EMPTY_FRAMES:
            message = f"the zstd body has more than {_MAX_EMPTY_FRAMES} empty frames in a row"
            raise AttemptError(ErrorKind.BOMB, message)


DECODERS: Mapping[str, Callable[[], CodingDecoder]] = {
    "gzip": lambda: Inflater("gzip"),
    "x-gzip": lambda: Inflater("gzip"),
    "deflate": lambda: Inflater("deflate"),
    "br": Brotli,
    "zstd": Zstandard,
}
"""Functions that make the decoder of each supported coding, by the coding's name."""


def _window_bits(coding: str, head: bytes) -> int:
    """Return zlib's window_bits for the body that begins with `head`.

    Some servers mean raw deflate (RFC 1951) by "deflate".
    """
    if coding == "gzip":
        return _GZIP
    has_zlib_header = head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
    return _ZLIB if has_zlib_header else _RAW_DEFLATE


def _missing(coding: str, *, package: str) -> AttemptError:
    return AttemptError(
        ErrorKind.CODING,
        f"the server sent Content-Encoding {coding}, which was not requested; to decode it,"
        f" pip install {package}",
    )
