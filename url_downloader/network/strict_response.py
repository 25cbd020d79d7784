"""HTTP/1.1 replies as RFC 9112 has them, under urllib3's feet.

`http.client` is lenient where a downloader must not be: it ignores a Content-Length that it
can't parse, and accepts chunk sizes like `-5` or `0x1f`. Here each of these is an error. Knows
one connection and one reply; nothing of URLs, redirects or retries.
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
    HeaderReader,
    LinesInPieces,
    WireError,
    check_start,
    malformed,
)
from url_downloader.network.splice import BodyPipe, piped
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Chunk

_MAX_CHUNK_LINE = 4096
_PLAIN_BYTES = 8192
WORTH_A_PIPE = 1024 * 1024
"""Bytes of a body from which on the kernel is asked to move them."""
_MAX_TRAILER_BYTES = 64 * 1024
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r\n\0]*)?\r\n")
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class StrictResponse(http.client.HTTPResponse):
    """`http.client`'s reply, but strict in its header block and in the framing of its body.

    Args:
        sock: where it comes from.
        on_begun: called when the first byte is there.
        on_bytes: told of the bytes of a header block that comes in pieces.

    Threads: as a socket: read by one thread at a time.
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
        self._is_here = False
        self._has_last_chunk = False

    def begin(self) -> None:
        """Read the header block and decide how the body is framed (RFC 9112 §6.3).

        Raises:
            WireError: the header block or the framing is not to be trusted.
        """
        body: Any = self.fp
        with COMPUTE_TURN.released():
            if there := body.peek(1):
                self._on_begun()
        if there:
            check_start(there)
        if (head := PLAIN_HEAD.match(there, 0, _PLAIN_BYTES)) is not None:
            body.read(head.end())
            self._take(head)
        else:
            self._read_by_line(b"\r\n\r\n" in there)
        self._frame()
        self.msg = self.headers  # type: ignore[assignment]  # requests asks by this name
        if head is not None and self.length is not None:
            surplus = len(there) - head.end() - self.length
            self._is_here = surplus >= 0
            if surplus > 0:
                # It is no reply to what will be asked next.
                self.will_close = True
        if self.length is None and not self.chunked:
            self.will_close = True

    def _take(self, head: re.Match[bytes]) -> None:
        """What `http.client` makes of a header block, in a tenth of the time."""
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
        body: Any = self.fp
        if not is_whole:
            COMPUTE_TURN.release()
        lines = body if is_whole else LinesInPieces(body, self._on_bytes)
        self.fp = HeaderReader(lines)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            if self.fp is not None:
                self.fp = body
        self.headers = ReplyFields(list(self.headers.items()))

    def _frame(self) -> None:
        codings = _tokens(self.headers.get("Transfer-Encoding"))
        lengths = _tokens(self.headers.get("Content-Length"))
        self.chunked = False
        if self.status in _BODILESS:
            self.length = 0
        elif codings - {"identity"}:
            self._frame_by_coding(codings - {"identity"})
        elif lengths:
            self._frame_by_length(lengths)

    def _frame_by_coding(self, codings: set[str]) -> None:
        if codings != {"chunked"}:
            raise malformed(f"transfer coding not supported: {', '.join(sorted(codings))[:60]}")
        self.headers = self.headers.without("Content-Length")
        self.chunked = True
        self.length = None

    def _frame_by_length(self, lengths: set[str]) -> None:
        length = lengths.pop()
        if lengths:
            raise malformed("differing Content-Length values")
        if not _LENGTH.fullmatch(length):
            raise malformed(f"not a Content-Length: {length[:60]!r}")
        if self.headers["Content-Length"] != length:
            others = self.headers.without("Content-Length").lines
            self.headers = ReplyFields([*others, ("Content-Length", length)])
        self.length = int(length)

    def pipe_body(self) -> bool:
        """Have the kernel move a long body, where it can; whether it will."""
        if (self.length or 0) < WORTH_A_PIPE:
            return False
        self._pipe = piped(self.fp, self._sock)
        return self._pipe is not None

    def flush(self) -> None:
        """Do nothing: a reply is only read.

        When Python collects a reply with its stream, the stream may be closed first. From 3.13
        on `http.client` would complain then that it can't flush it.
        """

    def close(self) -> None:
        """Let go of the connection, and of the pipe."""
        if self._pipe is not None:
            self._pipe.close()
        super().close()

    def read1(self, n: int = -1) -> Chunk:  # type: ignore[override]  # bytes in a pipe, too
        """What has arrived of the body, at most `n` bytes; empty at its end.

        Raises:
            WireError: a chunk is malformed, or the connection closed inside the body.
        """
        if not self._is_here:
            COMPUTE_TURN.release()
        if self.isclosed():
            return b""
        if self.chunked:
            return self._read_chunked(n)
        return super().read1(n) if self.length is None else self._read_counted(n)

    @property
    def is_complete(self) -> bool:
        """Whether the body was read to an end that the framing tells."""
        return self._has_last_chunk if self.chunked else self.length == 0

    def _read_counted(self, n: int) -> Chunk:
        left = self.length or 0
        body = self._pipe or self.fp
        data: Chunk = body.read1(left if n < 0 else min(n, left))
        if left and not data and n:
            raise WireError(ErrorKind.TRUNCATED, "connection closed inside the body")
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
            raise WireError(ErrorKind.TRUNCATED, "connection closed inside a chunk")
        self._chunk_bytes_left -= len(data)
        return data

    def _next_chunk_size(self) -> int:
        if not self._is_first_chunk and self._body_line() != b"\r\n":
            raise malformed("a chunk is longer than its size says")
        self._is_first_chunk = False
        line = self._body_line()
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise malformed(f"not a chunk size: {line[:60]!r}")
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
                raise malformed(f"trailer section over {_MAX_TRAILER_BYTES // 1024} KiB")


def _tokens(value: str | None) -> set[str]:
    return set() if value is None else {token.strip().lower() for token in value.split(",")}
