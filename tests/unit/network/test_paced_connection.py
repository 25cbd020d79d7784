"""Connections that keep to a rate limit, over a pipe whose other end the test has."""

from __future__ import annotations

import fcntl
import io
import os
import ssl
import struct
import termios
from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.support.memory_replies import ROUTE, MemoryStream, body_of, head, read_head, reply
from tests.support.virtual_rate import VirtualControl, VirtualLimit
from url_downloader.network.paced_connection import PacedConnection
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

BODY = bytes(range(250)) * 4
REPLY = head(b"Content-Length: 1000") + BODY


class PipeStream(MemoryStream):
    """Stream that receives what is in a pipe.

    Args:
        reader: Descriptor of the pipe.
        decrypted: Bytes that TLS has decrypted already; they come first.
    """

    def __init__(self, reader: int, *, decrypted: bytes = b"") -> None:
        super().__init__(descriptor=reader)
        self.decrypted = decrypted
        self.sizes: list[int] = []

    def pending(self) -> int:
        return len(self.decrypted)

    def recv(self, size: int, /) -> bytes:
        self.sizes.append(size)
        data, self.decrypted = self.decrypted[:size], self.decrypted[size:]
        return data or os.read(self.fileno(), size)


class PacedPipe:
    """A paced connection over a pipe, with a limit on virtual time.

    Args:
        ends: Descriptors of the pipe: to read and to write.

    Attributes:
        limit: The limit: 1000 bytes per second, and so 100 bytes at most in one read.
        stream: Stream of the connection.
        in_pipe: Number of bytes in the pipe in each wait for the limit.
    """

    def __init__(self, ends: tuple[io.FileIO, io.FileIO]) -> None:
        self._reader, self._writer = ends
        self.limit = VirtualLimit(1000)
        self.stream = PipeStream(self._reader.fileno())
        self.in_pipe: list[int] = []
        self.control = VirtualControl(self.limit.clock, self._look)

    def connection(self, *, has_small_buffer: bool = False) -> PacedConnection:
        """Return a connection over the pipe."""
        made = PacedConnection(
            self.stream,
            cast("Any", self._reader),
            route=ROUTE,
            limiter=self.limit.limiter,
            control=self.control,
            has_small_buffer=has_small_buffer,
        )
        made.set_timeout(0.0)
        return made

    def send(self, data: bytes) -> None:
        """Have bytes arrive."""
        self._writer.write(data)

    def end(self) -> None:
        """Have the stream end."""
        self._writer.close()

    def _look(self) -> None:
        size = fcntl.ioctl(self._reader, termios.FIONREAD, bytes(4))
        self.in_pipe.append(struct.unpack("i", size)[0])

    @property
    def seconds(self) -> float:
        """Return the seconds that reads have waited."""
        return sum(self.control.waits)


@pytest.fixture
def pipe() -> Iterator[PacedPipe]:
    """Yield a connection's both ends."""
    reader, writer = os.pipe()
    with io.FileIO(reader) as ours, io.FileIO(writer, "w") as theirs:
        yield PacedPipe((ours, theirs))


def test_a_reply_takes_its_time(pipe: PacedPipe) -> None:
    """Head and body are read in small pieces, and take as long as the rate says."""
    connection = pipe.connection()
    pipe.send(REPLY)
    read_head(connection, pipe.control)
    read = b""
    while len(read) < len(BODY):
        read += connection.read(1 << 16)
    assert read == BODY
    assert max(pipe.stream.sizes) == pipe.limit.limiter.piece == 100
    assert pipe.seconds == pytest.approx(len(REPLY) / 1000)


def test_nothing_is_read_before_it_is_due(pipe: PacedPipe) -> None:
    """While a read waits, its bytes are still where they have arrived."""
    connection = pipe.connection()
    pipe.send(b"x" * 250)
    for _ in range(3):
        connection.read(1 << 16)
    assert pipe.in_pipe == [250, 150, 50]


def test_a_read_of_few_bytes_waits_for_these_only(pipe: PacedPipe) -> None:
    """What has arrived, or what is asked for, counts; not the size of a buffer."""
    connection = pipe.connection()
    pipe.send(b"x" * 80)
    assert len(connection.read(30)) == 30
    assert pipe.seconds == pytest.approx(0.03)
    assert len(connection.read(1 << 16)) == 50
    assert pipe.seconds == pytest.approx(0.08)


def test_silence_uses_up_nothing(pipe: PacedPipe) -> None:
    """A silent server is a timeout, which takes nothing from other connections."""
    connection = pipe.connection()
    with pytest.raises(TimeoutError, match="timed out"):
        connection.read(100)
    assert (pipe.stream.sizes, connection.can_be_kept) == ([], False)
    assert pipe.limit.admit(100) == pytest.approx(0.1)


def test_the_end_of_the_stream_costs_nothing(pipe: PacedPipe) -> None:
    """The end is seen, and the next connection's bytes are not later for it."""
    connection = pipe.connection()
    pipe.end()
    assert connection.read(100) == b""
    waited = pipe.seconds
    assert waited < 0.01
    assert pipe.limit.admit(100) + waited == pytest.approx(0.1)


def test_decrypted_bytes_are_not_waited_for(pipe: PacedPipe) -> None:
    """Bytes that TLS has taken from the socket already are read without a look at it."""
    connection = pipe.connection()
    pipe.stream.decrypted = b"x" * 150
    assert [len(connection.read(1 << 16)) for _ in range(2)] == [100, 50]
    assert pipe.seconds == pytest.approx(0.15)


def test_bytes_of_tls_itself_are_given_back(pipe: PacedPipe) -> None:
    """A record is longer than what is in it: the difference counts for nobody."""
    connection = pipe.connection()
    pipe.send(b"record" * 10)
    pipe.stream.decrypted = b"x" * 20
    assert len(connection.read(1 << 16)) == 20
    assert pipe.seconds == pytest.approx(0.08)
    assert pipe.limit.admit(60) == pytest.approx(0)


def test_an_aborted_attempt_reads_nothing(pipe: PacedPipe) -> None:
    """An abort during the wait is the error of the read; the connection is not kept."""
    connection = pipe.connection()
    pipe.send(REPLY)
    control = VirtualControl(pipe.limit.clock)
    control.abort()
    with pytest.raises(AttemptError) as caught:
        read_head(connection, control)
    assert caught.value.kind is ErrorKind.INTERRUPTED
    assert (pipe.stream.sizes, connection.can_be_kept) == ([], False)


def test_without_the_limit_reads_are_as_usual(pipe: PacedPipe) -> None:
    """While the limit is off, a read takes all that has arrived, without a wait."""
    connection = pipe.connection()
    pipe.limit.is_wanted = False
    pipe.send(REPLY)
    found = reply(connection)
    assert body_of(found) == BODY
    assert pipe.seconds == 0
    assert pipe.stream.sizes == [64 * 1024]


@pytest.mark.parametrize(
    ("has_small_buffer", "is_on", "is_kept"),
    [(True, True, True), (True, False, False), (False, True, True), (False, False, True)],
)
def test_which_connections_are_kept(
    pipe: PacedPipe, *, has_small_buffer: bool, is_on: bool, is_kept: bool
) -> None:
    """A connection with a small buffer is not kept once the limit is off: it would be slow."""
    connection = pipe.connection(has_small_buffer=has_small_buffer)
    pipe.send(head(b"Content-Length: 0"))
    read_head(connection, pipe.control)
    pipe.limit.is_wanted = is_on
    assert connection.can_be_kept is is_kept


def test_a_last_reply_is_a_last_reply(pipe: PacedPipe) -> None:
    """A connection that the server ends is not kept, with the limit or without it."""
    connection = pipe.connection()
    pipe.send(head(b"Connection: close", b"Content-Length: 0"))
    read_head(connection, pipe.control)
    assert not connection.can_be_kept


def test_tls_that_is_cut_off(pipe: PacedPipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of TLS without an alert is noted, as without the limit."""
    connection = pipe.connection()

    def recv(_: int) -> bytes:
        raise ssl.SSLEOFError(8, "EOF occurred in violation of protocol")

    monkeypatch.setattr(pipe.stream, "recv", recv)
    pipe.end()
    assert connection.read(100) == b""
    assert connection.is_cut_off
