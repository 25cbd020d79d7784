"""Whose turn it is to compute: one thread at a time, from one wait to the next.

CPython lets one thread compute at a time anyhow, but its lock changes hands at each system
call, and wakes a thread that will not get far: with many workers that costs more than all the
work on small files. Who has the turn meets nobody at its system calls.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 0.05
"""Seconds in which nobody computes for one file; who has the turn for so long waits itself."""
PAUSE = 2.0
"""Seconds for which everybody then goes on without."""


class Turn:
    """Given away in every wait. Speeds things up, protects nothing: it can be had by nobody.

    Args:
        is_needed: whether the interpreter has a lock that changes hands.
        now: monotonic clock, seconds.

    Threads: all methods from any thread.
    """

    def __init__(
        self, *, is_needed: bool = True, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._is_needed = is_needed
        self._now = now
        self._lock = threading.Lock()
        # Both are written by who has the lock.
        self._holder: int | None = None
        self._taken = 0
        self._pause_until = 0.0

    def take(self) -> None:
        """Wait until the others wait; does nothing in the thread that has the turn."""
        me = threading.get_ident()
        if self._holder == me or not self._is_needed:
            return
        if self._lock.acquire(blocking=False) or self._wait():
            self._holder = me
            self._taken += 1

    def give(self) -> None:
        """Let another thread compute; does nothing in one that has not the turn."""
        if self._holder == threading.get_ident():
            self._holder = None
            self._lock.release()

    @contextmanager
    def given(self) -> Iterator[None]:
        """Give the turn away for a wait."""
        self.give()
        try:
            yield
        finally:
            self.take()

    def _wait(self) -> bool:
        """Whether the turn came; not if one and the same thread had it for all the time."""
        if self._now() < self._pause_until:
            return False
        taken = -1
        while taken != self._taken:
            taken = self._taken
            if self._lock.acquire(timeout=PATIENCE):
                return True
        self._pause_until = self._now() + PAUSE
        return False


TURN = Turn(is_needed=getattr(sys, "_is_gil_enabled", lambda: True)())
"""That of this process, as it has one interpreter."""
