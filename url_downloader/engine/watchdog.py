"""Watchdog: the thread that aborts attempts that exceed a limit, whatever they wait for."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from url_downloader.shared.ports import Phase, Progress
from url_downloader.shared.threads import StoppableThread

log = logging.getLogger(__package__)

INTERVAL = 0.25
"""Seconds between two checks of all workers; an attempt may exceed its limit by this much."""


class ExpirableAttempts(Protocol):
    """Attempts of one worker, as far as the watchdog needs them.

    `progress` is that of the current attempt; None between two attempts. `expire` aborts the
    attempt of this number if it is the current one.

    Threads: all methods from any thread.
    """

    def progress(self) -> Progress | None: ...
    def expire(self, attempt: int, reason: str) -> None: ...


class Watchdog(StoppableThread):
    """Thread that periodically checks all attempts, and aborts those that exceed a limit.

    An abort shuts down the attempt's connection; the attempt then fails in the worker.

    Args:
        watched: Name and attempts of each worker.
        on_tick: Function called after each check.
        now: Monotonic clock, seconds.
        on_crash: Function called with an error that escapes from the thread.

    Threads: made and started in the main thread; `stop` from any thread; `run_once` and
    `expire_late` in this thread.
    """

    def __init__(
        self,
        watched: Sequence[tuple[str, ExpirableAttempts]],
        *,
        on_crash: Callable[[BaseException], None],
        on_tick: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="watchdog", on_crash=on_crash)
        self._now = now
        self._on_tick = on_tick
        self._watched = [(*each, _SpeedWindow()) for each in watched]

    def run_once(self) -> bool:
        """Wait for the interval, then check all workers.

        Returns:
            False if the thread was stopped meanwhile, so that nothing was checked.
        """
        if self.wait(INTERVAL):
            return False
        self.expire_late()
        self._on_tick()
        return True

    def expire_late(self) -> None:
        """Abort the attempts that exceed a limit at this moment."""
        now = self._now()
        for name, attempts, window in self._watched:
            progress = attempts.progress()
            if progress is None:
                continue
            reason = _time_violation(progress, now) or window.speed_violation(progress, now)
            if reason is not None:
                log.debug("%s: attempt aborted: %s", name, reason)
                attempts.expire(progress.number, reason)


def _time_violation(progress: Progress, now: float) -> str | None:
    """Return a message if the attempt, or its phase CONNECTING, takes too long; else None."""
    limits = progress.job.limits
    if limits.max_time and now - progress.began >= limits.max_time:
        return f"not complete within --max-time {limits.max_time:g} s"
    seconds = limits.connect_seconds
    if progress.phase is Phase.CONNECTING and 0 < seconds <= now - progress.since:
        return f"no connection within --connect-timeout {seconds:g} s"
    return None


class _SpeedWindow:
    """Window over the last seconds of one worker's attempt, to measure its speed.

    Threads: one, the watchdog's.
    """

    def __init__(self) -> None:
        self._number = 0
        self._since = 0.0
        self._seen = 0
        self._samples: deque[tuple[float, int]] = deque()

    def speed_violation(self, progress: Progress, now: float) -> str | None:
        """Return a message if the reply has come too slowly for too long; else None.

        The speed counts from the reply's first byte on. `--timeout` limits the time before
        that byte. While the rate limit makes the attempt wait, the server is not slow: this
        time does not count.
        """
        limits = progress.job.limits
        now -= progress.throttled
        if progress.number != self._number:
            self._number, self._seen = progress.number, 0
        seen, self._seen = self._seen, progress.received
        if progress.phase is not Phase.REPLYING or not limits.speed_limit:
            return None
        if progress.since != self._since:
            self._since = progress.since
            self._samples = deque([(progress.since, seen)])
        self._add_sample(now, progress.received)
        while self._samples[1][0] <= now - limits.speed_time:
            self._samples.popleft()
        began, received = self._samples[0]
        wanted = limits.speed_limit * (now - began)
        if now - began < limits.speed_time or progress.received - received >= wanted:
            return None
        return f"slower than --speed-limit {limits.speed_limit} B/s for {limits.speed_time:g} s"

    def _add_sample(self, now: float, received: int) -> None:
        samples = self._samples
        # An attempt that waits for the rate limit would get ever more samples of one moment.
        if len(samples) > 1 and samples[-1][0] - samples[-2][0] < INTERVAL:
            samples.pop()
        samples.append((now, received))
