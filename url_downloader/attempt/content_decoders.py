"""Decoders of single content codings: gzip, deflate and, with their libraries, br and zstd.

Each gives pieces of bounded size, and ends a body that swells, or comes, beyond all measure.
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
"""Bytes that a body may have on the wire, and decoded, before both are compared."""
BOMB_RATIO = 100
"""Bytes for each byte of the other form, beyond which nobody means the body so: such a body
either fills the disk, or keeps coming and decodes to nothing."""
_PIECE = 256 * 1024
_SLICE = 64 * 1024
"""Bytes that are decoded at once. After each gzip member the rest of them is copied: in slices,
that does not take time with the square of the body."""
_MAX_EMPTY_FRAMES = 1_000
"""Frames of zstd in a row that hold nothing. A decoder is made for each: of frames of 8 bytes
it would take minutes to come as far as BOMB_SIZE."""
_GZIP, _ZLIB, _RAW_DEFLATE = 31, 15, -15
_GZIP_MAGIC = b"\x1f\x8b"


class CodingDecoder:
    """One coding to undo, with the bounds that hold for all.

    Args:
        coding: its name.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._fed = 0
        self._given = 0

    def feed(self, chunk: Chunk) -> Iterator[bytes]:
        """Yield the decoded bytes that `chunk` completes.

        Raises:
            AttemptError: the data is not of this coding, or a bomb.
        """
        data = bytes(chunk)
        self._fed += len(data)
        for start in range(0, len(data), _SLICE):
            for piece in self._pieces(data[start : start + _SLICE]):
                self._given += len(piece)
                self._check(self._given, self._fed, what="swells to")
                yield piece
        self._check(self._fed, self._given, what="came with")

    def finish(self) -> None:
        """Take note of the end of the body. An empty body is nothing, in any coding.

        Raises:
            AttemptError: the compressed data is not at its end.
        """
        if self._fed and not self._is_at_end():
            raise self._failure("is cut short")

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes complete, in pieces that are not empty."""
        raise NotImplementedError

    def _is_at_end(self) -> bool:
        raise NotImplementedError

    def _check(self, count: int, other: int, *, what: str) -> None:
        if count > max(BOMB_SIZE, BOMB_RATIO * other):
            message = f"the {self._coding} body {what} more than {BOMB_RATIO} times its size"
            raise AttemptError(ErrorKind.BOMB, message)

    def _failure(self, what: str) -> AttemptError:
        return AttemptError(ErrorKind.ENCODING, f"the {self._coding} body {what}")


class Inflater(CodingDecoder):
    """Undoes gzip (also of several members) or deflate.

    Args:
        coding: `gzip` or `deflate`.
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
                raise self._failure(f"doesn't decode: {error}") from error
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
    """Undoes gzip where the data is gzip, and leaves it as it is where not.

    Some replies name the coding twice, once by the application and once by a server in front
    of it, which has or has not applied it again.
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
        """Take note of the end of the body.

        Raises:
            AttemptError: the compressed data is not at its end.
        """
        if not self._is_plain:
            super().finish()


class Brotli(CodingDecoder):
    """Undoes br (RFC 7932).

    Raises:
        AttemptError: the library is not installed.
    """

    def __init__(self) -> None:
        super().__init__("br")
        try:
            import brotli  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise _missing("br", package="brotli") from error
        self._decompressor: Any = brotli.Decompressor()
        self._error: type[Exception] = brotli.error

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if self._decompressor.is_finished():
            raise self._failure("goes on after its end")
        while True:
            try:
                piece = self._decompressor.process(data, output_buffer_limit=_PIECE)
            except self._error as error:
                raise self._failure("doesn't decode") from error
            if piece:
                yield piece
            if self._decompressor.can_accept_more_data() or self._decompressor.is_finished():
                return
            data = b""

    def _is_at_end(self) -> bool:
        return bool(self._decompressor.is_finished())


class Zstandard(CodingDecoder):
    """Undoes zstd (RFC 8878), also of several frames.

    Raises:
        AttemptError: the library is not installed.
    """

    def __init__(self) -> None:
        super().__init__("zstd")
        try:
            # An extra before Python 3.14.
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
                raise self._failure("doesn't decode") from error
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
"""The decoder of each coding that can be undone."""


def _window_bits(coding: str, head: bytes) -> int:
    """Return zlib's window_bits; some servers mean raw deflate (RFC 1951) by "deflate"."""
    if coding == "gzip":
        return _GZIP
    has_zlib_header = head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
    return _ZLIB if has_zlib_header else _RAW_DEFLATE


def _missing(coding: str, *, package: str) -> AttemptError:
    return AttemptError(
        ErrorKind.CODING,
        f"the server sent Content-Encoding {coding}, not asked for, which needs the extra"
        f" 'codings': pip install {package}",
    )
