"""What the kernel moves from a socket to a file, and what it leaves to others."""

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
from io import BufferedReader
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from url_downloader.network import splice as body_pipe
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
BUFFER = 8192
SHORT = 0.01
LONG = 60.0


@dataclass(slots=True)
class Bench:
    """A connection, and a file for what comes.

    Args:
        server: the end that sends.
        client: the end that receives.
        stream: the client's.
        path: of the file.
        descriptor: of it.
    """

    server: socket.socket
    client: socket.socket
    stream: BufferedReader
    path: Path
    descriptor: int

    def pipe(self) -> BodyPipe:
        """The client's stream with a pipe."""
        made = open_body_pipe(self.stream, self.client)
        assert made is not None
        return made

    def has_begun(self) -> BodyPipe:
        """The same, with a byte read already, so that nothing is in the buffer."""
        self.server.sendall(b"-")
        made = self.pipe()
        assert made.read1(PIPE_SIZE) == b"-"
        return made

    def content(self) -> bytes:
        """What is in the file."""
        return self.path.read_bytes()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Both ends of a TCP connection, and an empty file."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(listener.getsockname()))
        server = stack.enter_context(listener.accept()[0])
        for end in (client, server):
            end.settimeout(LONG)
        stream = stack.enter_context(
            BufferedReader(cast("Any", client.makefile("rb", 0)), BUFFER)
        )
        path = tmp_path / "file"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        stack.callback(os.close, descriptor)
        yield Bench(server, client, stream, path, descriptor)


def written(pipe: BodyPipe, descriptor: int) -> list[type]:
    """Write all to the file; of which types the chunks were."""
    types: list[type] = []
    while chunk := pipe.read1(PIPE_SIZE):
        types.append(type(chunk))
        if isinstance(chunk, bytes):
            write_all(descriptor, chunk)
        else:
            chunk.write_to(descriptor)
    return types


def refusing(error: int, *, at: Callable[[int, int], bool], after: int = 0) -> Any:
    """A splice that moves `after` bytes and then fails, where source and target are `at`."""
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


@pytest.mark.parametrize("size", [1, BUFFER - 1, BUFFER, BUFFER + 1, 65_537, len(DATA)])
@pytest.mark.parametrize("is_begun", [False, True])
def test_every_byte_in_its_place(bench: Bench, size: int, is_begun: bool) -> None:
    """What the stream has in its buffer comes first, however much that is."""
    bench.server.sendall(DATA[:size])
    bench.server.close()
    if is_begun:
        assert bench.stream.peek(1)
    with closing(bench.pipe()) as pipe:
        types = written(pipe, bench.descriptor)
    assert bench.content() == DATA[:size]
    assert set(types[1:]) <= {PipedBytes}
    assert PipedBytes in types or size <= BUFFER or not is_begun


def test_what_has_arrived(bench: Bench) -> None:
    """No read waits for more than is there, nor gives more than is asked for."""
    with closing(bench.has_begun()) as pipe:
        for piece in (b"a", b"bc", b"def"):
            bench.server.sendall(piece)
            assert bytes(pipe.read1(PIPE_SIZE)) == piece
        bench.server.sendall(b"123456")
        assert [bytes(pipe.read1(size)) for size in (1, 2, 3)] == [b"1", b"23", b"456"]


def wakes_at(bench: Bench) -> int:
    """How many bytes make the client's socket say that it can be read."""
    return bench.client.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes that are enough to be woken for, as few as are sent in one go."""
    monkeypatch.setattr(body_pipe, "BATCH_SIZE", 1000)
    return 1000


def test_a_fast_server_is_given_a_moment(
    bench: Bench, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has sent more by then. At the end of a body nobody waits for more than there is."""
    monkeypatch.setattr(body_pipe, "BATCH_SECONDS", LONG)
    with closing(bench.has_begun()) as pipe:
        bench.server.sendall(DATA[: few - 1])
        more = threading.Timer(SHORT, bench.server.sendall, args=[DATA[:1]])
        more.start()
        assert bytes(pipe.read1(few + 1)) == DATA[: few - 1] + DATA[:1]
        more.join()
        bench.server.sendall(b"end")
        assert bytes(pipe.read1(few)) == b"end"


def test_a_slow_server_is_given_none_again(
    bench: Bench, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has sent after the moment is taken, and what it sends later at once."""
    with closing(bench.has_begun()) as pipe:
        for piece in (DATA[: few - 1], b"b"):
            bench.server.sendall(piece)
            assert bytes(pipe.read1(PIPE_SIZE)) == piece
            assert wakes_at(bench) == 1
            monkeypatch.setattr(body_pipe, "BATCH_SECONDS", LONG)


def test_the_next_reply_is_waited_for_as_ever(bench: Bench, few: int) -> None:
    """A body that is read in one go leaves the socket as it was."""
    with closing(bench.has_begun()) as pipe:
        bench.server.sendall(DATA[: few + 1])
        assert bytes(pipe.read1(few + 1)) == DATA[: few + 1]
        assert wakes_at(bench) == few
    assert wakes_at(bench) == 1


def test_what_is_read_the_ordinary_way_is_waited_for_as_ever(
    bench: Bench, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be moved, each byte counts again."""
    with closing(bench.has_begun()) as pipe:
        from_socket = refusing(
            errno.EINVAL, at=lambda source, _: source == bench.client.fileno()
        )
        monkeypatch.setattr(os, "splice", from_socket)
        bench.server.sendall(DATA[: few + 1])
        assert pipe.read1(few + 1) == DATA[: few + 1]
        assert wakes_at(bench) == 1


def test_what_a_file_only_takes_written_is_waited_for_as_ever(
    bench: Bench, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the end of a body, which is short, where the file's system moves nothing."""
    at_file = refusing(errno.EINVAL, at=lambda _, target: target == bench.descriptor)
    monkeypatch.setattr(os, "splice", at_file)
    with closing(bench.has_begun()) as pipe:
        bench.server.sendall(DATA[: few + 1])
        chunk = pipe.read1(PIPE_SIZE)
        assert isinstance(chunk, PipedBytes)
        chunk.write_to(bench.descriptor)
        bench.server.sendall(b"end")
        assert pipe.read1(PIPE_SIZE) == b"end"
        assert wakes_at(bench) == 1


def test_a_look_at_what_is_in_a_pipe(bench: Bench) -> None:
    """It can be looked at, again and again, and still be written."""
    with closing(bench.has_begun()) as pipe:
        bench.server.sendall(b"abc")
        chunk = pipe.read1(PIPE_SIZE)
        assert isinstance(chunk, PipedBytes)
        assert [len(chunk), bytes(chunk), bytes(chunk)] == [3, b"abc", b"abc"]
        chunk.write_to(bench.descriptor)
        bench.server.sendall(b"def")
        bench.server.close()
        assert written(pipe, bench.descriptor) == [PipedBytes]
    assert bench.content() == b"abcdef"


@pytest.mark.parametrize("more", [0, PIPE_SIZE])
def test_nothing_is_left_in_a_pipe(bench: Bench, more: int) -> None:
    """Who asks for more before it has taken what is there has lost it, and is told so."""
    with closing(bench.has_begun()) as pipe:
        bench.server.sendall(b"abc")
        assert len(pipe.read1(PIPE_SIZE)) == 3
        bench.server.sendall(b"def")
        with pytest.raises(RuntimeError, match="3 bytes were left"):
            pipe.read1(more)


def test_silence(bench: Bench) -> None:
    """Nothing within the socket's timeout is what it is to other readers."""
    with closing(bench.has_begun()) as pipe:
        bench.client.settimeout(SHORT)
        with pytest.raises(TimeoutError):
            pipe.read1(PIPE_SIZE)


@pytest.mark.parametrize("timeout", [LONG, None])
def test_the_end(bench: Bench, timeout: float | None) -> None:
    """The end of the stream is empty, each time."""
    bench.client.settimeout(timeout)
    with closing(bench.has_begun()) as pipe:
        bench.server.sendall(b"abc")
        bench.server.close()
        assert bytes(pipe.read1(PIPE_SIZE)) == b"abc"
        assert [pipe.read1(PIPE_SIZE) for _ in range(2)] == [b"", b""]


def test_a_reset(bench: Bench) -> None:
    """A lost connection is no end."""
    with closing(bench.has_begun()) as pipe:
        linger = struct.pack("ii", 1, 0)
        bench.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        bench.server.close()
        with pytest.raises(ConnectionResetError):
            pipe.read1(PIPE_SIZE)


@pytest.mark.parametrize("timeout", [LONG, None])
def test_urgent_data(bench: Bench, timeout: float | None) -> None:
    """It can't be moved, and neither ends the body nor keeps anybody busy."""
    bench.client.settimeout(timeout)
    with closing(bench.has_begun()) as pipe:
        bench.server.sendall(b"abc")
        bench.server.send(b"!", socket.MSG_OOB)
        bench.server.sendall(b"def")
        bench.server.close()
        written(pipe, bench.descriptor)
    assert bench.content() == b"abcdef"


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOSYS, errno.EPERM])
def test_a_socket_that_can_only_be_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """Where the kernel moves nothing from sockets, all is read."""
    at_socket = refusing(error, at=lambda source, _: source == bench.client.fileno())
    monkeypatch.setattr(os, "splice", at_socket)
    bench.server.sendall(DATA)
    bench.server.close()
    with closing(bench.pipe()) as pipe:
        assert set(written(pipe, bench.descriptor)) == {bytes}
    assert bench.content() == DATA


@pytest.mark.parametrize("after", [0, 1, 20_000])
def test_a_file_that_can_only_be_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """What is in the pipe by then is written nevertheless, and no more is moved."""
    at_file = refusing(
        errno.EINVAL, at=lambda _, target: target == bench.descriptor, after=after
    )
    monkeypatch.setattr(os, "splice", at_file)
    with closing(bench.has_begun()) as pipe:
        bench.server.sendall(DATA)
        bench.server.close()
        types = written(pipe, bench.descriptor)
    assert bench.content() == DATA
    assert types[0] is PipedBytes
    assert bytes in types or len(types) == 1


def test_a_file_that_only_grows(bench: Bench) -> None:
    """The kernel moves nothing into files that are open for appending."""
    with closing(bench.has_begun()) as pipe, bench.path.open("ab") as file:
        bench.server.sendall(b"abc")
        chunk = pipe.read1(PIPE_SIZE)
        assert isinstance(chunk, PipedBytes)
        chunk.write_to(file.fileno())
        bench.server.sendall(b"def")
        assert pipe.read1(PIPE_SIZE) == b"def"
    assert bench.content() == b"abc"


def test_a_file_that_takes_nothing(bench: Bench) -> None:
    """It says the same as when it is written to."""
    with closing(bench.has_begun()) as pipe, Path("/dev/full").open("wb") as full:
        bench.server.sendall(b"abc")
        chunk = pipe.read1(PIPE_SIZE)
        assert isinstance(chunk, PipedBytes)
        with pytest.raises(OSError, match="No space left on device"):
            chunk.write_to(full.fileno())


def test_no_pipe_over_tls(bench: Bench) -> None:
    """What comes over the wire is not what is meant there."""
    context = ssl.create_default_context()
    context.check_hostname = False
    with context.wrap_socket(bench.client, do_handshake_on_connect=False) as secure:
        assert open_body_pipe(bench.stream, secure) is None


def fails(error: int) -> Callable[..., Any]:
    """A function that fails so."""

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
    bench: Bench, monkeypatch: pytest.MonkeyPatch, module: Any, *, name: str, error: int
) -> None:
    """None of a useful size: one does without, any number of times, and nothing is left."""
    with monkeypatch.context() as patch:
        patch.setattr(module, name, fails(error))
        for _ in range(MAX_PIPES + 1):
            assert open_body_pipe(bench.stream, bench.client) is None
    bench.pipe().close()


def test_no_splice(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other systems do without."""
    monkeypatch.delattr(os, "splice")
    assert open_body_pipe(bench.stream, bench.client) is None


def test_many_pipes(bench: Bench) -> None:
    """There are so many at a time and no more; one that is closed, also twice, is one again."""
    pipes = [bench.pipe() for _ in range(MAX_PIPES)]
    assert open_body_pipe(bench.stream, bench.client) is None
    for _ in range(2):
        pipes[0].close()
    pipes[0] = bench.pipe()
    assert open_body_pipe(bench.stream, bench.client) is None
    for pipe in pipes:
        pipe.close()


def test_the_size_of_a_pipe(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes as much at once as was found to pay."""
    sizes: list[int] = []

    def splice(_: int, target: int, *__: object, **___: object) -> int:
        sizes.append(fcntl.fcntl(target, fcntl.F_GETPIPE_SZ))
        raise OSError(errno.EINVAL, "")

    with closing(bench.has_begun()) as pipe:
        bench.server.sendall(b"abc")
        monkeypatch.setattr(os, "splice", splice)
        assert pipe.read1(PIPE_SIZE) == b"abc"
    assert sizes == [PIPE_SIZE]
