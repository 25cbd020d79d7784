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

from url_downloader.shared.models import DownloadJob
from url_downloader.shared.threads import StoppableThread

log = logging.getLogger(__package__)

POLL_SECONDS = 0.1
"""Seconds between two checks for a stop while a thread waits for a queue or a semaphore."""

TaskQueue = queue.Queue[DownloadJob | None]
"""Queue of the jobs that are ready for an attempt; None is an end marker for one worker."""


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
        tasks: Bounded queue that due jobs are put on.
        now: Monotonic clock, seconds.
        on_crash: Function called with an error that escapes from the thread.

    Threads: made and started in the main thread; `schedule` and `stop` from any thread;
    `run_once` and `release_due` in this thread.
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
        """Put all due jobs back; block while the task queue is full.

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
            put_interruptibly(self._tasks, entry.job, should_stop=self._stopping.is_set)


def put_interruptibly(
    tasks: TaskQueue, item: DownloadJob | None, *, should_stop: Callable[[], bool]
) -> bool:
    """Put the item on the queue, and wait for room if it is full.

    Args:
        tasks: Queue to put the item on.
        item: Job, or None as an end marker for a worker.
        should_stop: Function that ends the wait when it returns True.

    Returns:
        Whether the item was put.
    """
    while not should_stop():
        try:
            tasks.put(item, timeout=POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False
