"""Whose turn it is to compute: one thread at a time, from one wait to the next.

CPython lets one thread compute at a time anyhow, but its lock changes hands at each system
call, and wakes a thread that will not get far: with many workers that costs more than all the
work on small files. Who has the turn meets nobody at its system calls.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

PATIENCE, TRIES = 0.05, 10
"""Seconds after which one that waits looks around, and how often."""
LONG, SOME = 0.002, 3
"""Seconds for which nobody computes for one file; so many turns in a row that take longer mean
that whoever has it waits for something: a slow disk."""
PAUSE = 2.0
"""Seconds for which everybody then goes on without."""


class ComputeTurn:
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
        self._given = _Given(self)
        # These are written by who has the lock.
        self._holder: int | None = None
        self._since = 0.0
        self._long_turns = 0
        self._pause_until = 0.0

    def take(self) -> None:
        """Wait until the others wait; does nothing in the thread that has the turn."""
        me = threading.get_ident()
        if self._holder == me or not self._is_needed:
            return
        if self._lock.acquire(blocking=False) or self._wait():
            self._holder, self._since = me, self._now()

    def give(self) -> None:
        """Let another thread compute; does nothing in one that has not the turn."""
        if self._holder == threading.get_ident():
            self._look_back()
            self._holder = None
            self._lock.release()

    def given(self) -> _Given:
        """Give the turn away for a wait: that in a `with` block."""
        return self._given

    def _wait(self) -> bool:
        """Whether the turn came in the time that one waits for it."""
        for _ in range(TRIES):
            if (now := self._now()) < self._pause_until:
                break
            if self._lock.acquire(timeout=PATIENCE):
                return True
            if self._since <= now:
                # One and the same thread has had it for all the time.
                self._pause()
        return False

    def _look_back(self) -> None:
        """Notice what the turn that ends says of the others. The caller has it."""
        is_long = self._now() > self._since + LONG
        self._long_turns = self._long_turns + 1 if is_long else 0
        if self._long_turns == SOME:
            self._long_turns = 0
            self._pause()

    def _pause(self) -> None:
        self._pause_until = self._now() + PAUSE


class _Given:
    """What the turn is given away for. One object for all: it remembers nothing."""

    __slots__ = ("_turn",)

    def __init__(self, turn: ComputeTurn) -> None:
        self._turn = turn

    def __enter__(self) -> None:
        self._turn.give()

    def __exit__(self, *_: object) -> None:
        self._turn.take()


COMPUTE_TURN = ComputeTurn(is_needed=getattr(sys, "_is_gil_enabled", lambda: True)())
"""That of this process, as it has one interpreter."""
