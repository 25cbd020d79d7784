"""A pipe through which the kernel moves the bytes of a body from the socket to a file.

Linux's splice(2) moves bytes from a socket into a pipe, and from the pipe into a file. This
saves one of two copies. Where splice(2) does not work, bytes are read and written as usual.
Independent of HTTP.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import threading
from contextlib import ExitStack, suppress

from url_downloader.network.connection import Connection
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.descriptors import write_all
from url_downloader.shared.ports import Chunk

PIPE_SIZE = 1024 * 1024
"""Bytes; capacity of a pipe. With a quarter of it, splice(2) saves hardly any time."""
BATCH_SIZE = PIPE_SIZE // 2
"""Bytes to wait for, so that each system call moves many; a packet brings far fewer."""
BATCH_SECONDS = 0.02
"""Seconds; longest wait for a batch. A fast server sends one in this time."""
MAX_PIPES = 16
"""Upper bound for open pipes. From 64 MiB of pipes on, a user gets only tiny ones (pipe(7))."""
_CANT_SPLICE = frozenset({errno.EAGAIN, errno.EINVAL, errno.ENOSYS, errno.EPERM})
"""Error numbers of splice(2) for bytes that have to be read instead, such as urgent data."""
_pipe_slots = threading.BoundedSemaphore(MAX_PIPES)
"""Permits for pipes: one is taken for each open pipe."""


class PipedBytes:
    """Bytes in a pipe, until they are written to a file or read.

    Args:
        pipe: Body pipe that contains the bytes, and no other ones.
        size: Number of bytes.

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
            self._data = self._pipe.read_all()
        return self._data

    def write_to(self, descriptor: int) -> None:
        """Write the bytes to a file.

        Raises:
            OSError: The bytes can't be written.
        """
        if self._data is None:
            self._pipe.write_to(descriptor)
        else:
            write_all(descriptor, self._data)


class BodyPipe:
    """Pipe into which the bytes of a connection are moved, instead of being read.

    Args:
        connection: Connection without TLS; its buffer may contain the first bytes.
        ends: Descriptors of the pipe: to read and to write.
        resources: Resources that `close` releases; the descriptors are among them.

    Threads: one.
    """

    def __init__(
        self, connection: Connection, *, ends: tuple[int, int], resources: ExitStack
    ) -> None:
        self._connection = connection
        self._sock = connection.base
        self._reader, self._writer = ends
        self._resources = resources
        self._poll = select.poll()
        self._poll.register(self._sock, select.POLLIN)
        self._can_splice = True
        self._is_fast = True
        self._low_water_mark = 1
        self._piped_size = 0

    def read(self, size: int) -> Chunk:
        """Wait for bytes and return at most `size`; none at the end of the stream.

        The caller must use them before the next call.

        Raises:
            OSError: The connection is lost, or the socket's timeout has passed.
            RuntimeError: Bytes of the last call are still in the pipe.
        """
        if self._piped_size:
            raise RuntimeError(f"{self._piped_size} bytes were left in the pipe")
        if self._can_splice and not self._connection.buffered:
            COMPUTE_TURN.release()
            self._piped_size = self._splice_in(size)
            if self._piped_size:
                return PipedBytes(self, self._piped_size)
            self._can_splice = False
        # The rest of the body, or the next reply, may be shorter than a batch.
        self._set_low_water_mark(1)
        return self._connection.read(size)

    def read_all(self) -> bytes:
        """Return the bytes in the pipe, which is empty then."""
        data = b""
        while self._piped_size:
            data += (piece := os.read(self._reader, self._piped_size))
            self._piped_size -= len(piece)
        return data

    def write_to(self, descriptor: int) -> None:
        """Move the bytes in the pipe to a file.

        Raises:
            OSError: The bytes can't be written.
        """
        with suppress(OSError):
            while self._piped_size and (
                moved := os.splice(self._reader, descriptor, self._piped_size)
            ):
                self._piped_size -= moved
        if self._piped_size:
            # If an ordinary write fails too, its error has the reason.
            self._can_splice = False
            write_all(descriptor, self.read_all())

    def close(self) -> None:
        """Close the pipe; bytes in it are lost."""
        # The socket may be closed already.
        with suppress(OSError):
            self._set_low_water_mark(1)
        self._resources.close()

    def _splice_in(self, size: int) -> int:
        """Move bytes that have arrived into the pipe; return their number.

        The result is 0 at the end of the stream, and if the bytes have to be read instead.
        """
        self._wait_readable(size)
        try:
            return os.splice(
                self._sock.fileno(), self._writer, size, flags=os.SPLICE_F_NONBLOCK
            )
        except OSError as error:
            if error.errno in _CANT_SPLICE:
                return 0
            raise

    def _wait_readable(self, size: int) -> None:
        """Wait for bytes. From a fast server, wait briefly for a whole batch."""
        if self._is_fast and size > BATCH_SIZE:
            self._set_low_water_mark(BATCH_SIZE)
            if self._poll.poll(BATCH_SECONDS * 1000):
                return
            self._is_fast = False
        self._set_low_water_mark(1)
        timeout = self._connection.timeout
        if not self._poll.poll(timeout and timeout * 1000):
            raise TimeoutError("timed out")

    def _set_low_water_mark(self, count: int) -> None:
        """Set from how many bytes on poll() reports the socket as readable (SO_RCVLOWAT)."""
        if count != self._low_water_mark:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
            self._low_water_mark = count


def open_body_pipe(connection: Connection) -> BodyPipe | None:
    """Return a body pipe for a connection.

    Returns:
        None if splice(2) can't move these bytes, or if enough pipes are open already.
    """
    if connection.is_paced or not connection.is_plain or not hasattr(os, "splice"):
        return None
    if not _pipe_slots.acquire(blocking=False):
        return None
    with ExitStack() as resources:
        resources.callback(_pipe_slots.release)
        try:
            reader, writer = os.pipe()
            resources.callback(os.close, reader)
            resources.callback(os.close, writer)
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        except OSError:
            return None
        ends = reader, writer
        return BodyPipe(connection, ends=ends, resources=resources.pop_all())
