"""Replies in memory: sockets and streams for code that reads HTTP/1.1 without a network."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import strategies as st

from url_downloader.network.message_head import ExchangeError
from url_downloader.network.strict_response import StrictResponse

OK = b"HTTP/1.1 200 OK\r\n"
BIG = 1 << 20
NEXT = b"HTTP/1.1 500 of the next reply\r\n\r\n"

_VALUES = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)
FIELDS = st.lists(
    _VALUES.map(lambda value: b"X-a.1_~: " + value.encode("latin-1")),
    max_size=6,
    unique_by=bytes.strip,
)
"""Lines of header fields, with all values that a field may have."""


class Stream(io.BytesIO):
    """Bytes that a server sends; then the end of the stream, or an error in its place.

    Attributes:
        position: Bytes that were read when the stream was closed.
    """

    def __init__(self, data: bytes = b"", error: BaseException | None = None) -> None:
        super().__init__(data)
        self.position = 0
        self._error = error

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        return line if line.endswith(b"\n") else self._end() or line

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(-1 if size is None else size) or self._end()

    def peek(self, _: int = 0) -> bytes:
        return self.getvalue()[self.tell() :] or self._end()

    def close(self) -> None:
        if not self.closed:
            self.position = self.tell()
        super().close()

    def _end(self) -> bytes:
        if self._error is not None:
            raise self._error
        return b""


class MemorySocket:
    """The methods of a connected socket that a request needs.

    Args:
        stream: Stream that `makefile` returns.
        error: Error that `sendall` raises.
    """

    def __init__(self, stream: io.BufferedIOBase, error: BaseException | None = None) -> None:
        self._stream = stream
        self._error = error

    def sendall(self, _: object) -> None:
        if self._error is not None:
            raise self._error

    def makefile(self, *_: object) -> io.BufferedIOBase:
        return self._stream

    def __getattr__(self, _: str) -> Callable[..., Any]:
        return lambda *_: None


def head(*fields: bytes, status: bytes = OK) -> bytes:
    """Return a header block."""
    return b"".join([status, *(field + b"\r\n" for field in fields), b"\r\n"])


def reply(data: bytes | io.BufferedIOBase) -> StrictResponse:
    """Return the reply that begins with this header block."""
    stream = Stream(data) if isinstance(data, bytes) else data
    response = StrictResponse(cast("Any", MemorySocket(stream)), method="GET")
    response.begin()
    return response


def body_of(response: StrictResponse, size: int = BIG) -> bytes:
    """Return the body, read in pieces of at most this size."""
    pieces: list[bytes] = []
    while piece := response.read1(size):
        assert len(piece) <= size or size < 0
        pieces.append(bytes(piece))
    return b"".join(pieces)


def refusal(data: bytes) -> str:
    """Return kind and message of the error that reading this reply, head and body, raises."""
    with pytest.raises(ExchangeError) as caught:
        body_of(reply(data))
    return f"{caught.value.kind}: {caught.value.message}"


def assert_malformed(data: bytes, *words: str, kind: str = "malformed-reply") -> None:
    """Check that this reply raises a short error of this kind, with these words."""
    error = refusal(data)
    assert error.startswith(f"{kind}: ")
    assert all(word in error for word in words)
    assert len(error) < 300
