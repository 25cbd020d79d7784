"""Threads in virtual time: one runs at a time, and waiting takes no real time."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, cast

MAX_EVENTS = 3_000_000
"""Events after which a run counts as a busy loop."""
START = 1000.0
"""Seconds; the time at which a run begins."""


class Lockstep:
    """Threads of which one runs at a time, until it sleeps, waits or ends.

    The thread that stops running hands over to the one whose event is next. So a run is always
    the same, and takes only the real time of the threads' work.

    Attributes:
        now: Time in seconds.
        waits: Number of times that a thread has waited on a condition.

    Threads: made and run in the main thread; all other methods in the thread that runs.
    """

    def __init__(self) -> None:
        self.now = START
        self.waits = 0
        self._events: list[tuple[float, int, _Event | Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._main = _Strand(None)
        self._current = self._main
        self._strands: list[_Strand] = []
        self._failure: BaseException | None = None
        self._is_over = False

    def start(self, act: Callable[[], object]) -> None:
        """Start a thread that calls `act` at the present time."""
        strand = _Strand(threading.Thread(target=lambda: self._run_strand(strand, act)))
        self._strands.append(strand)
        self._add(self.now, _Event(strand))

    def at(self, time: float, act: Callable[[], object]) -> None:
        """Call `act`, which never waits, at a time."""
        self._add(time, act)

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass in the present thread."""
        if not seconds:
            return
        self._add(self.now + seconds, _Event(self._current))
        self.hand_over()

    def run(self, seconds: float = inf) -> None:
        """Run until all threads have ended, or for a time; then end those that are left.

        Raises:
            TimeoutError: A thread waits, and nothing will wake it.
        """
        if seconds < inf:
            self._add(self.now + seconds, self._end)
        self.hand_over()
        is_stuck = not self._is_over and not all(each.has_ended for each in self._strands)
        self._is_over = True
        for strand in self._strands:
            strand.end()
        if self._failure is not None:
            raise self._failure
        if is_stuck:
            raise TimeoutError(f"a thread waits for ever at {self.now - START:.3f} s")

    def new_wait(self, timeout: float | None) -> _Event:
        """Return an event that ends a wait of the present thread, which must hand over next."""
        self.waits += 1
        event = _Event(self._current)
        if timeout is not None:
            self._add(self.now + timeout, event)
        return event

    def end_wait(self, event: _Event) -> None:
        """End a wait before its time."""
        event.is_done, event.is_notified = True, True
        self._add(self.now, _Event(event.strand))

    def adopt(self, condition: threading.Condition) -> None:
        """Have the waits on a condition take virtual time."""
        waits, changed = _Waits(self, condition), cast(Any, condition)
        changed.wait, changed.notify, changed.wait_for = (
            waits.wait,
            waits.notify,
            waits.wait_for,
        )

    def _run_strand(self, strand: _Strand, act: Callable[[], object]) -> None:
        self._current = strand
        try:
            act()
        except _Abandoned:
            return
        except BaseException as error:  # noqa: BLE001 - raised in the main thread
            self._failure = self._failure or error
        strand.has_ended = True
        self._next_strand().resume()

    def hand_over(self) -> None:
        """Run the other threads until it is the present one's turn again."""
        me, strand = self._current, self._next_strand()
        if strand is not me:
            strand.resume()
            me.baton.acquire()
            if self._is_over and me is not self._main:
                raise _Abandoned
        self._current = me

    def _next_strand(self) -> _Strand:
        """Let time pass up to the next event; return its thread."""
        while self._events and not (self._failure or self._is_over):
            time, number, event = heapq.heappop(self._events)
            if isinstance(event, _Event) and event.is_done:
                continue
            self.now = max(self.now, time)
            if number > MAX_EVENTS:
                self._failure = TimeoutError(f"a busy loop at {self.now - START:.3f} s")
            elif isinstance(event, _Event):
                event.is_done = True
                return event.strand
            else:
                self._call(event)
        return self._main

    def _call(self, act: Callable[[], object]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised in the main thread
            self._failure = self._failure or error

    def _add(self, time: float, event: _Event | Callable[[], object]) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), event))

    def _end(self) -> None:
        self._is_over = True


class _Waits:
    """Waits on a condition, in virtual time."""

    def __init__(self, time: Lockstep, condition: threading.Condition) -> None:
        self._time = time
        self._condition = condition
        self._events: deque[_Event] = deque()

    def wait(self, timeout: float | None = None) -> bool:
        event = self._time.new_wait(timeout)
        self._events.append(event)
        self._condition.release()
        try:
            self._time.hand_over()
        finally:
            self._condition.acquire()
        return event.is_notified

    def notify(self, n: int = 1) -> None:
        while n and self._events:
            event = self._events.popleft()
            if not event.is_done:
                self._time.end_wait(event)
                n -= 1

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        end = inf if timeout is None else self._time.now + timeout
        while not (is_true := predicate()) and self._time.now < end:
            self.wait(None if timeout is None else end - self._time.now)
        return is_true


class _Event:
    """Turn of a thread: a wait or a sleep that ends. It counts once."""

    __slots__ = ("is_done", "is_notified", "strand")

    def __init__(self, strand: _Strand) -> None:
        self.strand = strand
        self.is_done = False
        self.is_notified = False


class _Strand:
    """Thread that runs when it is given the baton; the main one has none of its own."""

    def __init__(self, thread: threading.Thread | None) -> None:
        self.thread = thread
        self.baton = threading.Lock()
        self.baton.acquire()
        self.has_ended = False

    def resume(self) -> None:
        """Let the thread run, which is not the present one."""
        if self.thread is not None and self.thread.ident is None:
            self.thread.start()
        else:
            self.baton.release()

    def end(self) -> None:
        """End a thread that waits."""
        assert self.thread is not None
        if self.thread.ident is not None:
            if not self.has_ended:
                self.baton.release()
            self.thread.join()


class _Abandoned(BaseException):
    """Unwinds a thread after the end of the run."""
