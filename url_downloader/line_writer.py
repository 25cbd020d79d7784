"""Lines for scripts, written whole and at once to a file or a pipe that may be full or closed.

Knows descriptors only; nothing of what the lines say.
"""

from __future__ import annotations

import logging
import os
import select
import stat
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

log = logging.getLogger(__name__)

_SLICE = 0.1
"""Seconds between two looks around while a reader is waited for."""


class LineWriter:
    """Writes lines as they come. Nobody ever waits for a slow reader but `drain`.

    What can't be written now is kept, and tried again with the next line. In a file there is
    never a part of a line, however the process ends.

    Args:
        descriptor: to write to; not closed here.
        name: of what it leads to, for messages.

    Threads: all methods from any thread.
    """

    def __init__(self, descriptor: int, *, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self._is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._readiness = select.poll()
        self._readiness.register(descriptor, select.POLLOUT)
        # Leaf lock; guards all fields below.
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._is_closed = False
        self._error: OSError | None = None
        self._is_told = False

    def write(self, line: bytes) -> None:
        """Write a line, its end included, now or when it is possible."""
        self._settle(line)

    def flush(self) -> None:
        """Try again to write what is waiting."""
        self._settle()

    def drain(self, *, gave_up: Callable[[], bool]) -> bool:
        """Wait for a slow reader, but not for a full disk.

        Returns:
            Whether all is written. To one who does not want to read more, it is.
        """
        self.flush()
        while self._waiting and self._error is None and not gave_up():
            self._readiness.poll(_SLICE * 1000)
            self.flush()
        if self._waiting:
            log.error("%s: %d lines are missing there", self._name, len(self._waiting))
        return not self._waiting

    def close(self) -> None:
        """Write nothing any more."""
        with self._lock:
            self._is_closed = True

    def _settle(self, *lines: bytes) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._waiting.extend(lines)
            error = self._error = self._write_waiting()
            is_news, self._is_told = not self._is_told, self._is_told or error is not None
        if isinstance(error, BrokenPipeError):
            log.warning("%s: closed by its reader; nothing more is written there", self._name)
        elif error is not None and is_news:
            log.error("%s: can't be written: %s", self._name, error.strerror)

    def _write_waiting(self) -> OSError | None:
        """Write what can be written now. The caller holds the lock."""
        write = self._write_whole if self._is_file else self._write_some
        try:
            while self._waiting and write(self._waiting[0]):
                self._waiting.popleft()
        except BlockingIOError:
            return None
        except BrokenPipeError as error:
            self._is_closed = True
            self._waiting.clear()
            return error
        except OSError as error:
            return error
        return None

    def _write_whole(self, line: bytes) -> bool:
        """Write to a file all of a line, or nothing. The caller holds the lock."""
        written = 0
        try:
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError:
            with suppress(OSError):
                end = os.lseek(self._descriptor, -written, os.SEEK_CUR)
                os.ftruncate(self._descriptor, end)
            raise
        return True

    def _write_some(self, line: bytes) -> bool:
        """Write to a pipe what doesn't block; whether it is all. The caller holds the lock."""
        while line and self._readiness.poll(0):
            # A pipe that is ready takes so much at once.
            line = line[os.write(self._descriptor, line[: select.PIPE_BUF]) :]
            self._waiting[0] = line
        return not line
