"""Header blocks of HTTP/1.1 messages: a strict reader, and a writer (RFC 9112).

`http.client` is too lenient for a downloader. It accepts the end of the stream as the end of
the header block, and drops header lines that it can't parse. Here both are errors. This module
works on lines; it is independent of connections and bodies.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

from url_downloader.shared.models import ErrorKind

MAX_HEADER_BYTES = 256 * 1024
"""Bytes; upper bound for the header blocks of one reply, with its interim replies (1xx)."""
MAX_INTERIM = 100
"""Upper bound for the number of interim replies before one final reply."""
MAX_FIELDS = 99
"""Upper bound for the header lines of one block; `http.client` has the same."""

_STATUS_LINE = re.compile(rb"HTTP/1\.\d[ \t]+([1-9]\d\d)([ \t][^\r\n\0]*)?\r?\n")
_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+:|[ \t])[^\r\n\0]*\r?\n")
PLAIN_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-5]\d\d)(?: ([^\r\n\0]*))?\r\n"
    rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\0]*\r\n){1,99})\r\n"
)
"""Pattern for the status line and header block of nearly all replies.

The groups are status code, reason phrase and header lines. A reply that does not match may
still be valid: HeaderReader reads it line by line.
"""
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")
"""First bytes of a TLS alert and of a TLS handshake (RFC 8446 §5.1)."""
_LINE_END = re.compile(rb"[\r\n\0]")


class ExchangeError(http.client.HTTPException):
    """Error for an invalid reply of a server or proxy, or for the refusal of a proxy.

    It is an HTTPException, so that it passes through http.client and urllib3 like their own
    errors.

    Args:
        kind: Kind of the failure.
        message: One line for the user, without credentials.
    """

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message


class _LineSource(Protocol):
    """Stream with a method to read lines."""

    def readline(self, limit: int = -1, /) -> bytes: ...


class HeaderReader:
    """Stream of header lines for `http.client`; lines are checked, and their size is bounded.

    It skips all interim replies (1xx), because not every version of `http.client` does.

    Args:
        lines: Stream that begins with a status line.
    """

    def __init__(self, lines: _LineSource) -> None:
        self._lines = lines
        self._bytes_left = MAX_HEADER_BYTES
        self._expects_status_line = True
        self._is_interim = False
        self._interim_count = 0
        self._field_count = 0

    def readline(self, limit: int = -1, /) -> bytes:
        """Return the next line; nothing if the connection closed before the first byte.

        Args:
            limit: Upper bound for the bytes of the line with its end.

        Raises:
            ExchangeError: The line is invalid or incomplete, or a bound is exceeded.
        """
        line = self._checked_line(limit)
        while self._is_interim:
            line = self._checked_line(limit)
        return line

    def _checked_line(self, limit: int) -> bytes:
        line = self._lines.readline(limit)
        if not line and self._bytes_left == MAX_HEADER_BYTES:
            return line
        self._bytes_left -= len(line)
        if self._expects_status_line:
            check_start(line)
        if self._bytes_left < 0:
            raise _too_large_error(f"header block over {MAX_HEADER_BYTES // 1024} KiB")
        if not line.endswith(b"\n"):
            if len(line) == limit:
                raise _too_large_error(f"header line over {limit - 1} bytes")
            message = "connection closed inside the header block"
            raise ExchangeError(ErrorKind.TRUNCATED, message)
        return self._status_line(line) if self._expects_status_line else self._field_line(line)

    def _status_line(self, line: bytes) -> bytes:
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise _not_http_error(line)
        self._expects_status_line = False
        status = int(match[1])
        if status == HTTPStatus.SWITCHING_PROTOCOLS:
            raise malformed_error("HTTP 101 Switching Protocols, which was not asked for")
        self._is_interim = status < 200
        self._interim_count += self._is_interim
        if self._interim_count > MAX_INTERIM:
            raise _too_large_error(f"more than {MAX_INTERIM} interim replies (1xx)")
        self._field_count = 0
        return line

    def _field_line(self, line: bytes) -> bytes:
        if line in (b"\r\n", b"\n"):
            self._expects_status_line = self._is_interim
            return line
        self._field_count += 1
        if self._field_count > MAX_FIELDS:
            raise _too_large_error(f"more than {MAX_FIELDS} header lines")
        if not _FIELD_LINE.fullmatch(line):
            # Only the name, because the value may be a cookie.
            raise malformed_error(f"not a header line: {line.partition(b':')[0][:60]!r}")
        # Blanks after a value are not part of it (RFC 9112 §5.1), but http.client keeps them.
        # A folded line of blanks keeps one, because an empty line would end the block.
        return (line.rstrip(b" \t\r\n") or b" ") + b"\r\n"


class CountingLineReader:
    """Stream of lines that reports each piece of a line as it arrives.

    Args:
        stream: Buffered stream with `peek` and `read`.
        on_bytes: Called with the number of bytes of each piece.
    """

    def __init__(self, stream: Any, on_bytes: Callable[[int], None]) -> None:
        self._stream = stream
        self._on_bytes = on_bytes

    def readline(self, limit: int = -1, /) -> bytes:
        """Return the next line, or its first `limit` bytes if it is longer.

        The last line may lack its end; after it, the result is empty.
        """
        line = b""
        while not line.endswith(b"\n") and len(line) != limit and (buffered := self._peek()):
            end = buffered.find(b"\n") + 1 or len(buffered)
            piece = self._stream.read(end if limit < 0 else min(end, limit - len(line)))
            self._on_bytes(len(piece))
            line += piece
        return line

    def _peek(self) -> bytes:
        buffered: bytes = self._stream.peek(1)
        return buffered


def malformed_error(message: str) -> ExchangeError:
    """Return the error for a reply that is malformed."""
    return ExchangeError(ErrorKind.MALFORMED, message)


def _too_large_error(message: str) -> ExchangeError:
    return ExchangeError(ErrorKind.HEADERS_TOO_LARGE, message)


def check_start(line: bytes) -> None:
    """Check that the first bytes of a reply are those of HTTP; a single byte is enough.

    Raises:
        ExchangeError: The server uses another protocol.
    """
    if not line.startswith(b"HTTP/"[: len(line)]):
        raise _not_http_error(line)


def _not_http_error(line: bytes) -> ExchangeError:
    if line[:2] in _TLS_RECORDS:
        message = "the server speaks TLS on this port: try https"
        return ExchangeError(ErrorKind.NOT_HTTP, message)
    return ExchangeError(ErrorKind.NOT_HTTP, f"not an HTTP/1 status line: {line[:60]!r}")


def request_line(method: str, target: str) -> bytes:
    """Return the first line of a request (RFC 9112 §3).

    Raises:
        ValueError: Method or target contains a line end.
    """
    return _line(f"{method} {target} HTTP/1.1".encode("ascii"))


def header_block(fields: Mapping[str, str | bytes]) -> bytes:
    """Return the header lines of a request, with the empty line at their end (RFC 9112 §2.1).

    Raises:
        ValueError: A name or value contains a line end.
    """
    lines = []
    for name, value in fields.items():
        octets = value.encode("latin-1") if isinstance(value, str) else value
        lines.append(_line(b"%b: %b" % (name.encode("ascii"), octets)))
    return b"".join([*lines, b"\r\n"])


def _line(octets: bytes) -> bytes:
    if _LINE_END.search(octets):
        raise ValueError("a line end in the header of a request")
    return octets + b"\r\n"
