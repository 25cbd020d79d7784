"""A writer of whole lines to a file or a pipe, which may be full or closed."""

from __future__ import annotations

import itertools
import logging
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from url_downloader.shared.descriptors import is_regular

log = logging.getLogger(__package__)

FLUSH_INTERVAL = 0.1
"""Seconds between two calls of `LineWriter.flush`: the longest delay of a line."""
_BATCH = 1000
"""Lines that one system call writes, at most; one call for each line takes longer."""
MAX_UNMADE = 5000
"""Lines that `write` may queue; beyond that, `write` makes them itself, to bound memory."""
_POLL_INTERVAL = 0.1
"""Seconds between two checks of `gave_up` while `LineWriter.drain` waits for a reader."""


class LineWriter:
    """Writer that never blocks on a slow reader, except in `drain`.

    `write` only queues a function that makes a line. `flush` makes and writes all queued lines
    together: switching threads for each line would take several times as long. Lines that
    can't be written are kept for the next `flush`; if the reader has closed the pipe, they are
    dropped. A file keeps no part of a line after a failed write. Errors are logged.

    Args:
        descriptor: Descriptor to write to; the caller closes it.
        name: Name of the output, for messages.

    Threads: all methods from any thread. One thread calls `flush` every FLUSH_INTERVAL.
    """

    def __init__(self, descriptor: int, *, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self._is_file = is_regular(descriptor)
        self._readiness = select.poll()
        self._readiness.register(descriptor, select.POLLOUT)
        # Appended to without a lock, which would cost the workers time.
        self._unmade: deque[Callable[[], bytes]] = deque()
        # Held while lines are made: they stay in order, and `drain` misses none.
        self._making = threading.Lock()
        # Leaf lock; guards all fields below, and taking from _unmade.
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._is_closed = False
        self._error: OSError | None = None
        self._is_error_logged = False

    def write(self, line: Callable[[], bytes]) -> None:
        """Queue a line for the next `flush`.

        Args:
            line: Returns the line with its end; called in any thread that flushes.
        """
        self._unmade.append(line)
        if len(self._unmade) > MAX_UNMADE:
            self.flush()

    def flush(self) -> None:
        """Make the queued lines, and write all that can be written without blocking."""
        with self._making:
            lines = [line() for line in self._take_unmade()]
            with self._lock:
                self._waiting.extend(lines)
        with self._lock:
            if self._is_closed:
                return
            error = self._error = self._write_waiting()
            is_news, self._is_error_logged = (
                not self._is_error_logged,
                self._is_error_logged or error is not None,
            )
        if isinstance(error, BrokenPipeError):
            log.warning("%s: the reader has closed it; no more lines are written", self._name)
        elif error is not None and is_news:
            log.error("%s: can't be written: %s", self._name, error.strerror)

    def drain(self, *, gave_up: Callable[[], bool]) -> bool:
        """Write all lines, and wait for a slow reader, but not for a full disk.

        Args:
            gave_up: Tells whether to stop waiting.

        Returns:
            True if all lines are written, or if the reader has closed the pipe.
        """
        self.flush()
        while self._waiting and self._error is None and not gave_up():
            self._readiness.poll(_POLL_INTERVAL * 1000)
            self.flush()
        if self._waiting:
            log.error("%s: %d lines could not be written", self._name, len(self._waiting))
            return False
        return not self._is_file or self._is_stored()

    def _is_stored(self) -> bool:
        """Tell whether the file has all lines. Some file systems report errors at a close."""
        with suppress(OSError):
            copy = os.dup(self._descriptor)
            try:
                os.close(copy)
            except OSError as error:
                log.error("%s: can't be written: %s", self._name, error.strerror)
                return False
        return True

    def close(self) -> None:
        """Stop writing; later lines are dropped."""
        with self._lock:
            self._is_closed = True

    def _take_unmade(self) -> list[Callable[[], bytes]]:
        """Return the queued functions; none, and drop them, if the writer is closed."""
        with self._lock:
            unmade = [self._unmade.popleft() for _ in range(len(self._unmade))]
            return [] if self._is_closed else unmade

    def _write_waiting(self) -> OSError | None:
        """Write what can be written without blocking. The caller holds the lock."""
        try:
            while self._waiting and self._write_batch():
                pass
        except BlockingIOError:
            return None
        except BrokenPipeError as error:
            self._is_closed = True
            self._waiting.clear()
            return error
        except OSError as error:
            return error
        return None

    def _write_batch(self) -> bool:
        """Write some lines; return whether all were written. The caller holds the lock."""
        block, written = b"".join(itertools.islice(self._waiting, _BATCH)), 0
        try:
            while written < len(block) and self._is_ready():
                # A pipe that is ready takes PIPE_BUF bytes without blocking (pipe(7)).
                end = len(block) if self._is_file else written + select.PIPE_BUF
                written += os.write(self._descriptor, block[written:end])
        finally:
            self._forget(written)
        return written == len(block)

    def _is_ready(self) -> bool:
        return self._is_file or bool(self._readiness.poll(0))

    def _forget(self, written: int) -> None:
        """Remove written bytes from the lines that wait. The caller holds the lock.

        A file is cut back to its last whole line.
        """
        while self._waiting and written >= len(self._waiting[0]):
            written -= len(self._waiting.popleft())
        if not written or not self._waiting:
            return
        if self._is_file:
            with suppress(OSError):
                end = os.lseek(self._descriptor, -written, os.SEEK_CUR)
                os.ftruncate(self._descriptor, end)
        else:
            self._waiting[0] = self._waiting[0][written:]
