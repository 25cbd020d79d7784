"""A strict reader of HTTP/1.1 replies from a connection (RFC 9112).

`http.client` is too lenient for a downloader. It ignores a Content-Length that it can't parse,
and accepts chunk sizes such as `-5` or `0x1f`. Here both are errors. This module reads one
reply from one connection; it is independent of URLs, redirects and retries.
"""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from url_downloader.network.headers import ReplyFields
from url_downloader.network.message_head import (
    PLAIN_HEAD,
    CountingLineReader,
    ExchangeError,
    HeaderReader,
    check_start,
    malformed_error,
)
from url_downloader.network.splice import BodyPipe, open_body_pipe
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Chunk

_MAX_CHUNK_LINE = 4096
"""Bytes; upper bound for the line with the size and extensions of a chunk."""
_MAX_PLAIN_HEAD = 8192
"""Bytes; upper bound for a head that PLAIN_HEAD parses. Larger heads are read line by line."""
MIN_PIPED_SIZE = 1024 * 1024
"""Bytes; shortest body that the kernel moves to the file: as much as fits into a pipe."""
_MAX_TRAILER_BYTES = 64 * 1024
"""Bytes; upper bound for the trailer section, which is read only to be discarded."""
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r\n\0]*)?\r\n")
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
"""Statuses of replies without a body, even with a Content-Length."""


class StrictResponse(http.client.HTTPResponse):
    """Reply as it is read from a connection: `http.client`'s class, with strict checks.

    The checks concern the header block and the framing of the body. In this package, a
    response is an object of this class, and a reply is the `HttpReply` around it.

    Args:
        sock: Socket to read from.
        on_begun: Called when the first byte has arrived.
        on_bytes: Called with the size in bytes of each piece of a header block that arrives in
            pieces.

    Threads: one at a time.
    """

    headers: ReplyFields  # type: ignore[assignment]
    _pipe: BodyPipe | None = None
    _chunk_bytes_left = 0
    _is_first_chunk = True

    def __init__(
        self,
        sock: socket.socket,
        *args: Any,
        on_begun: Callable[[], None] = lambda: None,
        on_bytes: Callable[[int], None] = lambda count: None,
        **kwargs: Any,
    ) -> None:
        super().__init__(sock, *args, **kwargs)
        self._sock = sock
        self._on_begun = on_begun
        self._on_bytes = on_bytes
        self._is_body_buffered = False
        self._has_last_chunk = False

    def begin(self) -> None:
        """Read the header block and determine the framing of the body (RFC 9112 §6.3).

        Raises:
            ExchangeError: The header block or the framing is invalid.
            OSError: The connection is lost, or the socket's timeout has passed.
        """
        stream: Any = self.fp
        with COMPUTE_TURN.released():
            if buffered := stream.peek(1):
                self._on_begun()
        if buffered:
            check_start(buffered)
        if (head := PLAIN_HEAD.match(buffered, 0, _MAX_PLAIN_HEAD)) is not None:
            stream.read(head.end())
            self._set_head(head)
        else:
            self._read_by_line(b"\r\n\r\n" in buffered)
        self._set_framing()
        self.msg = self.headers  # type: ignore[assignment]  # requests uses this name
        if head is not None and self.length is not None:
            surplus = len(buffered) - head.end() - self.length
            self._is_body_buffered = surplus >= 0
            if surplus > 0:
                # The surplus bytes can't be the reply to a request that is not sent yet.
                self.will_close = True
        if self.length is None and not self.chunked:
            self.will_close = True

    def _set_head(self, head: re.Match[bytes]) -> None:
        """Set the attributes that `http.client` sets from a head, in a tenth of the time."""
        self.version = 11
        self.code = self.status = int(head[1])
        self.reason = (head[2] or b"").strip().decode("latin-1")
        lines = []
        for line in head[3].decode("latin-1").split("\r\n")[:-1]:
            name, _, value = line.partition(":")
            lines.append((name, value.strip(" \t")))
        self.headers = ReplyFields(lines)
        self.will_close = "close" in self.headers.get("Connection", "").lower()
        self.length = None

    def _read_by_line(self, is_whole: bool) -> None:
        """Read the header block line by line; `is_whole` means that all of it is buffered."""
        stream: Any = self.fp
        if not is_whole:
            COMPUTE_TURN.release()
        lines = stream if is_whole else CountingLineReader(stream, self._on_bytes)
        self.fp = HeaderReader(lines)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            if self.fp is not None:
                self.fp = stream
        self.headers = ReplyFields(list(self.headers.items()))

    def _set_framing(self) -> None:
        codings = _tokens(self.headers.get("Transfer-Encoding"))
        lengths = _tokens(self.headers.get("Content-Length"))
        self.chunked = False
        if self.status in _BODILESS:
            self.length = 0
        elif codings - {"identity"}:
            self._set_chunked(codings - {"identity"})
        elif lengths:
            self._set_length(lengths)

    def _set_chunked(self, codings: set[str]) -> None:
        if codings != {"chunked"}:
            names = ", ".join(sorted(codings))
            raise malformed_error(f"transfer coding not supported: {names[:60]}")
        self.headers = self.headers.without("Content-Length")
        self.chunked = True
        self.length = None

    def _set_length(self, lengths: set[str]) -> None:
        length = lengths.pop()
        if lengths:
            raise malformed_error("differing Content-Length values")
        if not _LENGTH.fullmatch(length):
            raise malformed_error(f"not a Content-Length: {length[:60]!r}")
        if self.headers["Content-Length"] != length:
            others = self.headers.without("Content-Length").lines
            self.headers = ReplyFields([*others, ("Content-Length", length)])
        self.length = int(length)

    def pipe_body(self) -> bool:
        """Read a long body through a pipe, if possible; return whether there is a pipe."""
        if (self.length or 0) < MIN_PIPED_SIZE:
            return False
        self._pipe = open_body_pipe(self.fp, self._sock)
        return self._pipe is not None

    def flush(self) -> None:
        """Do nothing, because a reply is only read.

        The garbage collector may close the stream before this object. From Python 3.13 on,
        `http.client` reports then that it can't flush the closed stream.
        """

    def close(self) -> None:
        """Release the connection, and close the pipe."""
        if self._pipe is not None:
            self._pipe.close()
        super().close()

    def read1(self, n: int = -1) -> Chunk:  # type: ignore[override]  # bytes in a pipe, too
        """Wait for bytes of the body and return at most `n`; none at its end.

        Raises:
            ExchangeError: A chunk is malformed, or the connection closed inside the body.
            OSError: The connection is lost, or the socket's timeout has passed.
        """
        if not self._is_body_buffered:
            COMPUTE_TURN.release()
        if self.isclosed():
            return b""
        if self.chunked:
            return self._read_chunked(n)
        return super().read1(n) if self.length is None else self._read_counted(n)

    @property
    def is_complete(self) -> bool:
        """Tell whether the body was read to the end that its framing marks."""
        return self._has_last_chunk if self.chunked else self.length == 0

    def _read_counted(self, n: int) -> Chunk:
        left = self.length or 0
        body = self._pipe or self.fp
        data: Chunk = body.read1(left if n < 0 else min(n, left))
        if left and not data and n:
            raise ExchangeError(ErrorKind.TRUNCATED, "connection closed inside the body")
        self.length = left - len(data)
        return data

    def _read_chunked(self, n: int) -> bytes:
        if not self._chunk_bytes_left:
            self._chunk_bytes_left = self._next_chunk_size()
            if not self._chunk_bytes_left:
                self._skip_trailer()
                self._has_last_chunk = True
                self.close()
                return b""
        wanted = self._chunk_bytes_left if n < 0 else min(n, self._chunk_bytes_left)
        data = self.fp.read1(wanted)
        if not data:
            raise ExchangeError(ErrorKind.TRUNCATED, "connection closed inside a chunk")
        self._chunk_bytes_left -= len(data)
        return data

    def _next_chunk_size(self) -> int:
        if not self._is_first_chunk and self._body_line() != b"\r\n":
            raise malformed_error("a chunk is longer than its size says")
        self._is_first_chunk = False
        line = self._body_line()
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise malformed_error(f"not a chunk size: {line[:60]!r}")
        return int(match[1], 16)

    def _body_line(self) -> bytes:
        line = self.fp.readline(_MAX_CHUNK_LINE)
        if not line.endswith(b"\n") and len(line) < _MAX_CHUNK_LINE:
            raise ExchangeError(ErrorKind.TRUNCATED, "connection closed between chunks")
        return line

    def _skip_trailer(self) -> None:
        """Discard the trailer section; the body is complete without it (RFC 9112 §8)."""
        left = _MAX_TRAILER_BYTES
        while (line := self.fp.readline(left)) not in (b"\r\n", b"\n", b""):
            left -= len(line)
            if left <= 0:
                raise malformed_error(f"trailer section over {_MAX_TRAILER_BYTES // 1024} KiB")


def _tokens(value: str | None) -> set[str]:
    return set() if value is None else {token.strip().lower() for token in value.split(",")}
