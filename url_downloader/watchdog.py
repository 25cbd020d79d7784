"""The thread that ends attempts which are past their limits, whatever they wait for."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from url_downloader.attempt_meter import Progress
from url_downloader.config import TransferSettings
from url_downloader.shared.threads import StoppableThread

log = logging.getLogger(__name__)

INTERVAL = 0.25
"""Seconds between two looks at every worker."""


class Watched(Protocol):
    """A worker as the watchdog sees it."""

    @property
    def name(self) -> str: ...
    def progress(self) -> Progress | None: ...
    def expire(self, attempt: int, reason: str) -> None: ...


class Watchdog(StoppableThread):
    """Looks at each worker's attempt again and again, and cuts the connection of a late one.

    Args:
        workers: to look at.
        limits: of an attempt.
        now: monotonic clock, seconds.
        on_crash: as for every StoppableThread.

    Threads: as StoppableThread.
    """

    def __init__(
        self,
        *,
        workers: Sequence[Watched],
        limits: TransferSettings,
        on_crash: Callable[[BaseException], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="watchdog", on_crash=on_crash)
        self._limits = limits
        self._now = now
        self._watched = [(worker, _SpeedWindow(limits)) for worker in workers]

    def run_once(self) -> bool:
        """Wait a little, then look at all workers."""
        if self.wait(INTERVAL):
            return False
        self.look()
        return True

    def look(self) -> None:
        """End the attempts that are past a limit at this moment."""
        now = self._now()
        for worker, window in self._watched:
            progress = worker.progress()
            if progress is None:
                continue
            reason = self._lateness(progress, now) or window.slowness(progress, now)
            if reason is not None:
                log.debug("%s: attempt ended: %s", worker.name, reason)
                worker.expire(progress.number, reason)

    def _lateness(self, progress: Progress, now: float) -> str | None:
        limit = self._limits.max_time
        if limit and now - progress.began >= limit:
            return f"not complete within --max-time {limit:g} s"
        return None


class _SpeedWindow:
    """The last seconds of one worker's attempt, to tell its speed by."""

    def __init__(self, limits: TransferSettings) -> None:
        self._limits = limits
        self._number = 0
        self._samples: deque[tuple[float, int]] = deque()

    def slowness(self, progress: Progress, now: float) -> str | None:
        """In words, if the attempt was too slow for too long."""
        if progress.number != self._number:
            self._number = progress.number
            self._samples = deque([(progress.began, 0)])
        seconds = self._window(progress)
        if not self._limits.speed_limit or not seconds:
            return None
        self._samples.append((now, progress.received))
        while self._samples[1][0] <= now - seconds:
            self._samples.popleft()
        began, received = self._samples[0]
        wanted = self._limits.speed_limit * (now - began)
        if now - began < seconds or progress.received - received >= wanted:
            return None
        return f"slower than --speed-limit {self._limits.speed_limit} B/s for {seconds:g} s"

    def _window(self, progress: Progress) -> float:
        """Seconds to look back; before the body, a server may be silent up to the timeout."""
        if progress.received:
            return self._limits.speed_time
        return progress.timeout and max(progress.timeout, self._limits.speed_time)
