"""The thread that ends attempts which are past their limits, whatever they wait for."""

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
"""Seconds between two looks at every worker."""


class ExpirableAttempts(Protocol):
    """A worker's attempts as the watchdog sees them."""

    def progress(self) -> Progress | None: ...
    def expire(self, attempt: int, reason: str) -> None: ...


class Watchdog(StoppableThread):
    """Looks at each worker's attempt again and again, and cuts the connection of a late one.

    Args:
        watched: the attempts of each worker, with its name.
        now: monotonic clock, seconds.
        on_crash: as for every StoppableThread.

    Threads: as StoppableThread.
    """

    def __init__(
        self,
        watched: Sequence[tuple[str, ExpirableAttempts]],
        *,
        on_crash: Callable[[BaseException], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="watchdog", on_crash=on_crash)
        self._now = now
        self._watched = [(*each, _SpeedWindow()) for each in watched]

    def run_once(self) -> bool:
        """Wait a little, then look at all workers."""
        if self.wait(INTERVAL):
            return False
        self.expire_late()
        return True

    def expire_late(self) -> None:
        """End the attempts that are past a limit at this moment."""
        now = self._now()
        for name, attempts, window in self._watched:
            progress = attempts.progress()
            if progress is None:
                continue
            reason = _time_violation(progress, now) or window.speed_violation(progress, now)
            if reason is not None:
                log.debug("%s: attempt ended: %s", name, reason)
                attempts.expire(progress.number, reason)


def _time_violation(progress: Progress, now: float) -> str | None:
    """In words, if the attempt or its connecting takes too long."""
    limits = progress.job.limits
    if limits.max_time and now - progress.began >= limits.max_time:
        return f"not complete within --max-time {limits.max_time:g} s"
    seconds = limits.connect_seconds
    if progress.phase is Phase.CONNECTING and 0 < seconds <= now - progress.since:
        return f"no connection within --connect-timeout {seconds:g} s"
    return None


class _SpeedWindow:
    """The last seconds of one worker's attempt, to tell its speed by."""

    def __init__(self) -> None:
        self._number = 0
        self._since = 0.0
        self._seen = 0
        self._samples: deque[tuple[float, int]] = deque()

    def speed_violation(self, progress: Progress, now: float) -> str | None:
        """In words, if the reply has come too slowly for too long.

        Before its first byte a server may be silent; that is what the timeout is for.
        """
        limits = progress.job.limits
        if progress.number != self._number:
            self._number, self._seen = progress.number, 0
        seen, self._seen = self._seen, progress.received
        if progress.phase is not Phase.REPLYING or not limits.speed_limit:
            return None
        if progress.since != self._since:
            self._since = progress.since
            self._samples = deque([(progress.since, seen)])
        self._samples.append((now, progress.received))
        while self._samples[1][0] <= now - limits.speed_time:
            self._samples.popleft()
        began, received = self._samples[0]
        wanted = limits.speed_limit * (now - began)
        if now - began < limits.speed_time or progress.received - received >= wanted:
            return None
        return f"slower than --speed-limit {limits.speed_limit} B/s for {limits.speed_time:g} s"
