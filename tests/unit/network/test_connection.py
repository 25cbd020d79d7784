"""Connections over streams in memory: requests that are sent, replies that are read."""

from __future__ import annotations

import errno
import io
import os
import ssl
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.memory_replies import (
    BIG,
    NEXT,
    OK,
    UNNEEDED,
    MemoryStream,
    body_of,
    connection_over,
    head,
    in_pieces,
    read_head,
    reply,
)
from url_downloader.network.connection import StaleConnectionError
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Phase

EMPTY = head(b"Content-Length: 0")
RESET = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
CUT_OFF = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (None, "connection closed before the reply"),
        (CUT_OFF, "connection closed before the reply"),
        (RESET, "connection lost: Connection reset by peer"),
    ],
)
def test_no_reply_at_all(error: OSError | None, message: str) -> None:
    """A connection that ends before the first byte is stale: the request may be sent again."""
    with pytest.raises(StaleConnectionError) as caught:
        reply(MemoryStream(error=error))
    assert (caught.value.kind, caught.value.message) == (ErrorKind.RESET, message)


def test_silence_is_not_the_end_of_a_connection() -> None:
    """A server that is silent may have begun its work: its connection is not stale."""
    for error in (TimeoutError("timed out"), BlockingIOError(errno.EAGAIN, "")):
        with pytest.raises(TimeoutError):
            reply(MemoryStream(error=error))


@pytest.mark.parametrize("sent", [b"H", OK, head(b"X: y")[:-1]])
def test_a_reply_that_has_begun(sent: bytes) -> None:
    """After the first byte, an end of the connection is the failure of an attempt."""
    with pytest.raises(ConnectionResetError):
        reply(MemoryStream(sent, error=RESET))
    for error in (None, CUT_OFF):
        with pytest.raises(AttemptError, match="inside the header block") as caught:
            reply(MemoryStream(sent, error=error))
        assert type(caught.value) is AttemptError
        assert caught.value.kind is ErrorKind.TRUNCATED


class RecordingControl(AttemptControl):
    """Control that records the progress of an attempt."""

    def __init__(self) -> None:
        self.calls: list[Phase | int] = []
        super().__init__()

    def enter(self, phase: Phase) -> None:
        self.calls.append(phase)

    def add_other_bytes(self, count: int) -> None:
        self.calls.append(count)


INTERIM = head(status=b"HTTP/1.1 100 \r\n")


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        ([EMPTY], []),
        ([OK, EMPTY[len(OK) :]], [Phase.REPLYING, len(EMPTY) - len(OK)]),
        ([INTERIM, OK, b"X", b": y\r\n\r\n"], [Phase.REPLYING, len(OK), 1, 7]),
        ([INTERIM + EMPTY], [Phase.REPLYING]),
    ],
)
def test_the_arrival_of_a_head_is_told(pieces: list[bytes], calls: list[Phase | int]) -> None:
    """A head in pieces tells that it has begun, and the size of each later piece."""
    control = RecordingControl()
    read_head(connection_over(MemoryStream(*pieces, error=UNNEEDED)), control)
    assert control.calls == calls


@pytest.mark.parametrize("size", [1, 10, BIG])
def test_replies_one_after_the_other(size: int) -> None:
    """A connection gives one reply for each request, until it is the last one."""
    replies = [
        head(b"Content-Length: 3") + b"one",
        head(b"Transfer-Encoding: chunked") + b"3\r\ntwo\r\n0\r\n\r\n",
        EMPTY,
        head(b"Content-Length: 4", b"Connection: close") + b"four",
    ]
    connection = connection_over(
        MemoryStream(*(p for r in replies for p in in_pieces(r, size)))
    )
    for expected, is_kept in ((b"one", True), (b"two", True), (b"", True), (b"four", False)):
        assert body_of(reply(connection)) == expected
        assert connection.can_be_kept is is_kept


@pytest.mark.parametrize(
    ("data", "is_kept"),
    [
        (EMPTY, True),
        (head(b"Content-Length: 4") + b"data", True),
        (head(status=b"HTTP/1.1 204 \r\n"), True),
        (head(b"Connection: keep-alive", b"Content-Length: 0"), True),
        (EMPTY.replace(b"1.1", b"1.0"), False),
        (head(b"Connection: close", b"Content-Length: 0"), False),
        (head(b"X: y") + b"to the end", False),
        (head(b"Transfer-Encoding: chunked", b"Content-Length: 3") + b"0\r\n\r\n", False),
        (head(b"Transfer-Encoding: chunked") + b"0\r\n\r\n", True),
        (head(b"Transfer-Encoding: chunked") + b"0\r\n", False),
        (EMPTY + b"\r\n", False),
        (EMPTY + NEXT, False),
        (head(b"Content-Length: 4") + b"data" + NEXT, False),
        (head(status=b"HTTP/1.1 204 \r\n") + NEXT, False),
    ],
)
def test_which_connections_are_kept(data: bytes, *, is_kept: bool) -> None:
    """No connection is kept that has ended, or that has bytes nobody asked for."""
    found = reply(MemoryStream(data))
    body_of(found)
    assert found.connection.can_be_kept is is_kept


def test_a_request_is_sent_as_it_is() -> None:
    """The bytes of a request are sent unchanged."""
    stream = MemoryStream()
    connection_over(stream).send(b"GET / HTTP/1.1\r\n\r\n")
    assert stream.sent == b"GET / HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(
    "error", [RESET, BrokenPipeError(errno.EPIPE, "Broken pipe"), ssl.SSLEOFError(8, "EOF")]
)
def test_a_server_that_replies_before_it_has_read_the_request(error: OSError) -> None:
    """If the server closes early, its reply is read; without one, the connection is stale."""
    refusing = head(b"Content-Length: 0", status=b"HTTP/1.1 431 \r\n")
    connection = connection_over(MemoryStream(refusing, send_error=error))
    connection.send(b"GET")
    assert read_head(connection).status == 431
    with pytest.raises(StaleConnectionError):
        read_head(connection)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.EHOSTUNREACH, "No route to host"), OSError),
        (TimeoutError("timed out"), TimeoutError),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), TimeoutError),
    ],
)
def test_a_request_that_can_not_be_sent(error: OSError, raised: type[OSError]) -> None:
    """Other errors of sending are raised; a full buffer is silence, as when reading."""
    with pytest.raises(raised) as caught:
        connection_over(MemoryStream(EMPTY, send_error=error)).send(b"GET")
    assert type(caught.value) is raised


def test_a_timeout_is_set_when_it_changes() -> None:
    """The same timeout again costs nothing."""
    stream = MemoryStream()
    connection = connection_over(stream)
    for seconds in (5.0, 5.0, None, None, 0.5):
        connection.set_timeout(seconds)
        assert connection.timeout == seconds
    assert stream.timeouts == [5.0, None, 0.5]


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(1, 12))
def test_no_byte_is_lost_or_read_twice(sizes: list[int], piece: int) -> None:
    """Reads of any size give the bytes in order, and no more than they ask for."""
    data = bytes(range(50))
    connection = connection_over(MemoryStream(*in_pieces(EMPTY + data, piece + len(EMPTY))))
    read_head(connection)
    found = [connection.read(size) for size in sizes]
    assert all(len(read) <= size for read, size in zip(found, sizes, strict=True))
    so_far = b"".join(found)
    assert data.startswith(so_far)
    while more := connection.read(7):
        so_far += more
    assert so_far == data


@given(st.lists(st.sampled_from([b"", b"a", b"bc", b"\r"]), max_size=6), st.integers(1, 5))
def test_lines_in_pieces(lines: list[bytes], piece: int) -> None:
    """A line is the same however it arrives; nothing behind its end is waited for."""
    whole = [line + b"\n" for line in lines]
    stream = MemoryStream(EMPTY, *in_pieces(b"".join(whole), piece), error=UNNEEDED)
    connection = connection_over(stream)
    read_head(connection)
    assert [connection.read_line(100) for _ in lines] == whole


@pytest.mark.parametrize("piece", [1, 3, BIG])
def test_a_long_line_and_an_unfinished_one(piece: int) -> None:
    """Of a line that is too long, the first bytes are read; the last line may lack its end."""
    connection = connection_over(MemoryStream(EMPTY, *in_pieces(b"12345\n6789\nend", piece)))
    read_head(connection)
    assert [connection.read_line(limit) for limit in (4, 2, 5, 9, 9)] == [
        *(b"1234", b"5\n", b"6789\n", b"end", b""),
    ]
    assert not connection.can_be_kept


def test_what_was_read_needs_no_memory() -> None:
    """The bytes of a reply are dropped as soon as they are read."""
    found = reply(head(b"Content-Length: 60000") + bytes(60_000))
    assert found.connection.buffered == 60_000
    assert len(body_of(found)) == 60_000
    assert found.connection.buffered == 0


@pytest.mark.parametrize("is_cut_off", [True, False])
def test_the_end_of_tls(*, is_cut_off: bool) -> None:
    """The end of TLS is the end of the stream; it is remembered if it came without an alert."""
    connection = connection_over(MemoryStream(EMPTY, error=CUT_OFF if is_cut_off else None))
    read_head(connection)
    assert (connection.is_cut_off, connection.can_be_kept) == (False, True)
    assert [connection.read(9), connection.read_line(9)] == [b"", b""]
    assert (connection.is_cut_off, connection.can_be_kept) == (is_cut_off, False)


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.FileIO]]:
    """Yield the ends of a pipe, of which the first can be polled like a socket."""
    reader, writer = os.pipe()
    with io.FileIO(writer, "w") as file:
        yield reader, file
    os.close(reader)


def test_when_a_connection_is_idle(pipe: tuple[int, io.FileIO]) -> None:
    """A connection is idle as long as no byte has arrived and the server has not closed it."""
    reader, writer = pipe
    connection = connection_over(MemoryStream(descriptor=reader))
    found = [connection.is_idle]
    writer.write(b"?")
    found.append(connection.is_idle)
    os.read(reader, 1)
    found.append(connection.is_idle)
    writer.close()
    found.append(connection.is_idle)
    assert found == [True, False, True, False]


class DecryptedStream(MemoryStream):
    """TLS that has decrypted some bytes, which are not visible at the socket any more."""

    def pending(self) -> int:
        return 3


def test_decrypted_bytes_are_seen(pipe: tuple[int, io.FileIO]) -> None:
    """A TLS connection with bytes that nobody asked for is not idle."""
    assert not connection_over(DecryptedStream(descriptor=pipe[0])).is_idle


def test_a_stream_in_memory_is_not_plain() -> None:
    """Only a bare socket is plain: the kernel can move its bytes."""
    assert not connection_over(MemoryStream()).is_plain


def test_closing() -> None:
    """A connection closes its stream, and drops the bytes that are left."""
    stream = MemoryStream(EMPTY + NEXT)
    found = reply(stream)
    found.connection.close()
    assert (stream.is_closed, found.connection.buffered) == (True, 0)
