"""Retry scheduler: the thread that holds failed jobs until their next attempt is due.

A worker gives a failed job to `schedule` and takes its next job at once: waiting costs no
worker.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from url_downloader.engine.host_queue import HostQueue
from url_downloader.shared.models import DownloadJob
from url_downloader.shared.threads import StoppableThread

log = logging.getLogger(__package__)


@dataclass(frozen=True, slots=True, order=True)
class RetryEntry:
    """Job that waits for its next attempt; entries are ordered by due time, then by arrival.

    Args:
        due: Time at which the job goes back on the task queue, in monotonic seconds.
        sequence: Position in the order of arrival.
        job: Job that waits.
    """

    due: float
    sequence: int
    job: DownloadJob = field(compare=False)


RetryQueue = queue.PriorityQueue[RetryEntry]
"""Queue of the jobs that wait for their next attempt, ordered by due time."""


class RetryScheduler(StoppableThread):
    """Thread that puts jobs back on the task queue when they are due.

    Args:
        retries: Queue of the waiting jobs; only the scheduler takes from it.
        tasks: Task queue that due jobs are put on, even if it is full.
        now: Monotonic clock, seconds.
        on_crash: Function called with an error that escapes from the thread.

    Threads: made and started in the main thread; `schedule` and `stop` from any thread;
    `run_once` and `release_due` in this thread.
    """

    def __init__(
        self,
        *,
        retries: RetryQueue,
        tasks: HostQueue,
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
        """Queue the job to be put back at `due`, in monotonic seconds. Never blocks."""
        self._retries.put(RetryEntry(due, next(self._sequence), job))
        self._wake.set()

    def stop(self) -> None:
        """Ask the thread to end; jobs that are not due stay in the retry queue."""
        super().stop()
        self._wake.set()

    def run_once(self) -> bool:
        """Put due jobs back, then sleep until the next one is due or a new one arrives.

        Returns:
            True, as only `stop` ends the thread.
        """
        # Cleared before the queue is read: a job that is scheduled later ends the wait below.
        self._wake.clear()
        remaining = self.release_due()
        if not self._stopping.is_set():
            self._wake.wait(remaining)
        return True

    def release_due(self) -> float | None:
        """Put all due jobs back. Never blocks.

        Returns:
            Seconds until the next job is due; None if no job waits.
        """
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
            self._tasks.put_retry(entry.job)
