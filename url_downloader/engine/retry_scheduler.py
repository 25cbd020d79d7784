"""The thread that holds failed jobs until they are due, so that no worker has to wait."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from url_downloader.shared.models import DownloadJob
from url_downloader.shared.threads import StoppableThread

log = logging.getLogger(__package__)

POLL_SECONDS = 0.1
"""Seconds after which one that waits for room looks whether it should give up."""

TaskQueue = queue.Queue[DownloadJob | None]


@dataclass(frozen=True, slots=True, order=True)
class RetryEntry:
    """A job that waits for its next attempt; ordered by due time, then by arrival."""

    due: float
    sequence: int
    job: DownloadJob = field(compare=False)


RetryQueue = queue.PriorityQueue[RetryEntry]


class RetryScheduler(StoppableThread):
    """Puts jobs back on the task queue when they are due.

    Args:
        retries: the queue it drains; nobody else takes from it.
        tasks: the bounded queue it puts into.
        now: monotonic clock, seconds.
        on_crash: as for every StoppableThread.

    Threads: `schedule` and `stop` from any thread; else as StoppableThread.
    """

    def __init__(
        self,
        *,
        retries: RetryQueue,
        tasks: TaskQueue,
        now: Callable[[], float],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name="retry-scheduler", on_crash=on_crash)
        self._retries = retries
        self._tasks = tasks
        self._now = now
        self._sequence = itertools.count()
        self._wake = threading.Event()

    def schedule(self, job: DownloadJob, due: float) -> None:
        """Have the job put back at `due`, monotonic seconds. Never blocks."""
        self._retries.put(RetryEntry(due, next(self._sequence), job))
        self._wake.set()

    def stop(self) -> None:
        """Ask the thread to end; jobs that still wait stay where they are."""
        super().stop()
        self._wake.set()

    def run_once(self) -> bool:
        """Release what is due, then sleep until the next is, or something new comes."""
        # Cleared before looking: what is scheduled from here on wakes the wait below.
        self._wake.clear()
        remaining = self.release_due()
        if not self._stopping.is_set():
            self._wake.wait(remaining)
        return True

    def release_due(self) -> float | None:
        """Put all due jobs back; seconds until the next is due, None if none waits."""
        while True:
            try:
                entry = self._retries.get_nowait()
            except queue.Empty:
                return None
            remaining = entry.due - self._now()
            if remaining > 0:
                self._retries.put(entry)
                return remaining
            log.debug("job %d: due again", entry.job.job_id)
            put_interruptibly(self._tasks, entry.job, should_stop=self._stopping.is_set)


def put_interruptibly(
    tasks: TaskQueue, item: DownloadJob | None, *, should_stop: Callable[[], bool]
) -> bool:
    """Wait for room and put `item`; False if `should_stop` came true first."""
    while not should_stop():
        try:
            tasks.put(item, timeout=POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False
