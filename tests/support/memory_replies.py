"""Replies in memory: connections over streams without a network, and readers of replies."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import pytest
from hypothesis import strategies as st

from url_downloader.network import reply_body
from url_downloader.network.connection import Connection
from url_downloader.network.reply_body import Body
from url_downloader.network.reply_head import ReplyHead
from url_downloader.network.route import Route
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.errors import AttemptError

OK = b"HTTP/1.1 200 OK\r\n"
BIG = 1 << 20
NEXT = b"HTTP/1.1 500 of the next reply\r\n\r\n"
ROUTE = Route(("http", "h", 80))
UNNEEDED = AssertionError("waited for bytes that were not needed")
"""Error of streams whose end no reader may wait for."""

_VALUES = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)
FIELDS = st.lists(
    _VALUES.map(lambda value: b"X-a.1_~: " + value.encode("latin-1")),
    max_size=6,
    unique_by=bytes.strip,
)
"""Lines of header fields, with all values that a field may have."""


class MemoryStream:
    """Stream that receives the given pieces, one by one; then its end, or an error instead.

    Args:
        pieces: Pieces that arrive, of which none is empty.
        error: Error that is raised in place of the end.
        send_error: Error that `sendall` raises.
        descriptor: Descriptor that `fileno` returns.

    Attributes:
        sent: Bytes that were sent.
        timeouts: Values of `settimeout`, in order.
        is_closed: Whether the stream was closed.
    """

    def __init__(
        self,
        *pieces: bytes,
        error: BaseException | None = None,
        send_error: OSError | None = None,
        descriptor: int = 0,
    ) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self._error = error
        self._send_error = send_error
        self._descriptor = descriptor
        self.sent = b""
        self.timeouts: list[float | None] = []
        self.is_closed = False

    def recv(self, size: int, /) -> bytes:
        if self._pieces:
            piece = self._pieces.pop(0)
            if piece[size:]:
                self._pieces.insert(0, piece[size:])
            return piece[:size]
        if self._error is not None:
            raise self._error
        return b""

    def sendall(self, data: bytes, /) -> None:
        if self._send_error is not None:
            raise self._send_error
        self.sent += data

    def settimeout(self, seconds: float | None, /) -> None:
        self.timeouts.append(seconds)

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        self.is_closed = True


class MemoryReply(NamedTuple):
    """Reply whose head has been read.

    Args:
        head: Head of the reply.
        body: Body, unread.
        connection: Connection of the reply.
    """

    head: ReplyHead
    body: Body
    connection: Connection


def connection_over(stream: MemoryStream) -> Connection:
    """Return a connection over a stream in memory."""
    return Connection(stream, cast("Any", stream), route=ROUTE)


def head(*fields: bytes, status: bytes = OK) -> bytes:
    """Return a header block."""
    return b"".join([status, *(field + b"\r\n" for field in fields), b"\r\n"])


def read_head(connection: Connection, control: AttemptControl | None = None) -> ReplyHead:
    """Return the head of a connection's next reply."""
    try:
        return connection.read_head(control or AttemptControl())
    finally:
        # Another thread may need it before this one reads on.
        COMPUTE_TURN.release()


def reply(data: bytes | MemoryStream | Connection) -> MemoryReply:
    """Return the reply that begins with this header block."""
    stream = MemoryStream(data) if isinstance(data, bytes) else data
    connection = connection_over(stream) if isinstance(stream, MemoryStream) else stream
    found = read_head(connection)
    return MemoryReply(found, reply_body.body_of(found, connection), connection)


def body_of(whole: MemoryReply, size: int = BIG) -> bytes:
    """Return the body, read in pieces of at most this size."""
    pieces: list[bytes] = []
    while piece := whole.body.read(size):
        assert len(piece) <= size
        pieces.append(bytes(piece))
    return b"".join(pieces)


def refusal(data: bytes | MemoryStream) -> str:
    """Return kind and message of the error that reading this reply, head and body, raises."""
    with pytest.raises(AttemptError) as caught:
        body_of(reply(data))
    return f"{caught.value.kind}: {caught.value.message}"


def assert_malformed(
    data: bytes | MemoryStream, *words: str, kind: str = "malformed-reply"
) -> None:
    """Check that this reply raises a short error of this kind, with these words."""
    error = refusal(data)
    assert error.startswith(f"{kind}: "), error
    assert all(word in error for word in words), error
    assert len(error) < 300


def in_pieces(data: bytes, size: int) -> list[bytes]:
    """Return the bytes in pieces of this size; the last one may be shorter."""
    return [data[start : start + size] for start in range(0, len(data), size)]
