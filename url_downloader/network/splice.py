"""Bodies that the kernel moves from a socket to a file, in one copy instead of two.

Linux's splice(2) moves bytes from a socket into a pipe, and from there into a file. What it
can't do is read and written the ordinary way. Knows nothing of HTTP.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import threading
from contextlib import ExitStack, suppress
from io import BufferedReader

from url_downloader.shared.descriptors import write_all
from url_downloader.shared.ports import Chunk

PIPE_SIZE = 1024 * 1024
"""Bytes that are moved at once; with a quarter of that hardly anything is gained."""
ENOUGH = PIPE_SIZE // 2
"""Bytes that are worth to be woken for; a fast server sends less than that in one go."""
MOMENT = 0.02
"""Seconds in which a fast server sends so many."""
MOST_PIPES = 16
"""A user with 64 MiB of them gets tiny pipes from then on, in all programs (pipe(7))."""
_NOT_MOVED = frozenset({errno.EAGAIN, errno.EINVAL, errno.ENOSYS, errno.EPERM})
"""What is said where bytes can only be read; EAGAIN where urgent ones are among them."""
_pipes = threading.BoundedSemaphore(MOST_PIPES)


class PipedBytes:
    """Bytes that lie in a pipe, until they are written or looked at.

    Args:
        pipe: where they are.
        size: all that are in it.

    Threads: one.
    """

    __slots__ = ("_data", "_pipe", "_size")

    def __init__(self, pipe: BodyPipe, size: int) -> None:
        self._pipe = pipe
        self._size = size
        self._data: bytes | None = None

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        if self._data is None:
            self._data = self._pipe.take()
        return self._data

    def write_to(self, descriptor: int) -> None:
        """Write them to a file.

        Raises:
            OSError: it doesn't take them.
        """
        if self._data is None:
            self._pipe.pour(descriptor)
        else:
            write_all(descriptor, self._data)


class BodyPipe:
    """A socket's stream whose bytes lie in a pipe when they are read.

    Args:
        stream: may hold the first bytes in its buffer.
        sock: the stream's, without TLS.
        ends: where the pipe is read and written; closed with `resources`.
        resources: closed with this.

    Threads: one.
    """

    def __init__(
        self,
        stream: BufferedReader,
        sock: socket.socket,
        *,
        ends: tuple[int, int],
        resources: ExitStack,
    ) -> None:
        self._stream = stream
        self._sock = sock
        self._reader, self._writer = ends
        self._resources = resources
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._is_buffer_empty = False
        self._is_moved = True
        self._is_fast = True
        self._wakes_at = 1
        self._held = 0

    def read1(self, n: int, /) -> Chunk:
        """What has arrived, at most `n` bytes; empty at the end.

        Raises:
            OSError: the connection is lost, or late.
        """
        if self._held:
            raise RuntimeError(f"{self._held} bytes were left in the pipe")
        if n and self._is_moved and self._is_buffer_empty:
            self._held = self._move(n)
            if self._held:
                return PipedBytes(self, self._held)
            self._is_moved = False
        # Neither the rest of the body nor the next reply may be that long.
        self._wake_at(1)
        # What is in the buffer comes first; it is not filled where more is asked for than fits.
        self._is_buffer_empty = True
        return self._stream.read1(n)

    def take(self) -> bytes:
        """The bytes that are in the pipe."""
        data = b""
        while self._held:
            data += (piece := os.read(self._reader, self._held))
            self._held -= len(piece)
        return data

    def pour(self, descriptor: int) -> None:
        """Write what is in the pipe to a file.

        Raises:
            OSError: it doesn't take them.
        """
        with suppress(OSError):
            while self._held and (moved := os.splice(self._reader, descriptor, self._held)):
                self._held -= moved
        if self._held:
            # If the file takes them in no way, the ordinary one tells why.
            self._is_moved = False
            write_all(descriptor, self.take())

    def close(self) -> None:
        """Close the pipe; what is in it is lost."""
        # The socket may be closed.
        with suppress(OSError):
            self._wake_at(1)
        self._resources.close()

    def _move(self, size: int) -> int:
        """Move what has arrived into the pipe; 0 if it is to be read, as is the end."""
        self._await(size)
        try:
            return os.splice(
                self._sock.fileno(), self._writer, size, flags=os.SPLICE_F_NONBLOCK
            )
        except OSError as error:
            if error.errno in _NOT_MOVED:
                return 0
            raise

    def _await(self, size: int) -> None:
        """Wait until something is there; for a moment, if the server is fast, for more."""
        if self._is_fast and size > ENOUGH:
            self._wake_at(ENOUGH)
            if self._poll.poll(MOMENT * 1000):
                return
            self._is_fast = False
        self._wake_at(1)
        timeout = self._sock.gettimeout()
        if not self._poll.poll(timeout and timeout * 1000):
            raise TimeoutError("timed out")

    def _wake_at(self, count: int) -> None:
        """Have the socket say that it can be read when so many bytes are there, or its end."""
        if count != self._wakes_at:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
            self._wakes_at = count


def piped(stream: BufferedReader, sock: socket.socket) -> BodyPipe | None:
    """The stream of this socket with a pipe; None where there is none, or it is of no use."""
    # TLS and what else is put on top of sockets is of other types.
    if type(sock) is not socket.socket or not hasattr(os, "splice"):
        return None
    if not _pipes.acquire(blocking=False):
        return None
    with ExitStack() as resources:
        resources.callback(_pipes.release)
        try:
            reader, writer = os.pipe()
            resources.callback(os.close, reader)
            resources.callback(os.close, writer)
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        except OSError:
            return None
        ends = reader, writer
        return BodyPipe(stream, sock, ends=ends, resources=resources.pop_all())
