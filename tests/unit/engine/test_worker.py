"""A worker's turn, stepped by hand: the thread is never started."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator

import pytest

from url_downloader.config.settings import RetrySettings
from url_downloader.engine.retry_scheduler import TaskQueue
from url_downloader.engine.worker import Clock, Worker, WorkerContext
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import TransitionError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import DownloadJob, ErrorKind, JobResult, JobStatus

URL = "http://user:secret@host/file"
OK = JobResult(http_status=200, size=3, path="downloads/file")
UNAVAILABLE = JobResult(kind=ErrorKind.SERVER_ERROR, message="HTTP 503", http_status=503)
NOT_FOUND = JobResult(kind=ErrorKind.CLIENT_ERROR, message="HTTP 404", http_status=404)

Outcome = JobResult | BaseException | Callable[[], JobResult]


def job(job_id: int = 1, *, max_retries: int = 4) -> DownloadJob:
    """A job as the producer makes it."""
    return DownloadJob(job_id=job_id, url=URL, output="file", max_retries=max_retries)


class Bench:
    """A worker that was never started, and all that it hands things to."""

    def __init__(self, *outcomes: Outcome, retry: RetrySettings | None = None) -> None:
        self.clock = 100.0
        self.is_lucky = False
        self.is_cancelled = False
        self.attempted: list[tuple[int, JobStatus]] = []
        self.scheduled: list[tuple[int, float, JobStatus, float | None]] = []
        self.crashes: list[BaseException] = []
        self.calls: list[str] = []
        self.tasks: TaskQueue = queue.Queue()
        self.registry = JobRegistry(now=lambda: self.clock)
        self._outcomes: Iterator[Outcome] = iter(outcomes)
        context = WorkerContext(
            tasks=self.tasks,
            registry=self.registry,
            retry=retry or RetrySettings(),
            make_downloader=self._make_downloader,
            on_bytes=lambda _: None,
            schedule=self._schedule,
            is_cancelled=lambda: self.is_cancelled,
            clock=Clock(
                now=lambda: self.clock,
                jitter=lambda low, high: low if self.is_lucky else high,
            ),
        )
        self.worker = Worker(name="worker-0", pool=context, on_crash=self.crashes.append)

    def put(self, *jobs: DownloadJob) -> None:
        for each in jobs:
            self.registry.add(each)
            self.tasks.put(each)

    def step(self, *jobs: DownloadJob) -> None:
        """One turn for each of these new jobs."""
        self.put(*jobs)
        self.worker.setup()
        for _ in jobs:
            assert self.worker.run_once()

    def status(self, job_id: int = 1) -> JobStatus:
        return self.registry.get(job_id).status

    def attempt(self, job: DownloadJob) -> JobResult:
        self.attempted.append((job.job_id, self.status(job.job_id)))
        outcome = next(self._outcomes)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome if isinstance(outcome, JobResult) else outcome()

    def close(self) -> None:
        self.calls.append("close")

    def _make_downloader(self, control: AttemptControl) -> Bench:
        assert control is self.worker.control
        self.calls.append("make")
        return self

    def _schedule(self, job: DownloadJob, due: float) -> None:
        record = self.registry.get(job.job_id)
        self.scheduled.append((job.job_id, due, record.status, record.due))


@pytest.fixture
def log_text(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> pytest.LogCaptureFixture:
    """All that is logged, whatever an earlier test made of the logger."""
    monkeypatch.setattr(logging.getLogger("url_downloader"), "propagate", True)
    caplog.set_level(logging.DEBUG, logger="url_downloader")
    return caplog


@pytest.mark.parametrize(
    ("result", "status", "is_scheduled"),
    [
        (OK, JobStatus.SUCCESS, False),
        (JobResult(http_status=204, path="x"), JobStatus.SUCCESS, False),
        (UNAVAILABLE, JobStatus.RETRY_SCHEDULED, True),
        (JobResult(kind=ErrorKind.TRUNCATED), JobStatus.RETRY_SCHEDULED, True),
        (NOT_FOUND, JobStatus.FAILED, False),
        (JobResult(kind=ErrorKind.LOCAL), JobStatus.FAILED, False),
        (JobResult(kind=ErrorKind.INTERRUPTED), JobStatus.FAILED, False),
    ],
)
def test_the_result_decides(result: JobResult, status: JobStatus, is_scheduled: bool) -> None:
    """One attempt, counted; its result is in the record, and only a retry is handed over."""
    bench = Bench(result)
    bench.step(job())
    record = bench.registry.get(1)
    assert (record.status, record.result, record.attempts) == (status, result, 1)
    assert bool(bench.scheduled) is is_scheduled


def test_none_ends_the_worker() -> None:
    """None is the end; what is queued behind it is left alone."""
    bench = Bench(OK)
    bench.tasks.put(None)
    bench.put(job())
    assert not bench.worker.run_once()
    assert (bench.status(), bench.tasks.qsize()) == (JobStatus.PENDING, 1)


def test_the_state_is_running_before_the_attempt() -> None:
    """Who looks while an attempt is made sees it, in the first attempt and in later ones."""
    bench = Bench(UNAVAILABLE, OK)
    bench.step(job())
    bench.tasks.put(job())
    bench.worker.run_once()
    assert bench.attempted == [(1, JobStatus.RUNNING)] * 2
    assert (bench.status(), bench.registry.get(1).attempts) == (JobStatus.SUCCESS, 2)


def test_the_state_comes_before_the_hand_over() -> None:
    """The scheduler, which may be fast, never gets a job whose record doesn't say so yet."""
    bench = Bench(UNAVAILABLE)
    bench.step(job())
    assert bench.scheduled == [(1, 101.0, JobStatus.RETRY_SCHEDULED, 101.0)]


@pytest.mark.parametrize(
    ("failures", "retry_after", "is_lucky", "wait"),
    [
        (1, None, False, 1.0),
        (2, None, False, 2.0),
        (4, None, False, 5.0),  # the cap
        (1, None, True, 0.0),
        (1, 7.0, False, 8.0),
        (1, 7.0, True, 7.0),  # never earlier than the server asks
        (3, 10.0, True, 10.0),  # the cap is not for what the server asks
    ],
)
def test_due_times(
    failures: int, retry_after: float | None, is_lucky: bool, wait: float
) -> None:
    """A retry is due by the backoff with full jitter, or by Retry-After, to the second.

    It is counted from the end of the attempt.
    """
    retry = RetrySettings(delay=1.0, max_delay=5.0)

    def fail() -> JobResult:
        bench.clock += 50.0
        return JobResult(kind=ErrorKind.SERVER_ERROR, http_status=503, retry_after=retry_after)

    bench = Bench(*[fail] * failures, retry=retry)
    bench.is_lucky = is_lucky
    bench.step(job())
    for _ in range(failures - 1):
        bench.tasks.put(job())
        bench.worker.run_once()
    due = 100.0 + 50.0 * failures + wait
    assert bench.scheduled[-1] == (1, due, JobStatus.RETRY_SCHEDULED, due)


def test_a_wait_that_is_too_long_fails_now() -> None:
    """A Retry-After over the limit is not slept, not shortened: the job has failed."""
    asked = JobResult(
        kind=ErrorKind.SERVER_ERROR, message="HTTP 503", http_status=503, retry_after=601.0
    )
    bench = Bench(asked)
    bench.step(job())
    result = bench.registry.get(1).result
    assert result is not None
    assert (bench.status(), result.kind) == (JobStatus.FAILED, ErrorKind.RETRY_AFTER)
    assert bench.scheduled == []


@pytest.mark.parametrize("max_retries", [0, 1, 3])
def test_attempts_are_one_more_than_retries(max_retries: int) -> None:
    """The job's own max_retries is the number of attempts after the first."""
    bench = Bench(*[UNAVAILABLE] * 10)
    bench.step(job(max_retries=max_retries))
    for _ in range(max_retries):
        assert bench.status() is JobStatus.RETRY_SCHEDULED
        bench.tasks.put(job(max_retries=max_retries))
        bench.worker.run_once()
    assert bench.status() is JobStatus.FAILED
    assert len(bench.attempted) == max_retries + 1


def test_after_a_cancel_queued_jobs_are_skipped() -> None:
    """What is still queued is taken and left as it is, until None comes."""
    bench = Bench(OK)
    bench.is_cancelled = True
    bench.step(job(1), job(2))
    bench.tasks.put(None)
    assert not bench.worker.run_once()
    assert bench.attempted == []
    assert {bench.status(1), bench.status(2)} == {JobStatus.PENDING}


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyError("boom"), OSError("boom")])
def test_an_unexpected_error_fails_its_job_alone(
    error: Exception, log_text: pytest.LogCaptureFixture
) -> None:
    """It ends the job as INTERNAL, told by its type alone, and the next job goes on."""
    bench = Bench(error, OK)
    bench.step(job(1), job(2))
    result = bench.registry.get(1).result
    assert result is not None
    assert (bench.status(1), result.kind) == (JobStatus.FAILED, ErrorKind.INTERNAL)
    assert type(error).__name__ in result.message
    assert "boom" not in result.message + log_text.text
    assert (bench.status(2), bench.crashes) == (JobStatus.SUCCESS, [])
    [critical] = [r for r in log_text.records if r.levelno == logging.CRITICAL]
    assert type(error).__name__ in critical.getMessage()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_what_is_no_error_escapes(error: BaseException) -> None:
    """An exception that means to end the program is not taken for a failed job."""
    bench = Bench(error)
    bench.put(job())
    bench.worker.setup()
    with pytest.raises(type(error)):
        bench.worker.run_once()
    assert bench.status() is JobStatus.RUNNING


def test_what_escapes_is_handed_to_on_crash() -> None:
    """The thread's loop reports a bug of the pipeline, and closes what it made."""
    bench = Bench(OK)
    bench.tasks.put(job())  # never registered
    bench.worker.run()
    [crash] = bench.crashes
    assert isinstance(crash, TransitionError)
    assert bench.worker.error is crash
    assert bench.calls == ["make", "close"]


@pytest.mark.parametrize("is_shutdown", [True, False])
def test_a_result_that_comes_too_late(is_shutdown: bool) -> None:
    """In a shutdown the pool may have failed the job already; else that is a bug."""

    def late() -> JobResult:
        bench.registry.fail(1, JobResult(kind=ErrorKind.INTERRUPTED))
        if is_shutdown:
            bench.worker.stop()
        return OK

    bench = Bench(late)
    if is_shutdown:
        bench.step(job())
    else:
        with pytest.raises(TransitionError):
            bench.step(job())
    assert bench.status() is JobStatus.FAILED


def test_the_attempter_lives_as_long_as_the_thread() -> None:
    """It is made in setup and closed in teardown; the worker's control is there before."""
    bench = Bench()
    assert bench.calls == []
    bench.worker.control.abort()
    bench.worker.setup()
    bench.worker.teardown()
    assert bench.calls == ["make", "close"]


def test_without_an_attempter_there_is_nothing_to_close() -> None:
    """A worker that could not be set up can be torn down."""
    bench = Bench()
    bench.worker.teardown()
    assert bench.calls == []


@pytest.mark.parametrize(
    ("outcome", "level", "text"),
    [
        (OK, logging.INFO, "downloads/file"),
        (UNAVAILABLE, logging.WARNING, "attempt 2 of 5 in 1.0 s"),
        (NOT_FOUND, logging.ERROR, "HTTP 404"),
        (RuntimeError("boom"), logging.CRITICAL, "RuntimeError"),
    ],
)
def test_each_end_is_logged_at_its_level(
    outcome: Outcome, level: int, text: str, log_text: pytest.LogCaptureFixture
) -> None:
    """One line says what became of the attempt; the URL's password is in none."""
    bench = Bench(outcome)
    bench.step(job())
    lines = [r.getMessage() for r in log_text.records if r.levelno == level]
    assert len(lines) == 1
    assert text in lines[0]
    assert "secret" not in log_text.text
    assert "http://host/file" in log_text.text
