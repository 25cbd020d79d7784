"""The pool: owns the threads, queues and semaphore of a run, and the order of its phases.

Knows who hands what to whom and who stops when; nothing of HTTP or files.
"""

from __future__ import annotations

import functools
import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from url_downloader.attempt_meter import Progress
from url_downloader.config import Settings
from url_downloader.descriptors import affordable_workers
from url_downloader.downloader_factory import DownloaderFactory
from url_downloader.metrics import Metrics
from url_downloader.monitor import Monitor, Observer, PoolState
from url_downloader.resolver import Resolver
from url_downloader.retry_scheduler import (
    SLICE,
    RetryQueue,
    RetryScheduler,
    TaskQueue,
    put_until,
)
from url_downloader.run_limits import RunLimits
from url_downloader.seams import LookUp, Naming
from url_downloader.shared.errors import TransitionError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    EventListener,
    JobRecord,
    JobResult,
    JobStatus,
    StopReason,
)
from url_downloader.shared.threads import StoppableThread
from url_downloader.shared.unexpected import described, log_unexpected
from url_downloader.storage import OutputDirectory
from url_downloader.summary import LEFT_OVER, RunSummary
from url_downloader.turn import TURN
from url_downloader.watchdog import Watchdog
from url_downloader.worker import Attempter, Worker, WorkerContext

log = logging.getLogger(__package__)

ORDERLY_JOIN = 10.0
CANCELLED_JOIN = 1.5
"""Seconds that threads get to end; a look-up of a host name can't be interrupted."""


class AttempterFactory(Protocol):
    """Makes a worker's downloader, in its thread."""

    def __call__(self, *, on_bytes: Callable[[int], None], look_up: LookUp) -> Attempter: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time and luck: monotonic and wall-clock seconds, and uniform(low, high)."""

    now: Callable[[], float] = time.monotonic
    utc_now: Callable[[], float] = time.time
    jitter: Callable[[float, float], float] = random.uniform


class JobPool:
    """Owns the threads, queues and semaphore of one run, and the order of its phases.

    Args:
        settings: of the run.
        listeners: told every event of the registry.
        observers: shown the run again and again.
        should_stop: asked often; True ends the run early.
        make_attempter: makes a worker's downloader; told where to count bytes, and how to look
            up hosts.
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
        clock: Clock = Clock(),
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
        self._waiting_workers = iter(self._workers)
        self._watchdog = Watchdog(workers=self._workers, on_crash=self._on_crash)
        self._observers = self._make_observers(observers)

    def _make_registry(self, listeners: Sequence[EventListener]) -> JobRegistry:
        return JobRegistry(
            listeners=(self.metrics.on_event, self._limits.on_event, *listeners),
            on_terminal=self._terminal.release,
            now=self._clock.now,
            utc_now=self._clock.utc_now,
        )

    def _make_workers(
        self, settings: Settings, make_attempter: AttempterFactory
    ) -> list[Worker]:
        resolver = Resolver(on_crash=self._on_crash)
        context = WorkerContext(
            tasks=self._tasks,
            registry=self.registry,
            retry=settings.retry,
            make_attempter=functools.partial(
                make_attempter, on_bytes=self.metrics.on_bytes, look_up=resolver.look_up
            ),
            schedule=self._scheduler.schedule,
            is_cancelled=self._is_cancelled,
            now=self._clock.now,
            jitter=self._clock.jitter,
        )
        return [
            Worker(name=f"worker-{index}", pool=context, on_crash=self._on_crash)
            for index in range(affordable_workers(settings.pool.max_workers))
        ]

    def _make_observers(self, observers: Sequence[Observer]) -> Sequence[Monitor]:
        return [Monitor(each, view=self, on_crash=self._on_crash) for each in observers]

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
            TURN.give()

    def _produce(self, jobs: Iterable[DownloadJob | None]) -> None:
        for job in jobs:
            if job is None:
                TURN.give()
            else:
                TURN.take()
                self.registry.add(job)
                self._registered += 1
                self._hand_over(job)
            # Before the next one is drawn: what was drawn and not registered would be lost.
            if self._must_stop():
                return
        self._is_list_read = True
        self._limits.note_end_of_list()

    def _hand_over(self, job: DownloadJob) -> None:
        if (worker := next(self._waiting_workers, None)) is not None:
            self._start_worker(worker)
        try:
            self._tasks.put_nowait(job)
        except queue.Full:
            with TURN.given():
                put_until(self._tasks, job, gave_up=self._must_stop)

    def _start_worker(self, worker: Worker) -> None:
        """Start it; where there is no room for it, go on with those that there are."""
        with TURN.given():
            if worker.try_start():
                return
            started = self._workers.index(worker)
            if not started:
                # One worker is worth more than all who look on.
                self._stop(self._observers)
                started = worker.try_start()
        self._waiting_workers = iter(())
        if not started:
            self._limits.stop(StopReason.NO_THREADS)
        log.warning(
            "only %d of %d workers run: %s",
            *(started, len(self._workers), StopReason.NO_THREADS),
        )

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
        attempts = [(worker.name, worker.progress()) for worker in self._workers]
        return [(name, progress) for name, progress in attempts if progress is not None]

    def waiting(self) -> Sequence[JobRecord]:
        """The jobs that wait for their next attempt."""
        return self.registry.with_status(JobStatus.RETRY_SCHEDULED)

    def now(self) -> float:
        """Monotonic seconds, by the clock of the run."""
        return self._clock.now()

    def _cancel(self) -> None:
        self._cancelled.set()
        self._leave_at = time.monotonic() + CANCELLED_JOIN
        for worker in self._workers:
            worker.abort()

    def _stop_workers(self) -> None:
        deadline = self._deadline()
        # Counted first: whoever takes a None is not the one that it was put for.
        alive = sum(worker.is_alive() for worker in self._workers)
        for _ in range(alive):
            put_until(self._tasks, None, gave_up=lambda: time.monotonic() > deadline)
        self._join(self._workers)

    def _fail_abandoned(self) -> None:
        """End the jobs of workers that crashed, or that nothing could stop."""
        for worker in self._workers:
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
        """When the threads of a phase must have ended; all phases of a cancel share one."""
        return self._leave_at or time.monotonic() + ORDERLY_JOIN

    def _must_stop(self) -> bool:
        """Look around, as the main thread does in all its waits."""
        has_to = self._crash is not None or self._limits.reason() is not None
        return has_to or self._should_stop()

    def _is_cancelled(self) -> bool:
        return self._cancelled.is_set() or self._limits.reason() is not None

    def _on_crash(self, error: BaseException) -> None:
        self._crash = self._crash or error


def process_jobs(
    jobs: Iterable[DownloadJob | None],
    settings: Settings,
    *,
    names: Naming | None = None,
    listeners: Sequence[EventListener] = (),
    observers: Sequence[Observer] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Download all jobs; returns when each has ended, or when the run was stopped.

    Args:
        jobs: read lazily, in this thread; None means: nothing yet, look around.
        settings: of the run.
        names: names that servers give, where the settings let them.
        listeners: told every event; see JobRegistry.
        observers: shown the run again and again, each in a thread of its own.
        should_stop: asked often; True ends the run in order.

    Raises:
        OutputError, InputError: the output directory, or a file to read, can't be used.
    """
    with OutputDirectory(settings.output) as disk:
        return JobPool(
            settings,
            listeners=listeners,
            observers=observers,
            should_stop=should_stop,
            make_attempter=DownloaderFactory(settings, disk, names=names, stop=should_stop),
        ).run(jobs)
