"""The header blocks of HTTP/1.1 messages as RFC 9112 has them.

`http.client` is lenient where a downloader must not be: it takes the end of the stream for the
end of the headers, and drops header lines that it can't read. Here each of these is an error.
Knows lines; nothing of connections and bodies.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

from url_downloader.shared.models import ErrorKind

MAX_HEADER_BYTES = 256 * 1024
"""Bound on the header blocks of one reply, interim replies (1xx) included."""
MAX_INTERIM = 100
"""Bound on the interim replies before one final reply."""
MAX_FIELDS = 99
"""Bound on the header lines of one block, which is that of `http.client`."""

_STATUS_LINE = re.compile(rb"HTTP/1\.\d[ \t]+([1-9]\d\d)([ \t][^\r\n\0]*)?\r?\n")
_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+:|[ \t])[^\r\n\0]*\r?\n")
# What nearly all replies begin with; what is not of this form is read line by line.
PLAIN_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-5]\d\d)(?: ([^\r\n\0]*))?\r\n"
    rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\0]*\r\n){1,99})\r\n"
)
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")
"""How an alert and a handshake begin (RFC 8446 §5.1)."""
_LINE_END = re.compile(rb"[\r\n\0]")


class WireError(http.client.HTTPException):
    """A reply breaks the rules of its protocol."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message


class _Lines(Protocol):
    def readline(self, limit: int = -1, /) -> bytes: ...


class HeaderReader:
    """Hands `http.client` the lines of a header block, each checked, all of them bounded.

    Interim replies (1xx) are left out: its versions differ in how many they skip, and which.
    """

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines
        self._left = MAX_HEADER_BYTES
        self._wants_status = True
        self._is_interim = False
        self._interim = 0
        self._fields = 0

    def readline(self, limit: int = -1, /) -> bytes:
        """The next line.

        Raises:
            WireError: it is no header line, cut short, or one byte too many.
        """
        line = self._checked_line(limit)
        while self._is_interim:
            line = self._checked_line(limit)
        return line

    def _checked_line(self, limit: int) -> bytes:
        line = self._lines.readline(limit)
        if not line and self._left == MAX_HEADER_BYTES:
            return line
        self._left -= len(line)
        if self._wants_status:
            check_start(line)
        if self._left < 0:
            raise _too_large(f"header block over {MAX_HEADER_BYTES // 1024} KiB")
        if not line.endswith(b"\n"):
            if len(line) == limit:
                raise _too_large(f"header line over {limit - 1} bytes")
            raise WireError(ErrorKind.TRUNCATED, "connection closed inside the header block")
        return self._status_line(line) if self._wants_status else self._field_line(line)

    def _status_line(self, line: bytes) -> bytes:
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise _not_http(line)
        self._wants_status = False
        status = int(match[1])
        if status == HTTPStatus.SWITCHING_PROTOCOLS:
            raise malformed("HTTP 101 Switching Protocols, which was not asked for")
        self._is_interim = status < 200
        self._interim += self._is_interim
        if self._interim > MAX_INTERIM:
            raise _too_large(f"more than {MAX_INTERIM} interim replies (1xx)")
        self._fields = 0
        return line

    def _field_line(self, line: bytes) -> bytes:
        if line in (b"\r\n", b"\n"):
            self._wants_status = self._is_interim
            return line
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise _too_large(f"more than {MAX_FIELDS} header lines")
        if not _FIELD_LINE.fullmatch(line):
            # Its value may be a cookie.
            raise malformed(f"not a header line: {line.partition(b':')[0][:60]!r}")
        # The blanks after a value are not part of it (RFC 9112 §5.1); http.client keeps them.
        # One blank stays of a folded line that has nothing else: an empty one ends the block.
        return (line.rstrip(b" \t\r\n") or b" ") + b"\r\n"


class LinesInPieces:
    """Lines of a stream, each piece of them counted as it comes."""

    def __init__(self, stream: Any, on_bytes: Callable[[int], None]) -> None:
        self._stream = stream
        self._on_bytes = on_bytes

    def readline(self, limit: int = -1, /) -> bytes:
        """The next line, or as much of it as there is room for."""
        line = b""
        while not line.endswith(b"\n") and len(line) != limit and (there := self._peek()):
            end = there.find(b"\n") + 1 or len(there)
            piece = self._stream.read(end if limit < 0 else min(end, limit - len(line)))
            self._on_bytes(len(piece))
            line += piece
        return line

    def _peek(self) -> bytes:
        there: bytes = self._stream.peek(1)
        return there


def malformed(message: str) -> WireError:
    """A message breaks the rules."""
    return WireError(ErrorKind.MALFORMED, message)


def _too_large(message: str) -> WireError:
    return WireError(ErrorKind.HEADERS_TOO_LARGE, message)


def check_start(line: bytes) -> None:
    """However short: what begins otherwise, no matter how it goes on, is something else."""
    if not line.startswith(b"HTTP/"[: len(line)]):
        raise _not_http(line)


def _not_http(line: bytes) -> WireError:
    if line[:2] in _TLS_RECORDS:
        return WireError(ErrorKind.NOT_HTTP, "the server speaks TLS on this port: try https")
    return WireError(ErrorKind.NOT_HTTP, f"not an HTTP/1 status line: {line[:60]!r}")


def request_line(method: str, target: str) -> bytes:
    """The first line of a request (RFC 9112 §3).

    Raises:
        ValueError: what is in it would end the line.
    """
    return _line(f"{method} {target} HTTP/1.1".encode("ascii"))


def header_block(fields: Mapping[str, str | bytes]) -> bytes:
    """Header lines and the end of their block (RFC 9112 §2.1).

    Raises:
        ValueError: what is in them would end a line.
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
