"""Workers that wait for a job, and how they are woken."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from math import inf

from url_downloader.engine.fair_share import IDLE_SECONDS


class IdleWorkers:
    """Workers that wait on a condition of the task queue.

    One of them wakes by itself at the next time at which a job may start. The others sleep
    until they are notified.

    Args:
        condition: Condition to wait on.
        may_take: Function that tells, at a monotonic time, whether an idle worker may take
            something.
        next_time: Function that returns the next time, after the one it is given, from which
            an idle worker may take something without any call of the queue.
        now: Monotonic clock, seconds.

    Attributes:
        since: Times at which the workers began to wait, oldest first.

    Threads: all methods in any thread, which holds the lock of the condition.
    """

    def __init__(
        self,
        condition: threading.Condition,
        *,
        may_take: Callable[[float], bool],
        next_time: Callable[[float], float],
        now: Callable[[], float],
    ) -> None:
        self._condition = condition
        self._may_take = may_take
        self._next_time = next_time
        self._now = now
        self.since: deque[float] = deque()
        # Time at which one of the workers wakes by itself.
        self._wake_time = inf

    @property
    def exceed_at(self) -> float:
        """Return the time from which a worker may exceed the share of a host.

        It is infinite with fewer than two idle workers. The last one is kept for a quick job
        that may come next.
        """
        return self.since[0] + IDLE_SECONDS if len(self.since) > 1 else inf

    def wait(self, end: float) -> bool:
        """Wait until the worker may take something; return False if the time `end` came first.

        The caller must call `leave` afterwards.
        """
        self.since.append(self._now())
        while not self._may_take(now := self._now()):
            if now >= end:
                return False
            self._sleep(end)
        return True

    def leave(self, *, exceeds_share: bool) -> None:
        """Count the worker as idle no more."""
        if exceeds_share:
            self.since.popleft()
        else:
            # Not the oldest: a stream of jobs within the shares would keep all workers young.
            self.since.pop()

    def wake(self) -> None:
        """Wake a worker if it may take something, or if it must wake earlier than planned.

        A worker that takes a job calls this again, and so wakes the next one.
        """
        if not self.since:
            return
        now = self._now()
        if self._may_take(now) or self._next_time(now) < self._wake_time:
            self._condition.notify()

    def _sleep(self, end: float) -> None:
        """Sleep until the worker is notified, or until `end`."""
        now = self._now()
        next_time = self._next_time(now)
        if next_time >= self._wake_time:
            next_time = inf
        else:
            self._wake_time = next_time
        wake = min(next_time, end)
        self._condition.wait(None if wake == inf else max(0.0, wake - now))
        if self._wake_time == next_time:
            self._wake_time = inf
