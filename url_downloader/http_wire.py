"""HTTP/1.1 framing as RFC 9112 has it, under urllib3's feet.

`http.client` is lenient where a downloader must not be: it takes the end of the stream for the
end of the headers, drops header lines it can't read, ignores a Content-Length it can't parse
and accepts chunk sizes like `-5` or `0x1f`. Here each of these is an error. Knows one
connection and one reply; nothing of URLs, redirects or retries.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol

from url_downloader.shared.models import ErrorKind

MAX_HEADER_BYTES = 256 * 1024
"""Bound on the header blocks of one reply, interim replies (1xx) included."""
MAX_INTERIM = 100
"""Bound on the interim replies before one final reply."""
MAX_FIELDS = 99
"""Bound on the header lines of one block, which is that of `http.client`."""
_MAX_CHUNK_LINE = 4096
_MAX_TRAILER_BYTES = 64 * 1024

_STATUS_LINE = re.compile(rb"HTTP/1\.\d[ \t]+([1-9]\d\d)([ \t][^\r\n\0]*)?\r?\n")
_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+:|[ \t])[^\r\n\0]*\r?\n")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r\n\0]*)?\r\n")
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")
"""How an alert and a handshake begin (RFC 8446 §5.1)."""
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)


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

    Interim replies (1xx) are shown to it as 100, the only one that it skips by itself.
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
        line = self._lines.readline(limit)
        if not line and self._left == MAX_HEADER_BYTES:
            return line
        self._left -= len(line)
        if self._wants_status:
            _check_start(line)
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
            raise _malformed("HTTP 101 Switching Protocols, which was not asked for")
        self._is_interim = status < 200
        self._interim += self._is_interim
        if self._interim > MAX_INTERIM:
            raise _too_large(f"more than {MAX_INTERIM} interim replies (1xx)")
        self._fields = 0
        return b"HTTP/1.1 100 Continue\r\n" if self._is_interim else line

    def _field_line(self, line: bytes) -> bytes:
        if line in (b"\r\n", b"\n"):
            self._wants_status = self._is_interim
            return line
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise _too_large(f"more than {MAX_FIELDS} header lines")
        if not _FIELD_LINE.fullmatch(line):
            raise _malformed(f"not a header line: {line[:60]!r}")
        # The blanks after a value are not part of it (RFC 9112 §5.1); http.client keeps them.
        # One blank stays of a folded line that has nothing else: an empty one ends the block.
        return (line.rstrip(b" \t\r\n") or b" ") + b"\r\n"


class _LinesInPieces:
    """Lines of a stream, each piece of them counted as it comes."""

    def __init__(self, stream: Any, on_bytes: Callable[[int], None]) -> None:
        self._stream = stream
        self._on_bytes = on_bytes

    def readline(self, limit: int = -1, /) -> bytes:
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


class StrictResponse(http.client.HTTPResponse):
    """`http.client`'s reply, but strict in its header block and in the framing of its body.

    Args:
        on_begun: called when the first byte is there.
        on_bytes: told of the bytes of a header block that comes in pieces.

    Threads: as a socket: read by one thread at a time.
    """

    _chunk_bytes_left = 0
    _is_first_chunk = True

    def __init__(
        self,
        *args: Any,
        on_begun: Callable[[], None] = lambda: None,
        on_bytes: Callable[[int], None] = lambda count: None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._on_begun = on_begun
        self._on_bytes = on_bytes

    def begin(self) -> None:
        """Read the header block and decide how the body is framed (RFC 9112 §6.3).

        Raises:
            WireError: the header block or the framing is not to be trusted.
        """
        body: Any = self.fp
        if there := body.peek(1):
            self._on_begun()
            _check_start(there)
        lines = body if b"\r\n\r\n" in there else _LinesInPieces(body, self._on_bytes)
        self.fp = HeaderReader(lines)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            if self.fp is not None:
                self.fp = body
        self._frame()

    def _frame(self) -> None:
        codings = _tokens(self.headers.get_all("Transfer-Encoding", []))
        lengths = set(_tokens(self.headers.get_all("Content-Length", [])))
        self.chunked = False
        if self.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            self.length = 0
        elif codings - {"identity"}:
            self._frame_by_coding(codings - {"identity"})
        elif lengths:
            self._frame_by_length(lengths)

    def _frame_by_coding(self, codings: set[str]) -> None:
        if codings != {"chunked"}:
            raise _malformed(
                f"transfer coding not supported: {', '.join(sorted(codings))[:60]}"
            )
        del self.headers["Content-Length"]
        self.chunked = True
        self.length = None

    def _frame_by_length(self, lengths: set[str]) -> None:
        length = lengths.pop()
        if lengths:
            raise _malformed("differing Content-Length values")
        if not _LENGTH.fullmatch(length):
            raise _malformed(f"not a Content-Length: {length[:60]!r}")
        del self.headers["Content-Length"]
        self.headers["Content-Length"] = length
        self.length = int(length)

    def read1(self, n: int = -1) -> bytes:
        """What has arrived of the body, at most `n` bytes; empty at its end.

        Raises:
            WireError: a chunk is malformed, or the connection closed inside one.
        """
        if not self.chunked or self.fp is None:
            return super().read1(n)
        if not self._chunk_bytes_left:
            self._chunk_bytes_left = self._next_chunk_size()
            if not self._chunk_bytes_left:
                self._skip_trailer()
                self.close()
                return b""
        wanted = self._chunk_bytes_left if n < 0 else min(n, self._chunk_bytes_left)
        data = self.fp.read1(wanted)
        if not data:
            raise WireError(ErrorKind.TRUNCATED, "connection closed inside a chunk")
        self._chunk_bytes_left -= len(data)
        return data

    def _next_chunk_size(self) -> int:
        if not self._is_first_chunk and self._body_line() != b"\r\n":
            raise _malformed("a chunk is longer than its size says")
        self._is_first_chunk = False
        line = self._body_line()
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise _malformed(f"not a chunk size: {line[:60]!r}")
        return int(match[1], 16)

    def _body_line(self) -> bytes:
        line = self.fp.readline(_MAX_CHUNK_LINE)
        if not line.endswith(b"\n") and len(line) < _MAX_CHUNK_LINE:
            raise WireError(ErrorKind.TRUNCATED, "connection closed between chunks")
        return line

    def _skip_trailer(self) -> None:
        """Read the trailer section away. The body is complete without it (RFC 9112 §8)."""
        left = _MAX_TRAILER_BYTES
        while (line := self.fp.readline(left)) not in (b"\r\n", b"\n", b""):
            left -= len(line)
            if left <= 0:
                raise _malformed(f"trailer section over {_MAX_TRAILER_BYTES // 1024} KiB")


def _tokens(values: list[str]) -> set[str]:
    return {token.strip().lower() for value in values for token in value.split(",")}


def _malformed(message: str) -> WireError:
    return WireError(ErrorKind.MALFORMED, message)


def _too_large(message: str) -> WireError:
    return WireError(ErrorKind.HEADERS_TOO_LARGE, message)


def _check_start(line: bytes) -> None:
    """However short: what begins otherwise, no matter how it goes on, is something else."""
    if not line.startswith(b"HTTP/"[: len(line)]):
        raise _not_http(line)


def _not_http(line: bytes) -> WireError:
    if line[:2] in _TLS_RECORDS:
        return WireError(ErrorKind.NOT_HTTP, "the server speaks TLS on this port: try https")
    return WireError(ErrorKind.NOT_HTTP, f"not an HTTP/1 status line: {line[:60]!r}")
