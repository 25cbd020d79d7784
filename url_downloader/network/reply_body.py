"""The body of an HTTP/1.1 reply: its framing, and a reader for each kind (RFC 9112 §6).

A body is counted, chunked, or it ends with the connection. `body_of` chooses.
"""

from __future__ import annotations

import re
from contextlib import suppress
from http import HTTPStatus
from typing import Protocol

from url_downloader.network.connection import Connection
from url_downloader.network.reply_head import ReplyHead, elements_of, malformed_error
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Chunk

_MAX_CHUNK_LINE = 4096
"""Bytes; upper bound for the line with the size and extensions of a chunk."""
_MAX_TRAILER_BYTES = 64 * 1024
"""Bytes; upper bound for the trailer section, which is read only to be discarded."""
_CHUNK_LINE = re.compile(rb"0*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?\r?\n")
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
"""Statuses of replies without a body, even with a Content-Length."""


class Source(Protocol):
    """Source of bytes: a connection, a pipe from it, or a body."""

    def read(self, size: int) -> Chunk:
        """Wait for bytes and return at most `size`; none at the end.

        Raises:
            AttemptError: A chunk is malformed, or the connection closed inside the body.
            OSError: The connection is lost, or its timeout has passed.
        """


class Body(Source, Protocol):
    """Body of a reply."""

    @property
    def is_complete(self) -> bool:
        """Tell whether the body was read to an end that the framing marks."""


def body_of(head: ReplyHead, connection: Connection) -> Body:
    """Return the body that follows the head of a reply (RFC 9112 §6.3).

    A Content-Length that has no meaning, or several equal values, is corrected in the head.

    Raises:
        AttemptError: The framing is invalid.
    """
    fields = head.fields
    if head.status in _BODILESS:
        return CountedBody(connection, 0)
    coding, length = fields.get("transfer-encoding"), fields.get("content-length")
    if coding is not None and _is_chunked(coding):
        if fields.pop("content-length", None) is not None or head.is_version_10:
            # RFC 9112 §6.1: another recipient may have taken another end for the body's.
            connection.is_reusable = False
        return ChunkedBody(connection)
    if length is None:
        connection.is_reusable = False
        return UnboundedBody(connection)
    if not _LENGTH.fullmatch(length):
        fields["content-length"] = length = _single_length(length)
    return CountedBody(connection, int(length))


def _is_chunked(coding: str) -> bool:
    codings = [each for each in elements_of(coding) if each != "identity"]
    if codings not in ([], ["chunked"]):
        raise malformed_error(f"transfer coding not supported: {', '.join(codings)[:60]}")
    return bool(codings)


def _single_length(text: str) -> str:
    values = {*elements_of(text)}
    if len(values) > 1:
        raise malformed_error("differing Content-Length values")
    value = values.pop()
    if not _LENGTH.fullmatch(value):
        raise malformed_error(f"not a Content-Length: {value[:60]!r}")
    return value


class CountedBody:
    """Body of a known length.

    Attributes:
        source: Source, whose next byte is the next of the body; the caller may replace it.
        left: Bytes of the body that are still to be read.
    """

    def __init__(self, source: Source, length: int) -> None:
        self.source = source
        self.left = length

    @property
    def is_complete(self) -> bool:
        return not self.left

    def read(self, size: int) -> Chunk:
        """Return bytes of the body; see `Source.read`."""
        if not self.left:
            return b""
        data = self.source.read(min(size, self.left))
        if not data:
            raise _truncated_error("the body")
        self.left -= len(data)
        return data


class UnboundedBody:
    """Body that ends when the server closes the connection. No other reply can follow.

    In the clear, any close ends it. Over TLS, only a closure alert does (RFC 9112 §9.8).
    """

    is_complete = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, size: int) -> Chunk:
        data = self._connection.read(size)
        if not data and self._connection.is_cut_off:
            raise AttemptError(ErrorKind.TRUNCATED, "TLS connection cut off inside the body")
        return data


class ChunkedBody:
    """Body in chunks, each with its size (RFC 9112 §7.1)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._left = 0
        self._is_first = True
        self.is_complete = False

    def read(self, size: int) -> Chunk:
        """Return bytes of the body; see `Source.read`."""
        if self.is_complete:
            return b""
        if not self._left:
            self._left = self._next_size()
            if not self._left:
                # The body is complete without the trailer section (RFC 9112 §8).
                with suppress(ConnectionError):
                    self._skip_trailer()
                self.is_complete = True
                return b""
        data = self._connection.read(min(size, self._left))
        if not data:
            raise _truncated_error("a chunk")
        self._left -= len(data)
        return data

    def _next_size(self) -> int:
        if not self._is_first:
            self._skip_line_end()
        self._is_first = False
        line = self._connection.read_line(_MAX_CHUNK_LINE)
        if not line.endswith(b"\n") and len(line) < _MAX_CHUNK_LINE:
            raise _truncated_error("the chunks")
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise malformed_error(f"not a chunk size: {line[:60]!r}")
        return int(match[1], 16)

    def _skip_line_end(self) -> None:
        """Skip the line end after a chunk."""
        octet = self._connection.read_line(1)
        if octet == b"\r":
            octet = self._connection.read_line(1)
        if not octet:
            raise _truncated_error("the chunks")
        if octet != b"\n":
            raise malformed_error("a chunk is longer than its size says")

    def _skip_trailer(self) -> None:
        """Discard the trailer section; the connection can be used again after its end."""
        left = _MAX_TRAILER_BYTES
        while (line := self._connection.read_line(left)) not in (b"\r\n", b"\n", b""):
            left -= len(line)
            if left <= 0:
                raise malformed_error(f"trailer section over {_MAX_TRAILER_BYTES // 1024} KiB")


def _truncated_error(place: str) -> AttemptError:
    return AttemptError(ErrorKind.TRUNCATED, f"connection closed inside {place}")
