"""The thread that takes a job, has one attempt made of it, and does what the policy decides."""

from __future__ import annotations

import logging
import queue
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from url_downloader.config.settings import RetrySettings
from url_downloader.engine.retry_policy import Done, GiveUp, RetryIn, decide
from url_downloader.engine.retry_scheduler import TaskQueue
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.errors import TransitionError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import DownloadJob, ErrorKind, JobRecord, JobResult
from url_downloader.shared.text import path_text
from url_downloader.shared.threads import StoppableThread
from url_downloader.shared.unexpected import described, log_unexpected

log = logging.getLogger(__package__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time and luck: monotonic and wall-clock seconds, and uniform(low, high)."""

    now: Callable[[], float] = time.monotonic
    utc_now: Callable[[], float] = time.time
    jitter: Callable[[float, float], float] = random.uniform


SYSTEM_CLOCK = Clock()


class Attempter(Protocol):
    """What a worker does its work with: made, used and closed in its thread."""

    def attempt(self, job: DownloadJob) -> JobResult: ...
    def close(self) -> None: ...


AttempterFactory = Callable[[AttemptControl], Attempter]
"""Makes a worker's downloader, in the worker's thread; its attempts use this control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """What all workers of a pool share."""

    tasks: TaskQueue
    registry: JobRegistry
    retry: RetrySettings
    make_attempter: AttempterFactory
    on_bytes: Callable[[int], None]
    schedule: Callable[[DownloadJob, float], None]
    is_cancelled: Callable[[], bool]
    clock: Clock


class Worker(StoppableThread):
    """Takes jobs from the task queue and makes one attempt of each.

    Args:
        name: of the thread.
        pool: what the workers share.
        on_crash: as for every StoppableThread.

    Attributes:
        control: of the worker's attempts; for other threads, too.

    Threads: as StoppableThread.
    """

    def __init__(
        self, *, name: str, pool: WorkerContext, on_crash: Callable[[BaseException], None]
    ) -> None:
        super().__init__(name=name, on_crash=on_crash)
        self._pool = pool
        self.control = AttemptControl(on_bytes=pool.on_bytes)
        self._attempter: Attempter | None = None

    def setup(self) -> None:
        """Make the worker's own downloader."""
        self._attempter = self._pool.make_attempter(self.control)

    def run_once(self) -> bool:
        """Take a job and see to it; None means that no more will come."""
        job = self._next_job()
        if job is None:
            return False
        if not self._pool.is_cancelled():
            self._process(job)
        return True

    def teardown(self) -> None:
        """Close the downloader."""
        COMPUTE_TURN.release()
        if self._attempter is not None:
            self._attempter.close()

    def _next_job(self) -> DownloadJob | None:
        try:
            return self._pool.tasks.get_nowait()
        except queue.Empty:
            with COMPUTE_TURN.released():
                return self._pool.tasks.get()

    def _process(self, job: DownloadJob) -> None:
        record = self._pool.registry.start(job.job_id)
        log.debug("job %d: attempt %d: %s", job.job_id, record.attempts, job.shown_url)
        result = self._attempt(job)
        try:
            self._conclude(record, result)
        except TransitionError:
            # The pool gave up on this thread in a shutdown and has failed the job already.
            if not self._stopping.is_set():
                raise

    def _attempt(self, job: DownloadJob) -> JobResult:
        assert self._attempter is not None
        try:
            return self._attempter.attempt(job)
        except MemoryError:
            message = "this machine has not enough memory for it"
            return JobResult(kind=ErrorKind.NO_MEMORY, message=message)
        except Exception as error:  # noqa: BLE001 - told without its text
            log_unexpected(log, error, doing=f"job {job.job_id}")
            message = f"bug of this program: {described(error)}"
            return JobResult(kind=ErrorKind.INTERNAL, message=message)

    def _conclude(self, record: JobRecord, result: JobResult) -> None:
        job, pool = record.job, self._pool
        decision = decide(pool.retry, record, result=result, jitter=pool.clock.jitter)
        match decision:
            case Done():
                path = path_text(result.path or "")
                log.info("%s %s: %d bytes", result.outcome, path, result.size)
                pool.registry.succeed(job.job_id, result)
            case RetryIn(delay):
                log.warning(
                    "job %d: %s: %s; attempt %d of %d in %.1f s",
                    *(job.job_id, job.shown_url, result.message),
                    *(record.attempts + 1, job.max_retries + 1 + record.excused, delay),
                )
                due = pool.clock.now() + delay
                # State first: the scheduler may hand the job to a worker at once.
                pool.registry.schedule_retry(job.job_id, result, due=due)
                pool.schedule(job, due)
            case GiveUp(final):
                log.error("job %d: %s: %s", job.job_id, job.shown_url, final.message)
                pool.registry.fail(job.job_id, final)
