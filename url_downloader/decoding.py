"""Content codings (RFC 9110 §8.4.1): what to undo, and how, piece by piece. Pure.

Knows no connection and no file.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from url_downloader.seams import Chunk
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

BOMB_SIZE = 64 * 1024 * 1024
"""Bytes that any body may swell to; above, the ratio is looked at."""
BOMB_RATIO = 200
"""Decoded bytes for each byte that came, beyond which a body is not one that anyone means."""
_PIECE = 256 * 1024
_GZIP, _ZLIB, _RAW_DEFLATE = 31, 15, -15

_COMPRESSED_NAME = re.compile(
    r"\.(gz|tgz|bz2|tbz2?|xz|txz|lzma|zst|tzst|br|lz4?|Z|svgz)$", re.IGNORECASE
)
_COMPRESSED_TYPE = re.compile(
    r"application/(x-)?(gzip|gunzip|tgz|gtar|bzip2?|xz|zstd|brotli|compress|compressed-tar)",
    re.IGNORECASE,
)


class Identity:
    """No coding: what came is what is stored."""

    def feed(self, chunk: Chunk) -> Iterator[Chunk]:
        """What `chunk` stands for."""
        yield chunk

    def finish(self) -> None:
        """The end of the body was reached."""


class Inflater:
    """Undoes gzip (also of several members) or deflate, in pieces of bounded size.

    Args:
        coding: `gzip` or `deflate`.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._head = b""
        self._window_bits = 0
        self._inflate = zlib.decompressobj()
        self._fed = 0
        self._given = 0

    def feed(self, chunk: Chunk) -> Iterator[Chunk]:
        """The decoded bytes that `chunk` completes.

        Raises:
            AttemptError: the data is not of this coding.
        """
        data = bytes(chunk)
        self._fed += len(data)
        if not self._window_bits:
            data = self._head = self._head + data
            if len(data) < 2:
                return
            self._window_bits = _window_bits(self._coding, data)
            self._inflate = zlib.decompressobj(self._window_bits)
        yield from self._pieces(data)

    def finish(self) -> None:
        """The end of the body was reached. An empty body is nothing, in any coding.

        Raises:
            AttemptError: the compressed data is not at its end.
        """
        if self._head and not self._inflate.eof:
            raise AttemptError(ErrorKind.ENCODING, f"the {self._coding} body is cut short")

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        piece = None
        while data or piece:
            try:
                piece = self._inflate_some(data)
            except zlib.error as error:
                message = f"the {self._coding} body doesn't decode: {error}"
                raise AttemptError(ErrorKind.ENCODING, message) from error
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            if piece:
                self._given += len(piece)
                self._check_ratio()
                yield piece

    def _check_ratio(self) -> None:
        if self._given > max(BOMB_SIZE, BOMB_RATIO * self._fed):
            message = f"the {self._coding} body swells to more than {BOMB_RATIO} times its size"
            raise AttemptError(ErrorKind.BOMB, message)

    def _inflate_some(self, data: bytes) -> bytes:
        if self._inflate.eof and data:
            if self._window_bits != _GZIP:
                raise zlib.error("data after its end")
            self._inflate = zlib.decompressobj(_GZIP)
        return self._inflate.decompress(data, _PIECE)


def _window_bits(coding: str, head: bytes) -> int:
    """zlib's window_bits; some servers mean raw deflate (RFC 1951) by "deflate"."""
    if coding == "gzip":
        return _GZIP
    has_zlib_header = head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
    return _ZLIB if has_zlib_header else _RAW_DEFLATE


Decoder = Identity | Inflater


def decoder_for(codings: str, *, url: str, output: str, media_type: str) -> Decoder:
    """What to do with a body that came with these codings though identity was asked for.

    Args:
        codings: value of Content-Encoding, maybe empty.
        url: that was asked for; a compressed file is stored as it came.
        output: name of the file; likewise.
        media_type: value of Content-Type; likewise.

    Raises:
        AttemptError: a coding that can't be undone.
    """
    asked = [coding for part in codings.split(",") if (coding := part.strip().lower())]
    asked = [coding for coding in asked if coding != "identity"]
    if not asked or _is_compressed((urlsplit(url).path, output), media_type):
        return Identity()
    if asked in (["gzip"], ["x-gzip"]):
        return Inflater("gzip")
    if asked == ["deflate"]:
        return Inflater("deflate")
    raise AttemptError(
        ErrorKind.ENCODING, f"the server sent Content-Encoding {codings[:60]}, not asked for"
    )


def _is_compressed(names: Iterable[str], media_type: str) -> bool:
    is_named_so = any(_COMPRESSED_NAME.search(name) for name in names)
    return is_named_so or bool(_COMPRESSED_TYPE.fullmatch(media_type.partition(";")[0].strip()))
