"""Pool of a run: its threads, its queues and the order of its phases.

`process_jobs` makes a JobPool and calls `run` in its caller's thread, here called the main
thread. A run has five phases:

1. `start` starts the retry scheduler, the watchdog and one monitor per observer.
2. The producer adds each job to the registry, then puts it on the bounded task queue. It starts
   one worker for each of the first jobs. While the queue is full, it waits (backpressure).
   `host_queue` explains how hosts share the workers.
3. `await_ended_jobs` takes one permit of a semaphore for each registered job. The registry
   releases a permit when a job ends.
4. `shutdown` ends all threads.
5. `summary` reads the result from registry and metrics.

Meanwhile, each worker takes a job from the task queue, makes an attempt, and ends the job in
the registry or gives it to the retry scheduler, which puts it back on the task queue when it is
due. The watchdog aborts attempts that exceed a limit. The ledger records the jobs that end.

The shutdown takes these steps, in an order that must not change:

1. If the run is not complete, abort all attempts, so that no worker goes on waiting for a
   server.
2. End the scheduler, so that jobs that wait for a retry go on waiting.
3. End the workers. Each records the result of its attempt, then takes one end marker, which
   comes before the jobs on the queue.
4. Fail the jobs that are still RUNNING: their workers have crashed or did not end in time.
5. End the watchdog and the monitors last, so that each observer's last call shows the final
   state.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress

from url_downloader.config.host_settings import HostSettings
from url_downloader.config.settings import Settings
from url_downloader.engine.host_policy import host_policy
from url_downloader.engine.host_queue import HostQueue
from url_downloader.engine.monitor import Monitor, Observer, PoolState
from url_downloader.engine.outage import NetworkView, Outage
from url_downloader.engine.producer import POLL_SECONDS, Producer
from url_downloader.engine.recording import Recording
from url_downloader.engine.retry_scheduler import RetryQueue, RetryScheduler
from url_downloader.engine.run_limits import RunLimits, StopReason
from url_downloader.engine.run_summary import UNSUCCESSFUL, RunSummary, without_late_limit
from url_downloader.engine.thread_ending import ThreadEnding
from url_downloader.engine.watchdog import Watchdog
from url_downloader.engine.worker import (
    SYSTEM_CLOCK,
    Clock,
    JobDownloaderFactory,
    WorkerContext,
)
from url_downloader.engine.worker_group import WorkerGroup
from url_downloader.metrics import Metrics
from url_downloader.shared.descriptors import affordable_workers
from url_downloader.shared.errors import TransitionError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import (
    ErrorKind,
    EventListener,
    JobRecord,
    JobResult,
    JobStatus,
    ListItem,
)
from url_downloader.shared.ports import Progress
from url_downloader.shared.run_controls import RunContext
from url_downloader.shared.unexpected import described, log_unexpected

log = logging.getLogger(__package__)


class JobPool:
    """Owner of the threads, the queues and the semaphore of one run.

    Args:
        settings: Settings of the run.
        listeners: Callbacks for each event of a job; see JobRegistry.
        observers: Observers of the run; see Observer.
        context: Surroundings of the run.
        factory: Maker of the workers' downloaders.
        clock: Sources of time and randomness.

    Threads: `state`, `attempts`, `waiting`, `now` from any thread; `run` in the main thread.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        listeners: Sequence[EventListener],
        observers: Sequence[Observer] = (),
        context: RunContext,
        factory: JobDownloaderFactory,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._context = context
        self._clock = clock
        self._crash: BaseException | None = None
        self._cancelled = threading.Event()
        self._ending = ThreadEnding()
        self._is_complete = False
        self._limits = RunLimits(settings.run, now=clock.now)
        self._size = affordable_workers(settings.pool.max_workers)
        self._tasks = self._make_tasks(settings)
        self._retries: RetryQueue = queue.PriorityQueue()
        self._ended_jobs = threading.Semaphore(0)
        self.metrics = Metrics(now=clock.now)
        self.registry = self._make_registry(listeners)
        self._scheduler = self._make_scheduler()
        self._outage = self._make_outage(settings.hosts, factory)
        self._workers = self._make_workers(settings, factory)
        self._producer = self._make_producer()
        tick, controls = self._outage.check, self._workers.controls()
        self._watchdog = Watchdog(controls, on_tick=tick, on_crash=self._on_crash)
        self._observers = [Monitor(it, view=self, on_crash=self._on_crash) for it in observers]

    def _make_tasks(self, settings: Settings) -> HostQueue:
        pool, clock = settings.pool, self._clock
        policy = host_policy(settings.hosts, settings.retry, jitter=clock.jitter)
        sizes = {"look_ahead": pool.jobs_ahead, "workers": self._size}
        return HostQueue(pool.queue_size, **sizes, policy=policy, now=clock.now)

    def _make_registry(self, listeners: Sequence[EventListener]) -> JobRegistry:
        return JobRegistry(
            listeners=(self.metrics.on_event, self._limits.on_event, *listeners),
            on_terminal=self._ended_jobs.release,
            on_passed_over=(self.metrics.count_passed_over, self._limits.note_passed_over),
            ledger=self._context.ledger,
            now=self._clock.now,
            utc_now=self._clock.utc_now,
        )

    def _make_scheduler(self) -> RetryScheduler:
        return RetryScheduler(
            retries=self._retries,
            tasks=self._tasks,
            now=self._clock.now,
            on_crash=self._on_crash,
        )

    def _make_outage(self, hosts: HostSettings, factory: JobDownloaderFactory) -> Outage:
        view = NetworkView(  # The workers are made later, because they use the watch.
            life_signs=lambda: self._workers.life_signs(),  # noqa: PLW0108
            asked_hosts=lambda: self._workers.asked_hosts(),  # noqa: PLW0108
            is_reachable=factory.is_reachable,
            is_cancelled=self._is_cancelled,
        )
        return Outage(
            view,
            on_begin=self._tasks.suspend,
            on_end=self._tasks.resume,
            on_too_long=lambda: self._limits.stop(StopReason.NO_NETWORK),
            outage_wait=hosts.outage_wait,
            now=self._clock.now,
        )

    def _make_workers(self, settings: Settings, factory: JobDownloaderFactory) -> WorkerGroup:
        context = WorkerContext(
            tasks=self._tasks,
            registry=self.registry,
            retry=settings.retry,
            factory=factory,
            on_bytes=self._limits.watched(self.metrics.on_bytes),
            schedule=self._scheduler.schedule,
            judge=self._outage.judge,
            is_cancelled=self._is_cancelled,
            clock=self._clock,
        )
        return WorkerGroup(context, size=self._size, on_crash=self._on_crash)

    def _make_producer(self) -> Producer:
        return Producer(
            registry=self.registry,
            tasks=self._tasks,
            workers=self._workers,
            limits=self._limits,
            must_stop=self._must_stop,
            stop_observers=lambda: self._ending.stop(self._observers),
        )

    def run(self, jobs: Iterable[ListItem]) -> RunSummary:
        """Run all phases and return the summary.

        An error in a phase is logged, and leads to the shutdown; the summary describes it.

        Args:
            jobs: Jobs of the list; a None only lets the producer check whether to stop.
        """
        try:
            self.start()
            self._producer.produce(jobs)
            self.await_ended_jobs()
        except Exception as error:  # noqa: BLE001 - logged without its text
            log_unexpected(log, error, doing="the run")
            self._on_crash(error)
        finally:
            self.shutdown()
        return self.summary()

    def start(self) -> None:
        """Start all threads except the workers, which the producer starts."""
        ledger, limits, metrics = self._context.ledger, self._limits, self.metrics
        Recording(ledger, self.registry, limits=limits, metrics=metrics).begin()
        if not (self._scheduler.try_start() and self._watchdog.try_start()):
            self._limits.stop(StopReason.NO_THREADS)
        for observer in self._observers:
            observer.try_start()

    def await_ended_jobs(self) -> None:
        """Take one permit for each registered job, unless the run must stop."""
        unfinished = self._producer.registered
        while unfinished and not self._must_stop():
            if self._ended_jobs.acquire(timeout=POLL_SECONDS):
                unfinished -= 1
        self._is_complete = not unfinished and not self._must_stop()

    def shutdown(self) -> None:
        """End all threads, in the order above; calling it again has no effect."""
        if not self._is_complete:
            self._cancel()
        self._ending.stop([self._scheduler])
        self._stop_workers()
        self._fail_running_jobs()
        self._ending.stop([self._watchdog, *self._observers])

    def summary(self) -> RunSummary:
        """Return the summary of registry and metrics at this moment."""
        crash, clock = self._crash or self.registry.listener_error, self._clock
        summary = RunSummary(
            counts=self.registry.counts(),
            metrics=self.metrics.snapshot(),
            leftovers=self.registry.snapshot().with_status(*UNSUCCESSFUL),
            was_stopped=not self._is_complete,
            stopped_by=None if self._is_complete else self._limits.reason(),
            is_list_read=self._producer.is_list_read,
            hosts=self._tasks.host_troubles(None).shifted(clock.utc_now() - clock.now()),
            crash=described(crash) if crash else None,
        )
        return without_late_limit(summary)

    def state(self) -> PoolState:
        """Return the state of the run at this moment."""
        return PoolState(
            tasks=self._tasks.qsize(),
            parked=self._tasks.parked(),
            retries=self._retries.qsize(),
            counts=self.registry.counts(),
            metrics=self.metrics.snapshot(),
            is_list_read=self._producer.is_list_read,
            hosts=self._tasks.host_troubles(),
            has_outage=self._outage.is_on,
        )

    def attempts(self) -> Sequence[tuple[str, Progress]]:
        """Return the progress of the current attempts, each with its worker's name."""
        return self._workers.attempts()

    def waiting(self) -> Sequence[JobRecord]:
        """Return the records of the jobs that wait for their next attempt."""
        return self.registry.with_status(JobStatus.RETRY_SCHEDULED)

    def now(self) -> float:
        """Return the monotonic time of the run's clock, in seconds."""
        return self._clock.now()

    def _cancel(self) -> None:
        self._cancelled.set()
        self._ending.hurry()
        self._workers.abort()

    def _stop_workers(self) -> None:
        self._workers.send_end_markers()
        self._ending.join(self._workers.members)

    def _fail_running_jobs(self) -> None:
        """Fail the jobs of workers that have crashed or did not end in time."""
        # Set first: an abandoned worker that ends later then accepts that its job has failed.
        for worker in self._workers.members:
            worker.stop()
        result = JobResult(kind=ErrorKind.INTERRUPTED, message="interrupted")
        for record in self.registry.with_status(JobStatus.RUNNING):
            with suppress(TransitionError):
                self.registry.fail(record.job.job_id, result)

    def _must_stop(self) -> bool:
        """Tell whether the run must end early; the main thread asks in each of its waits."""
        has_reason = self._crash is not None or self._limits.reason() is not None
        return has_reason or self._context.controls.should_stop()

    def _is_cancelled(self) -> bool:
        return self._cancelled.is_set() or self._limits.reason() is not None

    def _on_crash(self, error: BaseException) -> None:
        self._crash = self._crash or error
