"""A token that limits Python work to one thread at a time, to avoid switching the GIL.

CPython runs Python code in one thread at a time anyway: the thread that holds the GIL. But a
thread releases the GIL at each system call, and another thread wakes, only to lose it soon. On
small files these switches cost more than all other work. The token moves on only when its
holder waits for network or disk, so that few threads compete for the GIL.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

ACQUIRE_SECONDS = 0.05
"""Seconds of one try to acquire the token; a turn that lasts through a try causes a pause."""
MAX_TRIES = 10
"""Tries to acquire the token; after them the thread works without it."""
LONG_TURN = 0.002
"""Seconds; a longer turn suggests a slow disk. The Python work for one file takes less."""
MAX_LONG_TURNS = 3
"""Long turns in a row that cause a pause; one alone may be chance."""
PAUSE_SECONDS = 2.0
"""Seconds of a pause, in which all threads work without the token."""


class ComputeTurn:
    """Token that a thread acquires to compute, and releases before it waits.

    The token only saves time, and guards no data: a thread that can't acquire it in time works
    without it. Where turns take long, all threads work without it during a pause.

    Args:
        is_needed: Whether the interpreter has a GIL; without one the token does nothing.
        now: Monotonic clock, seconds.

    Threads: all methods from any thread.
    """

    def __init__(
        self, *, is_needed: bool = True, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._is_needed = is_needed
        self._now = now
        self._released = _Released(self)
        # The token. Guards writes to _holder, _since and _long_turns. Other threads read
        # _holder and _since without it; a value that is out of date does no harm.
        self._lock = threading.Lock()
        self._holder: int | None = None
        self._since = 0.0
        self._long_turns = 0
        # Written without the lock: any thread may begin a pause.
        self._pause_until = 0.0

    def acquire(self) -> None:
        """Wait for the token, but not for long: the caller may have to work without it.

        In the thread that holds the token, do nothing.
        """
        me = threading.get_ident()
        if self._holder == me or not self._is_needed:
            return
        if self._lock.acquire(blocking=False) or self._wait():
            self._holder, self._since = me, self._now()

    def release(self) -> None:
        """Release the token; do nothing in a thread that does not hold it."""
        if self._holder == threading.get_ident():
            self._check_duration()
            self._holder = None
            self._lock.release()

    def released(self) -> _Released:
        """Return a context manager that runs its block without the token."""
        return self._released

    def _wait(self) -> bool:
        """Try to acquire the lock several times; return whether one try succeeded."""
        for _ in range(MAX_TRIES):
            if (now := self._now()) < self._pause_until:
                break
            if self._lock.acquire(timeout=ACQUIRE_SECONDS):
                return True
            if self._since <= now:
                # The same turn lasted through the whole try.
                self._pause()
        return False

    def _check_duration(self) -> None:
        """Begin a pause if several turns in a row were long. The caller holds the lock."""
        is_long = self._now() > self._since + LONG_TURN
        self._long_turns = self._long_turns + 1 if is_long else 0
        if self._long_turns == MAX_LONG_TURNS:
            self._long_turns = 0
            self._pause()

    def _pause(self) -> None:
        self._pause_until = self._now() + PAUSE_SECONDS


class _Released:
    """Context manager for a wait without the token. It has no state, so one serves all."""

    __slots__ = ("_turn",)

    def __init__(self, turn: ComputeTurn) -> None:
        self._turn = turn

    def __enter__(self) -> None:
        self._turn.release()

    def __exit__(self, *_: object) -> None:
        self._turn.acquire()


COMPUTE_TURN = ComputeTurn(is_needed=getattr(sys, "_is_gil_enabled", lambda: True)())
"""The token of this process; a process has one interpreter and one GIL."""
