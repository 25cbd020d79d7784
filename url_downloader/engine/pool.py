"""The pool: owns the threads, queues and semaphore of a run, and the order of its phases.

Knows who hands what to whom and who stops when; nothing of HTTP or files.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from url_downloader.config.settings import Settings
from url_downloader.engine.monitor import Monitor, Observer, PoolState
from url_downloader.engine.retry_scheduler import (
    SLICE,
    RetryQueue,
    RetryScheduler,
    TaskQueue,
    put_until,
)
from url_downloader.engine.run_limits import RunLimits, StopReason
from url_downloader.engine.run_summary import LEFT_OVER, RunSummary
from url_downloader.engine.watchdog import Watchdog
from url_downloader.engine.worker import SYSTEM_CLOCK, AttempterFactory, Clock, WorkerContext
from url_downloader.engine.worker_group import WorkerGroup
from url_downloader.metrics import Metrics
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.descriptors import affordable_workers
from url_downloader.shared.errors import TransitionError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    EventListener,
    JobRecord,
    JobResult,
    JobStatus,
)
from url_downloader.shared.ports import Progress
from url_downloader.shared.threads import StoppableThread
from url_downloader.shared.unexpected import described, log_unexpected

log = logging.getLogger(__package__)

ORDERLY_JOIN = 10.0
CANCELLED_JOIN = 1.5
"""Seconds that threads get to end; a look-up of a host name can't be interrupted."""


class JobPool:
    """Owns the threads, queues and semaphore of one run, and the order of its phases.

    Args:
        settings: of the run.
        listeners, observers, should_stop: see `process_jobs`.
        make_attempter: makes a worker's downloader.
        clock: time and luck.

    Threads: `run` once, in the main thread; the view of the run (`state`, `attempts`,
    `waiting`, `now`) from any.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        listeners: Sequence[EventListener],
        observers: Sequence[Observer] = (),
        should_stop: Callable[[], bool],
        make_attempter: AttempterFactory,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._should_stop = should_stop
        self._clock = clock
        self._crash: BaseException | None = None
        self._cancelled = threading.Event()
        self._leave_at: float | None = None
        self._registered = 0
        self._is_list_read = self._is_complete = False
        self._limits = RunLimits(settings.run, now=clock.now)
        self._tasks: TaskQueue = queue.Queue(settings.pool.queue_size)
        self._retries: RetryQueue = queue.PriorityQueue()
        self._terminal = threading.Semaphore(0)
        self.metrics = Metrics(now=clock.now)
        self.registry = self._make_registry(listeners)
        self._scheduler = RetryScheduler(
            retries=self._retries, tasks=self._tasks, now=clock.now, on_crash=self._on_crash
        )
        self._workers = self._make_workers(settings, make_attempter)
        self._watchdog = Watchdog(self._workers.controls(), on_crash=self._on_crash)
        self._observers = [Monitor(it, view=self, on_crash=self._on_crash) for it in observers]

    def _make_registry(self, listeners: Sequence[EventListener]) -> JobRegistry:
        return JobRegistry(
            listeners=(self.metrics.on_event, self._limits.on_event, *listeners),
            on_terminal=self._terminal.release,
            now=self._clock.now,
            utc_now=self._clock.utc_now,
        )

    def _make_workers(
        self, settings: Settings, make_attempter: AttempterFactory
    ) -> WorkerGroup:
        context = WorkerContext(
            tasks=self._tasks,
            registry=self.registry,
            retry=settings.retry,
            make_attempter=make_attempter,
            on_bytes=self.metrics.on_bytes,
            schedule=self._scheduler.schedule,
            is_cancelled=self._is_cancelled,
            clock=self._clock,
        )
        size = affordable_workers(settings.pool.max_workers)
        return WorkerGroup(context, size=size, on_crash=self._on_crash)

    def run(self, jobs: Iterable[DownloadJob | None]) -> RunSummary:
        """Work until every job has ended, or until stopped; always shut down in order."""
        try:
            self.start()
            self.produce(jobs)
            self.await_terminal_states()
        except Exception as error:  # noqa: BLE001 - told without its text
            log_unexpected(log, error, doing="the run")
            self._on_crash(error)
        finally:
            self.shutdown()
        return self.summary()

    def start(self) -> None:
        """Start all threads but the workers: each of them is started with a job of its own."""
        if not (self._scheduler.try_start() and self._watchdog.try_start()):
            self._limits.stop(StopReason.NO_THREADS)
        for observer in self._observers:
            # Nothing that must be done is done there.
            observer.try_start()

    def produce(self, jobs: Iterable[DownloadJob | None]) -> None:
        """Register each job and hand it over; blocks while the workers can't keep up."""
        if self._must_stop():
            return
        try:
            self._produce(jobs)
        finally:
            COMPUTE_TURN.release()

    def _produce(self, jobs: Iterable[DownloadJob | None]) -> None:
        for job in jobs:
            if job is None:
                COMPUTE_TURN.release()
            else:
                COMPUTE_TURN.acquire()
                self.registry.add(job)
                self._registered += 1
                self._hand_over(job)
            # Before the next one is drawn: what was drawn and not registered would be lost.
            if self._must_stop():
                return
        self._is_list_read = True
        self._limits.note_end_of_list()

    def _hand_over(self, job: DownloadJob) -> None:
        if self._workers.has_unstarted:
            self._start_worker()
        try:
            self._tasks.put_nowait(job)
        except queue.Full:
            with COMPUTE_TURN.released():
                put_until(self._tasks, job, gave_up=self._must_stop)

    def _start_worker(self) -> None:
        """Start one more; where there is no room for it, go on with those that there are."""
        workers = self._workers
        with COMPUTE_TURN.released():
            if workers.start_next():
                return
            if not workers.started:
                # One worker is worth more than all who look on.
                self._stop(self._observers)
                workers.start_next()
        if not workers.started:
            self._limits.stop(StopReason.NO_THREADS)
        log.warning(
            "only %d of %d workers run: %s",
            *(workers.started, len(workers.members), StopReason.NO_THREADS),
        )
        workers.start_no_more()

    def await_terminal_states(self) -> None:
        """Take one permit for each registered job."""
        while self._registered and not self._must_stop():
            if self._terminal.acquire(timeout=SLICE):
                self._registered -= 1
        self._is_complete = not self._registered and not self._must_stop()

    def shutdown(self) -> None:
        """Stop everything, in this order; again does nothing."""
        if not self._is_complete:
            self._cancel()
        self._stop([self._scheduler])
        self._stop_workers()
        self._fail_abandoned()
        self._stop([self._watchdog, *self._observers])

    def summary(self) -> RunSummary:
        """What the registry and the metrics know at this moment."""
        crash = self._crash or self.registry.listener_error
        return RunSummary(
            counts=self.registry.counts(),
            metrics=self.metrics.snapshot(),
            leftovers=self.registry.snapshot().with_status(*LEFT_OVER),
            was_stopped=not self._is_complete,
            stopped_by=None if self._is_complete else self._limits.reason(),
            is_list_read=self._is_list_read,
            crash=described(crash) if crash else None,
        )

    def state(self) -> PoolState:
        """How the run stands; this and the next three from any thread."""
        return PoolState(
            tasks=self._tasks.qsize(),
            retries=self._retries.qsize(),
            counts=self.registry.counts(),
            metrics=self.metrics.snapshot(),
            is_list_read=self._is_list_read,
        )

    def attempts(self) -> Sequence[tuple[str, Progress]]:
        """The attempts that are going on, each with its worker's name."""
        return self._workers.attempts()

    def waiting(self) -> Sequence[JobRecord]:
        """The jobs that wait for their next attempt."""
        return self.registry.with_status(JobStatus.RETRY_SCHEDULED)

    def now(self) -> float:
        """Monotonic seconds, by the clock of the run."""
        return self._clock.now()

    def _cancel(self) -> None:
        self._cancelled.set()
        self._leave_at = time.monotonic() + CANCELLED_JOIN
        self._workers.abort()

    def _stop_workers(self) -> None:
        deadline = self._deadline()
        self._workers.dismiss(gave_up=lambda: time.monotonic() > deadline)
        self._join(self._workers.members)

    def _fail_abandoned(self) -> None:
        """End the jobs of workers that crashed, or that nothing could stop."""
        for worker in self._workers.members:
            worker.stop()
        result = JobResult(kind=ErrorKind.INTERRUPTED, message="interrupted")
        for record in self.registry.with_status(JobStatus.RUNNING):
            with suppress(TransitionError):
                self.registry.fail(record.job.job_id, result)

    def _stop(self, threads: Sequence[StoppableThread]) -> None:
        for thread in threads:
            thread.stop()
        self._join(threads)

    def _join(self, threads: Sequence[threading.Thread]) -> None:
        deadline = self._deadline()
        for thread in threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.debug("%s does not end; left behind", thread.name)

    def _deadline(self) -> float:
        """Return when a phase's threads must have ended; all phases of a cancel share one."""
        return self._leave_at or time.monotonic() + ORDERLY_JOIN

    def _must_stop(self) -> bool:
        """Look around, as the main thread does in all its waits."""
        has_to = self._crash is not None or self._limits.reason() is not None
        return has_to or self._should_stop()

    def _is_cancelled(self) -> bool:
        return self._cancelled.is_set() or self._limits.reason() is not None

    def _on_crash(self, error: BaseException) -> None:
        self._crash = self._crash or error
