"""Pipes that are written to only as fast as their reader reads, so that a signal can end it.

A plain write to a full pipe blocks for ever, and no signal that is caught ends it (PEP 475).
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

SLICE = 0.1
"""Seconds between two looks whether to give up."""
GRACE = 0.5
"""Seconds that a slow reader gets when the run has to end."""


class EndOfRun:
    """Tells pipes that were opened before a run began whether it has to end.

    Threads: called from any.
    """

    def __init__(self) -> None:
        self._is_on: Callable[[], bool] = lambda: False

    def __call__(self) -> bool:
        return self._is_on()

    @contextmanager
    def by(self, is_on: Callable[[], bool]) -> Iterator[None]:
        """Ask this for as long as the block runs."""
        self._is_on = is_on
        try:
            yield
        finally:
            self._is_on = lambda: False


RUN_IS_ENDING = EndOfRun()
"""That of this process, as it has one set of standard streams."""


class InterruptiblePipe(io.FileIO):
    """A pipe, socket or device to write to.

    Args:
        descriptor: to write to.
        gave_up: tells whether the run has to end; then what can't be written is lost.
        is_owner: whether `close` closes the descriptor.

    Attributes:
        is_lost: whether something that could not be written in time is lost.

    Threads: as every stream.
    """

    def __init__(
        self, descriptor: int, *, gave_up: Callable[[], bool], is_owner: bool = False
    ) -> None:
        super().__init__(descriptor, "w", closefd=is_owner)
        self._gave_up = gave_up
        self.is_lost = False
        self._readiness = select.poll()
        self._readiness.register(descriptor, select.POLLOUT)

    def write(self, data: object, /) -> int:
        """Write all of the data, or lose what the reader does not take in time.

        Raises:
            OSError: the other end is closed.
        """
        left = memoryview(data).cast("B")  # type: ignore[arg-type]
        size = len(left)
        while left and self._is_ready():
            # A pipe that is ready takes so much without blocking (pipe(7)).
            with suppress(BlockingIOError):
                left = left[os.write(self.fileno(), left[: select.PIPE_BUF]) :]
        return size

    def _is_ready(self) -> bool:
        """Wait until some bytes can be written; False if it takes too long."""
        began = time.monotonic()
        while not self._readiness.poll(0 if self.is_lost else SLICE * 1000):
            if self._gave_up() and (self.is_lost or time.monotonic() > began + GRACE):
                # Others who want to write need not wait as long once more.
                self.is_lost = True
                return False
        return True


def is_pipe(descriptor: int) -> bool:
    """Tell whether writing there may wait for a reader."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def text_to(
    pipe: InterruptiblePipe, *, encoding: str = "utf-8", errors: str = "strict"
) -> io.TextIOWrapper:
    """Return a text stream to a pipe, written line by line."""
    buffer = io.BufferedWriter(pipe)
    return io.TextIOWrapper(buffer, encoding=encoding, errors=errors, line_buffering=True)


def open_pipe(path: Path, *, gave_up: Callable[[], bool]) -> int:
    """Open a FIFO or device for writing, and wait for a FIFO's reader; return its descriptor.

    Raises:
        OSError: it can't be opened, or no reader came before `gave_up` said so.
    """
    pause = select.poll()
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO or gave_up():
                raise
        pause.poll(SLICE * 1000)
