"""Streams to pipes, sockets and devices that a signal can interrupt while the reader is slow.

A plain write to a full pipe blocks until the reader reads. A caught signal does not end it,
because Python starts the write again (PEP 475). These streams write without blocking, and check
several times a second whether the run has to end.
"""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

POLL_SECONDS = 0.1
"""Seconds between two checks whether the run has to end; short enough to seem immediate."""
GRACE_SECONDS = 0.5
"""Seconds that a write waits for the reader even if the run has to end; then data is lost."""


class StopCheck:
    """Callable that returns whether the run has to end, for streams opened before the run.

    It returns False except within `using`.

    Threads: called from any thread; `using` only in the main thread.
    """

    def __init__(self) -> None:
        self._check: Callable[[], bool] = lambda: False

    def __call__(self) -> bool:
        return self._check()

    @contextmanager
    def using(self, check: Callable[[], bool]) -> Iterator[None]:
        """Make this object return the result of `check` while the block runs."""
        self._check = check
        try:
            yield
        finally:
            self._check = lambda: False


RUN_SHOULD_STOP = StopCheck()
"""The check for all streams of this process, which has one set of standard streams."""


class InterruptiblePipe(io.FileIO):
    """Unbuffered stream to a pipe, socket or device.

    Args:
        descriptor: File descriptor to write to.
        should_stop: Returns whether the run has to end; then data that the reader does not
            take in time is lost.
        is_owner: Whether `close` closes the descriptor.

    Attributes:
        has_lost_data: Whether data was lost because the reader did not take it in time.

    Threads: one at a time, as for every unbuffered stream.
    """

    def __init__(
        self, descriptor: int, *, should_stop: Callable[[], bool], is_owner: bool = False
    ) -> None:
        super().__init__(descriptor, "w", closefd=is_owner)
        self._should_stop = should_stop
        self.has_lost_data = False
        self._readiness = select.poll()
        self._readiness.register(descriptor, select.POLLOUT)

    def write(self, data: object, /) -> int:
        """Write all of the data, except for data lost at the end of the run; return its size.

        Raises:
            OSError: The other end is closed.
        """
        left = memoryview(data).cast("B")  # type: ignore[arg-type]
        size = len(left)
        while left and self._is_ready():
            # A pipe that is ready takes PIPE_BUF bytes without blocking (pipe(7)).
            with suppress(BlockingIOError):
                left = left[os.write(self.fileno(), left[: select.PIPE_BUF]) :]
        return size

    def _is_ready(self) -> bool:
        """Wait until some bytes can be written; return False if the run has to end first."""
        began = time.monotonic()
        while not self._readiness.poll(0 if self.has_lost_data else POLL_SECONDS * 1000):
            is_late = time.monotonic() > began + GRACE_SECONDS
            if self._should_stop() and (self.has_lost_data or is_late):
                # Later writes do not wait for the grace time again.
                self.has_lost_data = True
                return False
        return True


def is_pipe(descriptor: int) -> bool:
    """Tell whether a descriptor is a pipe or socket, so that a write may wait for a reader."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def text_stream(
    pipe: InterruptiblePipe, *, encoding: str = "utf-8", errors: str = "strict"
) -> io.TextIOWrapper:
    """Return a line-buffered text stream to a pipe."""
    buffer = io.BufferedWriter(pipe)
    return io.TextIOWrapper(buffer, encoding=encoding, errors=errors, line_buffering=True)


def open_pipe(path: Path, *, should_stop: Callable[[], bool]) -> int:
    """Open a FIFO or device for writing, and return its descriptor.

    A FIFO can be opened only when it has a reader; this function waits for one.

    Raises:
        OSError: The path can't be opened, or `should_stop` returned True before a reader came.
    """
    pause = select.poll()
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO or should_stop():
                raise
        pause.poll(POLL_SECONDS * 1000)
