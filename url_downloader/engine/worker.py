"""Worker: the thread that takes jobs, makes attempts, and applies the retry policy."""

from __future__ import annotations

import logging
import queue
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from url_downloader.config.settings import RetrySettings
from url_downloader.engine.host_queue import HostQueue
from url_downloader.engine.retry_policy import Done, GiveUp, RetryIn, decide
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.errors import AttemptError, TransitionError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import DownloadJob, ErrorKind, JobRecord, JobResult
from url_downloader.shared.text import path_text
from url_downloader.shared.threads import StoppableThread
from url_downloader.shared.unexpected import described, log_unexpected

log = logging.getLogger(__package__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Sources of time and randomness.

    Args:
        now: Monotonic clock, seconds.
        utc_now: Wall clock, seconds since the epoch.
        jitter: Function uniform(low, high) that returns a random number between the two.
    """

    now: Callable[[], float] = time.monotonic
    utc_now: Callable[[], float] = time.time
    jitter: Callable[[float, float], float] = random.uniform


SYSTEM_CLOCK = Clock()


class JobDownloader(Protocol):
    """Maker of a worker's attempts. `attempt` returns a foreseen failure as a result.

    Threads: made, used and closed in the worker's thread.
    """

    def attempt(self, job: DownloadJob) -> JobResult: ...
    def close(self) -> None: ...


class JobDownloaderFactory(Protocol):
    """Maker of the workers' downloaders.

    `make_downloader` is called in a worker's thread. It returns a downloader whose attempts use
    the given control. `is_reachable` makes a bare connection to the address that was connected
    last, and returns whether that has worked.
    """

    def make_downloader(self, control: AttemptControl) -> JobDownloader: ...
    def is_reachable(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """Objects that all workers of a pool share.

    Args:
        tasks: Queue that the workers take jobs from; None is an end marker.
        registry: Registry of the jobs.
        retry: Retry settings of the run.
        factory: Maker of the workers' downloaders.
        on_bytes: Function called with the size of each received chunk, in bytes.
        judge: Function that excuses the result of a job's attempt if the network is gone. It
            may wait.
        schedule: Function that takes a job and the monotonic time at which its retry is due.
        is_cancelled: Function that tells whether jobs from the queue are skipped.
        clock: Sources of time and randomness.

    Threads: any; the fields never change.
    """

    tasks: HostQueue
    registry: JobRegistry
    retry: RetrySettings
    factory: JobDownloaderFactory
    on_bytes: Callable[[int], None]
    judge: Callable[[DownloadJob, JobResult], JobResult]
    schedule: Callable[[DownloadJob, float], None]
    is_cancelled: Callable[[], bool]
    clock: Clock


class Worker(StoppableThread):
    """Thread that takes jobs from the task queue, and makes one attempt of each taken job.

    Args:
        name: Name of the thread.
        pool: Objects that the workers share.
        on_crash: Function called with an error that escapes from the thread.

    Attributes:
        control: Control of the worker's attempts, which other threads may use.

    Threads: made and started in the main thread; `stop` from any thread; `setup`, `run_once`
    and `teardown` in this thread. For `control`, see AttemptControl.
    """

    def __init__(
        self, *, name: str, pool: WorkerContext, on_crash: Callable[[BaseException], None]
    ) -> None:
        super().__init__(name=name, on_crash=on_crash)
        self._pool = pool
        self.control = AttemptControl(
            on_bytes=pool.on_bytes, on_visit=self._visit, on_reply=self._note_reply
        )
        self._downloader: JobDownloader | None = None
        self._job: DownloadJob | None = None

    def setup(self) -> None:
        """Make the worker's downloader."""
        self._downloader = self._pool.factory.make_downloader(self.control)

    def run_once(self) -> bool:
        """Take a job and make an attempt; return False after an end marker.

        When the run is cancelled, jobs are taken but skipped.
        """
        job = self._job = self._next_job()
        if job is None:
            return False
        if self._pool.is_cancelled():
            self._pool.tasks.done(job)
        else:
            self._process(job)
        return True

    def teardown(self) -> None:
        """Release the compute turn, and close the downloader."""
        COMPUTE_TURN.release()
        if self._downloader is not None:
            self._downloader.close()

    def _next_job(self) -> DownloadJob | None:
        try:
            return self._pool.tasks.get_nowait()
        except queue.Empty:
            with COMPUTE_TURN.released():
                return self._pool.tasks.get()

    def _process(self, job: DownloadJob) -> None:
        record = self._pool.registry.start(job.job_id)
        log.debug("job %d: attempt %d: %s", job.job_id, record.attempts, job.shown_url)
        result = self._result(job)
        try:
            self._follow_decision(record, result)
        except TransitionError:
            # In a shutdown, the pool may have abandoned this thread and failed its job already.
            if not self._stopping.is_set():
                raise

    def _result(self, job: DownloadJob) -> JobResult:
        """Make an attempt; return its result."""
        tasks, result, refusal = self._pool.tasks, None, None
        if tasks.refusals or self.control.refusal is not None:
            refusal = self._take_refusal(job)
        try:
            result = self._attempt(job)
            if refusal is not None and result.is_refused:
                result = result._replace(retry_after=refusal.retry_after)
            if result.contact is not None and result.contact.trouble is not None:
                with COMPUTE_TURN.released():
                    result = self._pool.judge(job, result)
        finally:
            # Before the job is put back: then another worker may take it at once.
            tasks.done(job, result)
        if refusal is not None and result.is_refused:
            # Not before: the refused host was not asked, and has nothing to learn.
            result = result._replace(contact=refusal.contact)
        return result

    def _take_refusal(self, job: DownloadJob) -> JobResult | None:
        """Let the attempt fail without a request if the host is refused; return the refusal.

        A file that exists already may still be kept.
        """
        result = self._pool.tasks.refusals.pop(job.job_id, None)
        self.control.refusal = None
        if result is not None and result.kind is not None:
            self.control.refusal = AttemptError(result.kind, result.message)
        return result

    def _attempt(self, job: DownloadJob) -> JobResult:
        assert self._downloader is not None
        try:
            return self._downloader.attempt(job)
        except MemoryError:
            message = "this machine has too little memory for the attempt"
            contact = self.control.contact()
            return JobResult(kind=ErrorKind.NO_MEMORY, message=message, contact=contact)
        except Exception as error:  # noqa: BLE001 - logged without its text
            log_unexpected(log, error, doing=f"job {job.job_id}")
            message = f"bug of this program: {described(error)}"
            contact = self.control.contact()
            return JobResult(kind=ErrorKind.INTERNAL, message=message, contact=contact)

    def _visit(self, host: str | None) -> None:
        """Count one more request; raise an AttemptError if it must not be sent."""
        assert self._job is not None
        result = self._pool.tasks.visit(self._job, host)
        if result is not None and result.kind is not None:
            raise AttemptError(result.kind, result.message)

    def _note_reply(self, host: str | None, status: int) -> None:
        if self._pool.tasks.awaits_replies and self._job is not None:
            self._pool.tasks.note_reply(self._job, host, status=status)

    def _follow_decision(self, record: JobRecord, result: JobResult) -> None:
        job, pool = record.job, self._pool
        if result.kind is ErrorKind.HOST_BUSY:
            log.debug("job %d: %s: %s", job.job_id, job.shown_url, result.message)
            pool.registry.schedule_retry(job.job_id, result, due=pool.clock.now())
            pool.tasks.expect_retry()
            pool.tasks.put_retry(job)
            return
        decision = decide(pool.retry, record, result=result, jitter=pool.clock.jitter)
        match decision:
            case Done():
                path = path_text(result.path or "")
                log.info("%s %s: %d bytes", result.outcome, path, result.size)
                pool.registry.succeed(job.job_id, result)
            case RetryIn(delay):
                excused = record.excused + result.is_excused
                log.warning(
                    "job %d: %s: %s; attempt %d of %d in %.1f s",
                    *(job.job_id, job.shown_url, result.message),
                    *(record.attempts + 1, job.max_retries + 1 + excused, delay),
                )
                due = pool.clock.now() + delay
                # The state changes first: the scheduler may give the job to a worker at once.
                pool.registry.schedule_retry(job.job_id, result, due=due)
                pool.tasks.expect_retry()
                pool.schedule(job, due)
            case GiveUp(final):
                level = logging.DEBUG if final.is_refused else logging.ERROR
                log.log(level, "job %d: %s: %s", job.job_id, job.shown_url, final.message)
                pool.registry.fail(job.job_id, final)
