"""A worker's turns, called one by one: the thread is never started."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.support.hosts import POLICY
from tests.support.jobs import BUSY, NOT_FOUND, OK, make_job
from url_downloader.config.settings import RetrySettings
from url_downloader.engine.host_queue import HostQueue
from url_downloader.engine.worker import Clock, Worker, WorkerContext
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.contact import Contact
from url_downloader.shared.errors import AttemptError, TransitionError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import DownloadJob, ErrorKind, JobResult, JobStatus

URL = "http://user:secret@host/file"

Outcome = JobResult | BaseException | Callable[[], JobResult]


class WatchedQueue(HostQueue):
    """A plain queue that notes the jobs that are done."""

    def __init__(self) -> None:
        super().__init__(100, look_ahead=0, workers=1, policy=POLICY)
        self.finished: list[int] = []

    def done(self, job: DownloadJob, result: JobResult | None = None) -> None:
        super().done(job, result)
        self.finished.append(job.job_id)


class WorkerBench:
    """A worker whose thread is not started, with its queue, registry and scheduler.

    It is also the worker's attempter: attempts have the outcomes of a script.

    Args:
        outcomes: Results of the attempts, in order; an exception is raised, a function called.
        retry: Settings of retries.
    """

    def __init__(self, *outcomes: Outcome, retry: RetrySettings | None = None) -> None:
        self.clock = 100.0
        self.is_lucky = False
        self.is_cancelled = False
        self.attempted: list[tuple[int, JobStatus]] = []
        self.scheduled: list[tuple[int, float, JobStatus, float | None]] = []
        self.crashes: list[BaseException] = []
        self.calls: list[str] = []
        self.tasks = WatchedQueue()
        self.registry = JobRegistry(now=lambda: self.clock)
        self._outcomes: Iterator[Outcome] = iter(outcomes)
        context = WorkerContext(
            tasks=self.tasks,
            registry=self.registry,
            retry=retry or RetrySettings(),
            factory=self,
            judge=lambda _, result: result,
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
        """Register and queue these jobs, and have the worker make a turn for each."""
        self.put(*jobs)
        self.worker.setup()
        for _ in jobs:
            assert self.worker.run_once()

    def status(self, job_id: int = 1) -> JobStatus:
        return self.registry.get(job_id).status

    def is_reachable(self) -> bool:
        return True

    def attempt(self, job: DownloadJob) -> JobResult:
        self.attempted.append((job.job_id, self.status(job.job_id)))
        outcome = next(self._outcomes)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome if isinstance(outcome, JobResult) else outcome()

    def close(self) -> None:
        self.calls.append("close")

    def make_downloader(self, control: AttemptControl) -> WorkerBench:
        assert control is self.worker.control
        self.calls.append("make")
        return self

    def _schedule(self, job: DownloadJob, due: float) -> None:
        record = self.registry.get(job.job_id)
        self.scheduled.append((job.job_id, due, record.status, record.due))


@pytest.fixture
def log_text(package_log: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return the records of all levels."""
    package_log.set_level(logging.DEBUG, logger="url_downloader")
    return package_log


@pytest.mark.parametrize(
    ("result", "status", "is_scheduled"),
    [
        (OK, JobStatus.SUCCESS, False),
        (JobResult(http_status=204, path="x"), JobStatus.SUCCESS, False),
        (BUSY, JobStatus.RETRY_SCHEDULED, True),
        (JobResult(kind=ErrorKind.TRUNCATED), JobStatus.RETRY_SCHEDULED, True),
        (NOT_FOUND, JobStatus.FAILED, False),
        (JobResult(kind=ErrorKind.LOCAL), JobStatus.FAILED, False),
        (JobResult(kind=ErrorKind.INTERRUPTED), JobStatus.FAILED, False),
    ],
)
def test_the_result_decides(result: JobResult, status: JobStatus, is_scheduled: bool) -> None:
    """An attempt is counted, its result is in the record, and only a retry is scheduled."""
    bench = WorkerBench(result)
    bench.step(make_job())
    record = bench.registry.get(1)
    assert (record.status, record.result, record.attempts) == (status, result, 1)
    assert bool(bench.scheduled) is is_scheduled


def test_none_ends_the_worker() -> None:
    """None ends the worker, which takes nothing that is queued behind it."""
    bench = WorkerBench(OK)
    bench.tasks.put(None)
    bench.put(make_job())
    assert not bench.worker.run_once()
    assert (bench.status(), bench.tasks.qsize()) == (JobStatus.PENDING, 1)


def test_the_state_is_running_before_the_attempt() -> None:
    """During every attempt, first or later, the state of the job is RUNNING."""
    bench = WorkerBench(BUSY, OK)
    bench.step(make_job())
    bench.tasks.put(make_job())
    bench.worker.run_once()
    assert bench.attempted == [(1, JobStatus.RUNNING)] * 2
    assert (bench.status(), bench.registry.get(1).attempts) == (JobStatus.SUCCESS, 2)


def test_the_state_comes_before_the_hand_over() -> None:
    """The record says RETRY_SCHEDULED before the scheduler gets the job."""
    bench = WorkerBench(BUSY)
    bench.step(make_job())
    assert bench.scheduled == [(1, 101.0, JobStatus.RETRY_SCHEDULED, 101.0)]


@pytest.mark.parametrize(
    ("failures", "retry_after", "is_lucky", "wait"),
    [
        (1, None, False, 1.0),
        (2, None, False, 2.0),
        (4, None, False, 5.0),  # the cap
        (1, None, True, 0.0),
        (1, 7.0, False, 8.0),
        (1, 7.0, True, 7.0),  # never before the server's time
        (3, 10.0, True, 10.0),  # the cap does not hold for the server's time
    ],
)
def test_due_times(
    failures: int, retry_after: float | None, is_lucky: bool, wait: float
) -> None:
    """A retry is due after the backoff with full jitter, or as Retry-After says.

    The time is counted from the end of the attempt.
    """
    retry = RetrySettings(delay=1.0, max_delay=5.0)

    def fail() -> JobResult:
        bench.clock += 50.0
        return JobResult(kind=ErrorKind.SERVER_ERROR, http_status=503, retry_after=retry_after)

    bench = WorkerBench(*[fail] * failures, retry=retry)
    bench.is_lucky = is_lucky
    bench.step(make_job())
    for _ in range(failures - 1):
        bench.tasks.put(make_job())
        bench.worker.run_once()
    due = 100.0 + 50.0 * failures + wait
    assert bench.scheduled[-1] == (1, due, JobStatus.RETRY_SCHEDULED, due)


def test_a_wait_that_is_too_long_fails_now() -> None:
    """A Retry-After above the limit fails the job, and no retry is scheduled."""
    asked = JobResult(
        kind=ErrorKind.SERVER_ERROR, message="HTTP 503", http_status=503, retry_after=601.0
    )
    bench = WorkerBench(asked)
    bench.step(make_job())
    result = bench.registry.get(1).result
    assert result is not None
    assert (bench.status(), result.kind) == (JobStatus.FAILED, ErrorKind.RETRY_AFTER)
    assert bench.scheduled == []


@pytest.mark.parametrize("max_retries", [0, 1, 3])
def test_attempts_are_one_more_than_retries(max_retries: int) -> None:
    """A job has 1 + max_retries attempts, by its own max_retries."""
    bench = WorkerBench(*[BUSY] * 10)
    bench.step(make_job(max_retries=max_retries))
    for _ in range(max_retries):
        assert bench.status() is JobStatus.RETRY_SCHEDULED
        bench.tasks.put(make_job(max_retries=max_retries))
        bench.worker.run_once()
    assert bench.status() is JobStatus.FAILED
    assert len(bench.attempted) == max_retries + 1


def test_after_a_cancel_queued_jobs_are_skipped() -> None:
    """After a cancel queued jobs are taken and left PENDING, until None comes."""
    bench = WorkerBench(OK)
    bench.is_cancelled = True
    bench.step(make_job(1), make_job(2))
    bench.tasks.put(None)
    assert not bench.worker.run_once()
    assert bench.attempted == []
    assert {bench.status(1), bench.status(2)} == {JobStatus.PENDING}


@pytest.mark.parametrize("outcome", [OK, BUSY, RuntimeError("boom"), KeyboardInterrupt()])
@pytest.mark.parametrize("is_cancelled", [False, True])
def test_the_queue_learns_the_end_of_each_attempt(outcome: Outcome, is_cancelled: bool) -> None:
    """Each job that was taken is reported as done, however its attempt ends."""
    bench = WorkerBench(outcome)
    bench.is_cancelled = is_cancelled
    with suppress(KeyboardInterrupt):
        bench.step(make_job(1))
    assert bench.tasks.finished == [1]


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyError("boom"), OSError("boom")])
def test_an_unexpected_error_fails_its_job_alone(
    error: Exception, log_text: pytest.LogCaptureFixture
) -> None:
    """It fails the job as INTERNAL, logged by its type alone, and the next job goes on."""
    bench = WorkerBench(error, OK)
    bench.step(make_job(1), make_job(2))
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
    """KeyboardInterrupt and SystemExit propagate and do not fail the job."""
    bench = WorkerBench(error)
    bench.put(make_job())
    bench.worker.setup()
    with pytest.raises(type(error)):
        bench.worker.run_once()
    assert bench.status() is JobStatus.RUNNING


def test_what_escapes_is_handed_to_on_crash() -> None:
    """A bug of the pipeline is passed to on_crash, and the attempter is closed."""
    bench = WorkerBench(OK)
    bench.tasks.put(make_job())  # never registered
    bench.worker.run()
    [crash] = bench.crashes
    assert isinstance(crash, TransitionError)
    assert bench.worker.error is crash
    assert bench.calls == ["make", "close"]


@pytest.mark.parametrize("is_shutdown", [True, False])
def test_a_result_that_comes_too_late(is_shutdown: bool) -> None:
    """At shutdown the pool may have failed the job before; otherwise that is a bug."""

    def late() -> JobResult:
        bench.registry.fail(1, JobResult(kind=ErrorKind.INTERRUPTED))
        if is_shutdown:
            bench.worker.stop()
        return OK

    bench = WorkerBench(late)
    if is_shutdown:
        bench.step(make_job())
    else:
        with pytest.raises(TransitionError):
            bench.step(make_job())
    assert bench.status() is JobStatus.FAILED


def test_the_attempter_lives_as_long_as_the_thread() -> None:
    """The attempter is made in setup and closed in teardown; the control exists before."""
    bench = WorkerBench()
    assert bench.calls == []
    bench.worker.control.abort()
    bench.worker.setup()
    bench.worker.teardown()
    assert bench.calls == ["make", "close"]


def test_without_an_attempter_there_is_nothing_to_close() -> None:
    """A worker without an attempter can be torn down."""
    bench = WorkerBench()
    bench.worker.teardown()
    assert bench.calls == []


@pytest.mark.parametrize(
    ("outcome", "level", "text"),
    [
        (OK, logging.INFO, "downloads/file"),
        (BUSY, logging.WARNING, "attempt 2 of 5 in 1.0 s"),
        (JobResult(kind=ErrorKind.NO_NETWORK), logging.WARNING, "attempt 2 of 6 in"),
        (NOT_FOUND, logging.ERROR, "HTTP 404"),
        (RuntimeError("boom"), logging.CRITICAL, "RuntimeError"),
    ],
)
def test_each_end_is_logged_at_its_level(
    outcome: Outcome, level: int, text: str, log_text: pytest.LogCaptureFixture
) -> None:
    """One line tells how the attempt ended; no line has the URL's password."""
    bench = WorkerBench(outcome)
    bench.step(make_job(url=URL))
    lines = [r.getMessage() for r in log_text.records if r.levelno == level]
    assert len(lines) == 1
    assert text in lines[0]
    assert "secret" not in log_text.text
    assert "http://host/file" in log_text.text


def test_a_job_for_a_busy_host_is_put_back_at_once() -> None:
    """A job that was redirected to a busy host waits in the queue; no attempt counts."""
    busy_host = JobResult(kind=ErrorKind.HOST_BUSY, message="the host has to wait")
    bench = WorkerBench(BUSY, *[busy_host] * 200, OK, retry=RetrySettings(max_retries=0))
    bench.step(make_job(1), make_job(2, max_retries=0))
    for _ in range(200):
        record = bench.registry.get(2)
        assert (record.status, record.due) == (JobStatus.RETRY_SCHEDULED, bench.clock)
        assert (record.attempts - record.excused, bench.tasks.parked()) == (0, 1)
        assert bench.worker.run_once()
    assert bench.status(2) is JobStatus.SUCCESS
    assert [job_id for job_id, *_ in bench.scheduled] == [1]
    # The job 1, which waits for its retry, is still expected; the job 2 is not.
    assert bench.tasks._scheduled == 1


def test_a_refusal_is_for_one_job() -> None:
    """A job of a refused host fails as the host says, and the next one does not."""
    refusal = JobResult(kind=ErrorKind.RETRY_AFTER, message="too long", retry_after=3000.0)

    def attempt() -> JobResult:
        try:
            bench.worker.control.begin(make_job())
            bench.worker.control.ask(None)
        except AttemptError as error:
            return JobResult(kind=error.kind, message=error.message)
        return OK

    bench = WorkerBench(attempt, attempt)
    bench.tasks.refusals[1] = refusal
    bench.step(make_job(1), make_job(2))
    assert (bench.registry.get(1).result, bench.registry.get(2).result) == (refusal, OK)
    assert bench.tasks.refusals == {}


def test_a_refusal_by_the_second_host_is_not_that_of_the_first() -> None:
    """A job that waited for a host which is down now fails with that host as its contact."""
    contact = Contact("http://b", is_answered=False)
    refusal = JobResult(kind=ErrorKind.HOST_DOWN, message="the host is down")
    bench = WorkerBench(refusal)
    bench.tasks.refusals[1] = refusal._replace(contact=contact)
    job = make_job(1)
    bench.registry.add(job)
    bench.registry.start(1)
    bench.tasks.put(job)
    assert bench.tasks.get() == job
    bench.worker.setup()
    assert bench.worker._result(job).contact == contact
