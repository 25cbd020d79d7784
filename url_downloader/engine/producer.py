"""Producer of a run: the loop that registers jobs and puts them on the task queue."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterable

from url_downloader.engine.host_queue import HostQueue
from url_downloader.engine.run_limits import RunLimits, StopReason
from url_downloader.engine.worker_group import WorkerGroup
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import DownloadJob, ListItem, PassedOver

log = logging.getLogger(__package__)

POLL_SECONDS = 0.1
"""Seconds between two checks for a stop while the main thread waits for queue or semaphore."""
JOBS_PER_TURN = 20
"""Jobs after which the producer releases the compute turn; they take less than a millisecond.

Without that, it would keep the turn until the look-ahead is full."""


class Producer:
    """Loop of the main thread that turns the list into queued jobs.

    Args:
        registry: Registry that each job is added to before it is queued.
        tasks: Bounded queue that the workers take jobs from.
        workers: Workers of the run; none has been started.
        limits: Limits of the run.
        must_stop: Function that tells whether the run must end early.
        stop_observers: Function that ends the observers' threads, to make room for a worker.

    Attributes:
        registered: Number of jobs that were added to the registry.
        is_list_read: Whether the list was read to its end.

    Threads: `produce` once, in the main thread; the attributes may be read in any thread.
    """

    def __init__(
        self,
        *,
        registry: JobRegistry,
        tasks: HostQueue,
        workers: WorkerGroup,
        limits: RunLimits,
        must_stop: Callable[[], bool],
        stop_observers: Callable[[], None],
    ) -> None:
        self.registered = 0
        self.is_list_read = False
        self._registry = registry
        self._tasks = tasks
        self._workers = workers
        self._limits = limits
        self._must_stop = must_stop
        self._stop_observers = stop_observers

    def produce(self, jobs: Iterable[ListItem]) -> None:
        """Register and queue each job, and start the workers.

        Block while the task queue is full. Return early if the run must stop.

        Args:
            jobs: Items of the list; a None only lets the producer check whether to stop.
        """
        if self._must_stop():
            return
        try:
            self._produce(jobs)
        finally:
            COMPUTE_TURN.release()

    def _produce(self, jobs: Iterable[ListItem]) -> None:
        for job in jobs:
            if job is None:
                COMPUTE_TURN.release()
            elif isinstance(job, PassedOver):
                self._registry.pass_over(job)
            else:
                COMPUTE_TURN.acquire()
                self._registry.add(job)
                self.registered += 1
                self._enqueue(job)
                if self.registered % JOBS_PER_TURN == 0:
                    COMPUTE_TURN.release()
            # Checked before the next job is drawn: a job that was drawn but not registered
            # would be lost.
            if self._must_stop():
                return
        self.is_list_read = True
        self._limits.note_end_of_list()
        self._tasks.note_end_of_list()

    def _enqueue(self, job: DownloadJob) -> None:
        if self._workers.has_unstarted:
            self._start_worker()
        try:
            self._tasks.put_nowait(job)
        except queue.Full:
            with COMPUTE_TURN.released():
                put_interruptibly(self._tasks, job, should_stop=self._must_stop)

    def _start_worker(self) -> None:
        """Start one more worker, or continue without it if the system refuses a thread."""
        workers = self._workers
        with COMPUTE_TURN.released():
            if workers.start_next():
                return
            if not workers.started:
                # A run can do without observers, but not without a worker.
                self._stop_observers()
                workers.start_next()
        if not workers.started:
            self._limits.stop(StopReason.NO_THREADS)
        log.warning(
            "only %d of %d workers run: %s",
            *(workers.started, len(workers.members), StopReason.NO_THREADS),
        )
        workers.stop_starting()


def put_interruptibly(
    tasks: HostQueue, job: DownloadJob, *, should_stop: Callable[[], bool]
) -> bool:
    """Put the job on the queue, and wait for room if it is full.

    Args:
        tasks: Queue to put the job on.
        job: Job of the list.
        should_stop: Function that ends the wait when it returns True.

    Returns:
        Whether the job was put.
    """
    while not should_stop():
        try:
            tasks.put(job, timeout=POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False
