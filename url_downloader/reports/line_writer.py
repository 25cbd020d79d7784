"""Lines for scripts, written whole and at once to a file or a pipe that may be full or closed.

Knows descriptors only; nothing of what the lines say.
"""

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

MOMENT = 0.1
"""Seconds after which a line has to be written."""
_BATCH = 1000
"""Lines that are written at once."""
MAX_FRESH = 5000
"""Lines that may wait to be made; whoever comes with more makes them."""
_SLICE = 0.1
"""Seconds between two looks around while a reader is waited for."""


class LineWriter:
    """Writes lines as they come. Nobody ever waits for a slow reader but `drain`.

    Whoever has a line only hands it over; those of a moment are made and written together: one
    by one, in between all that the threads do, it costs several times as much. What can't be
    written now is kept, and tried again with what follows. In a file there is never a part of
    a line, however the process ends.

    Args:
        descriptor: to write to; not closed here.
        name: of what it leads to, for messages.

    Threads: all methods from any thread. `flush` has to be called every MOMENT.
    """

    def __init__(self, descriptor: int, *, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self._is_file = is_regular(descriptor)
        self._readiness = select.poll()
        self._readiness.register(descriptor, select.POLLOUT)
        # Appended to without a lock: a worker is to lose no time.
        self._fresh: deque[Callable[[], bytes]] = deque()
        # Held while lines are made, so that they stay in their order and none is overlooked.
        self._making = threading.Lock()
        # Leaf lock; guards all fields below, and what is taken from _fresh.
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._is_closed = False
        self._error: OSError | None = None
        self._is_told = False

    def write(self, line: Callable[[], bytes]) -> None:
        """Write a line, its end included, in a moment or when it is possible.

        Args:
            line: makes it, in any thread.
        """
        self._fresh.append(line)
        if len(self._fresh) > MAX_FRESH:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting, if that is possible."""
        with self._making:
            lines = [line() for line in self._take_fresh()]
            with self._lock:
                self._waiting.extend(lines)
        with self._lock:
            if self._is_closed:
                return
            error = self._error = self._write_waiting()
            is_news, self._is_told = not self._is_told, self._is_told or error is not None
        if isinstance(error, BrokenPipeError):
            log.warning("%s: closed by its reader; nothing more is written there", self._name)
        elif error is not None and is_news:
            log.error("%s: can't be written: %s", self._name, error.strerror)

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
            return False
        return not self._is_file or self._is_taken()

    def _is_taken(self) -> bool:
        """Tell whether the disk has taken all; some say no only when a file is closed."""
        with suppress(OSError):
            copy = os.dup(self._descriptor)
            try:
                os.close(copy)
            except OSError as error:
                log.error("%s: can't be written: %s", self._name, error.strerror)
                return False
        return True

    def close(self) -> None:
        """Write nothing any more."""
        with self._lock:
            self._is_closed = True

    def _take_fresh(self) -> list[Callable[[], bytes]]:
        """What is to be made now: nothing if nobody wants it any more."""
        with self._lock:
            fresh = [self._fresh.popleft() for _ in range(len(self._fresh))]
            return [] if self._is_closed else fresh

    def _write_waiting(self) -> OSError | None:
        """Write what can be written now. The caller holds the lock."""
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
        """Write some lines; whether all of them went. The caller holds the lock."""
        block, written = b"".join(itertools.islice(self._waiting, _BATCH)), 0
        try:
            while written < len(block) and self._is_ready():
                # A pipe that is ready takes so much at once.
                end = len(block) if self._is_file else written + select.PIPE_BUF
                written += os.write(self._descriptor, block[written:end])
        finally:
            self._forget(written)
        return written == len(block)

    def _is_ready(self) -> bool:
        return self._is_file or bool(self._readiness.poll(0))

    def _forget(self, written: int) -> None:
        """So many bytes need not be written again. The caller holds the lock."""
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
