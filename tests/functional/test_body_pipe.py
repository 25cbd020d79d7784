"""Bodies that the kernel moves from a socket to a file, without copies in Python."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.support.memory_replies import ROUTE, head, read_head
from url_downloader.network import splice as body_pipe
from url_downloader.network.connection import Connection
from url_downloader.network.splice import (
    MAX_PIPES,
    PIPE_SIZE,
    BodyPipe,
    PipedBytes,
    open_body_pipe,
)
from url_downloader.shared.descriptors import write_all

pytestmark = pytest.mark.skipif(not hasattr(os, "splice"), reason="no splice(2) here")
DATA = Random(7).randbytes(100_000)
HEAD = head(b"X: y")
BUFFER = 65_536 - len(HEAD)
"""Most bytes of a body that are received together with its head."""
SHORT = 0.01
LONG = 60.0


@dataclass(slots=True)
class Transfer:
    """A connection, and a file for the body.

    Args:
        server: End that sends.
        client: End that receives.
        connection: Connection over the client's end.
        path: Path of the file.
        descriptor: Descriptor of the file.
    """

    server: socket.socket
    client: socket.socket
    connection: Connection
    path: Path
    descriptor: int

    def pipe(self) -> BodyPipe:
        """Return a pipe for the connection."""
        made = open_body_pipe(self.connection)
        assert made is not None
        return made

    def has_begun(self) -> BodyPipe:
        """Return a pipe after the head alone was read, so that the buffer is empty."""
        self.server.sendall(HEAD)
        read_head(self.connection)
        assert self.connection.buffered == 0
        return self.pipe()

    def content(self) -> bytes:
        """Return the content of the file."""
        return self.path.read_bytes()


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Transfer]:
    """Yield a TCP connection and an empty file."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(listener.getsockname()))
        server = stack.enter_context(listener.accept()[0])
        for end in (client, server):
            end.setblocking(True)
        connection = Connection(client, client, route=ROUTE)
        connection.set_timeout(LONG)
        path = tmp_path / "file"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        stack.callback(os.close, descriptor)
        yield Transfer(server, client, connection, path, descriptor)


def written(pipe: BodyPipe, descriptor: int) -> list[type]:
    """Write the body to the file; return the types of its chunks."""
    types: list[type] = []
    while chunk := pipe.read(PIPE_SIZE):
        types.append(type(chunk))
        if isinstance(chunk, bytes):
            write_all(descriptor, chunk)
        else:
            chunk.write_to(descriptor)
    return types


def refusing(error: int, *, at: Callable[[int, int], bool], after: int = 0) -> Any:
    """Return a splice that fails after `after` bytes, for the descriptors that `at` selects."""
    real, left = os.splice, after

    def splice(source: int, target: int, count: int, **named: Any) -> int:
        nonlocal left
        if not at(source, target):
            return real(source, target, count, **named)
        if not left:
            raise OSError(error, os.strerror(error))
        moved = real(source, target, min(left, count), **named)
        left -= moved
        return moved

    return splice


@pytest.mark.parametrize("size", [1, BUFFER - 1, BUFFER, BUFFER + 1, len(DATA)])
def test_every_byte_in_its_place(link: Transfer, size: int) -> None:
    """The bytes that came with the head are the first, however many there are."""
    link.server.sendall(HEAD + DATA[:size])
    link.server.close()
    read_head(link.connection)
    buffered = link.connection.buffered
    with closing(link.pipe()) as pipe:
        types = written(pipe, link.descriptor)
    assert link.content() == DATA[:size]
    assert types[0] is bytes
    assert set(types[1:]) <= {PipedBytes}
    assert (PipedBytes in types) == (buffered < size)


@pytest.mark.parametrize("size", [1, 65_537, len(DATA)])
def test_bytes_after_an_empty_buffer(link: Transfer, size: int) -> None:
    """If nothing came with the head, no byte is read."""
    with closing(link.has_begun()) as pipe:
        link.server.sendall(DATA[:size])
        link.server.close()
        assert set(written(pipe, link.descriptor)) == {PipedBytes}
    assert link.content() == DATA[:size]


def test_what_has_arrived(link: Transfer) -> None:
    """A read waits for no more than has arrived, and gives no more than is asked for."""
    with closing(link.has_begun()) as pipe:
        for piece in (b"a", b"bc", b"def"):
            link.server.sendall(piece)
            assert bytes(pipe.read(PIPE_SIZE)) == piece
        link.server.sendall(b"123456")
        assert [bytes(pipe.read(size)) for size in (1, 2, 3)] == [b"1", b"23", b"456"]


def wakes_at(link: Transfer) -> int:
    """Return the number of bytes that make the client's socket readable."""
    return link.client.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Make the bytes for which a reader is woken few enough to be sent at once."""
    monkeypatch.setattr(body_pipe, "BATCH_SIZE", 1000)
    return 1000


def test_a_fast_server_is_given_a_moment(
    link: Transfer, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader waits a moment for more bytes, but not at the end of a body."""
    monkeypatch.setattr(body_pipe, "BATCH_SECONDS", LONG)
    with closing(link.has_begun()) as pipe:
        link.server.sendall(DATA[: few - 1])
        more = threading.Timer(SHORT, link.server.sendall, args=[DATA[:1]])
        more.start()
        assert bytes(pipe.read(few + 1)) == DATA[: few - 1] + DATA[:1]
        more.join()
        link.server.sendall(b"end")
        assert bytes(pipe.read(few)) == b"end"


def test_a_slow_server_is_given_none_again(
    link: Transfer, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a wait in vain the reader takes what came, and later bytes at once."""
    with closing(link.has_begun()) as pipe:
        for piece in (DATA[: few - 1], b"b"):
            link.server.sendall(piece)
            assert bytes(pipe.read(PIPE_SIZE)) == piece
            assert wakes_at(link) == 1
            monkeypatch.setattr(body_pipe, "BATCH_SECONDS", LONG)


def test_the_next_reply_is_waited_for_as_ever(link: Transfer, few: int) -> None:
    """After a body the socket wakes its reader for one byte again."""
    with closing(link.has_begun()) as pipe:
        link.server.sendall(DATA[: few + 1])
        assert bytes(pipe.read(few + 1)) == DATA[: few + 1]
        assert wakes_at(link) == few
    assert wakes_at(link) == 1


def test_what_is_read_the_ordinary_way_is_waited_for_as_ever(
    link: Transfer, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If nothing can be moved, the socket wakes its reader for one byte."""
    with closing(link.has_begun()) as pipe:
        from_socket = refusing(
            errno.EINVAL, at=lambda source, _: source == link.client.fileno()
        )
        monkeypatch.setattr(os, "splice", from_socket)
        link.server.sendall(DATA[: few + 1])
        assert pipe.read(few + 1) == DATA[: few + 1]
        assert wakes_at(link) == 1


def test_what_a_file_only_takes_written_is_waited_for_as_ever(
    link: Transfer, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a body, too, comes at once where the file takes no moved bytes."""
    at_file = refusing(errno.EINVAL, at=lambda _, target: target == link.descriptor)
    monkeypatch.setattr(os, "splice", at_file)
    with closing(link.has_begun()) as pipe:
        link.server.sendall(DATA[: few + 1])
        chunk = pipe.read(PIPE_SIZE)
        assert isinstance(chunk, PipedBytes)
        chunk.write_to(link.descriptor)
        link.server.sendall(b"end")
        assert pipe.read(PIPE_SIZE) == b"end"
        assert wakes_at(link) == 1


def test_a_look_at_what_is_in_a_pipe(link: Transfer) -> None:
    """A chunk in a pipe can be looked at several times, and still be written."""
    with closing(link.has_begun()) as pipe:
        link.server.sendall(b"abc")
        chunk = pipe.read(PIPE_SIZE)
        assert isinstance(chunk, PipedBytes)
        assert [len(chunk), bytes(chunk), bytes(chunk)] == [3, b"abc", b"abc"]
        chunk.write_to(link.descriptor)
        link.server.sendall(b"def")
        link.server.close()
        assert written(pipe, link.descriptor) == [PipedBytes]
    assert link.content() == b"abcdef"


@pytest.mark.parametrize("more", [0, PIPE_SIZE])
def test_nothing_is_left_in_a_pipe(link: Transfer, more: int) -> None:
    """A read before the last chunk was taken is an error."""
    with closing(link.has_begun()) as pipe:
        link.server.sendall(b"abc")
        assert len(pipe.read(PIPE_SIZE)) == 3
        link.server.sendall(b"def")
        with pytest.raises(RuntimeError, match="3 bytes were left"):
            pipe.read(more)


@pytest.mark.parametrize("is_spliced", [True, False])
def test_silence(link: Transfer, monkeypatch: pytest.MonkeyPatch, *, is_spliced: bool) -> None:
    """No byte within the timeout raises TimeoutError, also where bytes have to be read."""
    with closing(link.has_begun()) as pipe:
        if not is_spliced:
            at_socket = refusing(
                errno.EINVAL, at=lambda source, _: source == link.client.fileno()
            )
            monkeypatch.setattr(os, "splice", at_socket)
            link.server.sendall(b"a")
            assert pipe.read(PIPE_SIZE) == b"a"
        link.connection.set_timeout(SHORT)
        with pytest.raises(TimeoutError):
            pipe.read(PIPE_SIZE)


@pytest.mark.parametrize("timeout", [LONG, None])
def test_the_end(link: Transfer, timeout: float | None) -> None:
    """At the end of the stream each read returns no bytes."""
    link.connection.set_timeout(timeout)
    with closing(link.has_begun()) as pipe:
        link.server.sendall(b"abc")
        link.server.close()
        assert bytes(pipe.read(PIPE_SIZE)) == b"abc"
        assert [pipe.read(PIPE_SIZE) for _ in range(2)] == [b"", b""]


def test_a_reset(link: Transfer) -> None:
    """A reset is an error, not the end of the body."""
    with closing(link.has_begun()) as pipe:
        linger = struct.pack("ii", 1, 0)
        link.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        link.server.close()
        with pytest.raises(ConnectionResetError):
            pipe.read(PIPE_SIZE)


@pytest.mark.parametrize("timeout", [LONG, None])
def test_urgent_data(link: Transfer, timeout: float | None) -> None:
    """Urgent data, which can't be moved, neither ends the body nor causes a busy loop."""
    link.connection.set_timeout(timeout)
    with closing(link.has_begun()) as pipe:
        link.server.sendall(b"abc")
        link.server.send(b"!", socket.MSG_OOB)
        link.server.sendall(b"def")
        link.server.close()
        written(pipe, link.descriptor)
    assert link.content() == b"abcdef"


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOSYS, errno.EPERM])
def test_a_socket_that_can_only_be_read(
    link: Transfer, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """If the kernel moves nothing from sockets, all bytes are read."""
    at_socket = refusing(error, at=lambda source, _: source == link.client.fileno())
    monkeypatch.setattr(os, "splice", at_socket)
    link.server.sendall(DATA)
    link.server.close()
    with closing(link.pipe()) as pipe:
        assert set(written(pipe, link.descriptor)) == {bytes}
    assert link.content() == DATA


@pytest.mark.parametrize("after", [0, 1, 20_000])
def test_a_file_that_can_only_be_written(
    link: Transfer, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """The bytes in the pipe are written nevertheless, and no more are moved."""
    at_file = refusing(
        errno.EINVAL, at=lambda _, target: target == link.descriptor, after=after
    )
    monkeypatch.setattr(os, "splice", at_file)
    with closing(link.has_begun()) as pipe:
        link.server.sendall(DATA)
        link.server.close()
        types = written(pipe, link.descriptor)
    assert link.content() == DATA
    assert types[0] is PipedBytes
    assert bytes in types or len(types) == 1


def test_a_file_that_only_grows(link: Transfer) -> None:
    """The kernel moves nothing into files that are open for appending; bytes are written."""
    with closing(link.has_begun()) as pipe, link.path.open("ab") as file:
        link.server.sendall(b"abc")
        chunk = pipe.read(PIPE_SIZE)
        assert isinstance(chunk, PipedBytes)
        chunk.write_to(file.fileno())
        link.server.sendall(b"def")
        assert pipe.read(PIPE_SIZE) == b"def"
    assert link.content() == b"abc"


def test_a_file_that_takes_nothing(link: Transfer) -> None:
    """A full disk raises the same error as for written bytes."""
    with closing(link.has_begun()) as pipe, Path("/dev/full").open("wb") as full:
        link.server.sendall(b"abc")
        chunk = pipe.read(PIPE_SIZE)
        assert isinstance(chunk, PipedBytes)
        with pytest.raises(OSError, match="No space left on device"):
            chunk.write_to(full.fileno())


def test_no_pipe_over_tls(link: Transfer) -> None:
    """There is no pipe over TLS, as the bytes on the wire are encrypted."""
    context = ssl.create_default_context()
    context.check_hostname = False
    with context.wrap_socket(link.client, do_handshake_on_connect=False) as secure:
        for base in (secure, link.client):  # the second one as with TLS within TLS
            assert open_body_pipe(Connection(secure, base, route=ROUTE)) is None


def fails(error: int) -> Callable[..., Any]:
    """Return a function that fails with this error."""

    def fail(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    return fail


@pytest.mark.parametrize(
    ("module", "name", "error"),
    [
        *[(os, "pipe", errno.EMFILE), (os, "pipe", errno.ENFILE)],
        *[(fcntl, "fcntl", errno.EPERM), (fcntl, "fcntl", errno.EBUSY)],
    ],
)
def test_no_pipe_to_be_had(
    link: Transfer, monkeypatch: pytest.MonkeyPatch, module: Any, *, name: str, error: int
) -> None:
    """Without a pipe of useful size there is none, and no descriptor leaks."""
    with monkeypatch.context() as patch:
        patch.setattr(module, name, fails(error))
        for _ in range(MAX_PIPES + 1):
            assert open_body_pipe(link.connection) is None
    link.pipe().close()


def test_no_splice(link: Transfer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems without splice use no pipe."""
    monkeypatch.delattr(os, "splice")
    assert open_body_pipe(link.connection) is None


def test_many_pipes(link: Transfer) -> None:
    """The number of pipes is bounded; a closed pipe, also one closed twice, frees one place."""
    pipes = [link.pipe() for _ in range(MAX_PIPES)]
    assert open_body_pipe(link.connection) is None
    for _ in range(2):
        pipes[0].close()
    pipes[0] = link.pipe()
    assert open_body_pipe(link.connection) is None
    for pipe in pipes:
        pipe.close()


def test_the_size_of_a_pipe(link: Transfer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe has the size that was measured to be worthwhile."""
    sizes: list[int] = []

    def splice(_: int, target: int, *__: object, **___: object) -> int:
        sizes.append(fcntl.fcntl(target, fcntl.F_GETPIPE_SZ))
        raise OSError(errno.EINVAL, "")

    with closing(link.has_begun()) as pipe:
        link.server.sendall(b"abc")
        monkeypatch.setattr(os, "splice", splice)
        assert pipe.read(PIPE_SIZE) == b"abc"
    assert sizes == [PIPE_SIZE]
