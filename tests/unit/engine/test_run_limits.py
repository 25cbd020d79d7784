"""The limits that end a run before its list is done, with a clock that the test sets."""

from __future__ import annotations

import pytest

from tests.support.jobs import NOT_FOUND, OK, make_job
from url_downloader.config.settings import FailureLimit, RunSettings
from url_downloader.engine.run_limits import RunLimits, StopReason
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import ErrorKind, JobResult

AWAY = JobResult(kind=ErrorKind.OUTPUT_GONE, message="the output directory is gone")
FULL = JobResult(kind=ErrorKind.DISK_FULL, message="No space left on device")


class LimitedRun:
    """A run with limits, whose jobs end as the test says."""

    def __init__(
        self, deadline: float = 0, count: int = 0, percent: float = 0, max_total_size: int = 0
    ) -> None:
        self.now = 1000.0
        limit = FailureLimit(count=count, percent=percent)
        settings = RunSettings(
            deadline=deadline, max_failures=limit, max_total_size=max_total_size
        )
        self.limits = RunLimits(settings, now=lambda: self.now)
        self._registry = JobRegistry(listeners=[self.limits.on_event])
        self._jobs = 0
        self._ended = 0

    def add(self, count: int) -> None:
        """Register so many jobs."""
        for _ in range(count):
            self._jobs += 1
            self._registry.add(make_job(self._jobs))

    def end(self, *results: JobResult) -> None:
        """End one job with each of these results, after registering it where needed."""
        for result in results:
            self._ended += 1
            self.add(max(0, self._ended - self._jobs))
            self._registry.start(self._ended)
            finish = self._registry.fail if result.kind else self._registry.succeed
            finish(self._ended, result)

    def wait(self, *results: JobResult) -> None:
        """Have one job wait for a retry after each of these results."""
        for result in results:
            self._ended += 1
            self.add(max(0, self._ended - self._jobs))
            self._registry.start(self._ended)
            self._registry.schedule_retry(self._ended, result, due=0.0)

    def reason(self) -> StopReason | None:
        return self.limits.reason()


def test_no_limit() -> None:
    """Without limits, neither time nor failures end a run."""
    run = LimitedRun()
    run.end(*[NOT_FOUND] * 500)
    run.limits.note_end_of_list()
    run.now += 1e9
    assert run.reason() is None


def test_deadline() -> None:
    """The deadline counts from the start of the run, and stays passed."""
    run = LimitedRun(deadline=60)
    run.now += 59.9
    assert run.reason() is None
    run.now += 0.1
    assert run.reason() is StopReason.DEADLINE
    run.end(FULL)
    assert run.reason() is StopReason.DEADLINE


def test_count_of_failures() -> None:
    """The run stops with the failure that reaches the number; successes don't count."""
    run = LimitedRun(count=3)
    run.end(NOT_FOUND, OK, OK, NOT_FOUND, OK)
    assert run.reason() is None
    run.end(NOT_FOUND)
    assert run.reason() is StopReason.MAX_FAILURES


@pytest.mark.parametrize(
    ("percent", "total", "needed"),
    [(50, 10, 5), (50, 11, 6), (10, 10, 1), (1, 1000, 10), (0.1, 10, 1), (100, 3, 3)],
)
def test_share_of_a_list_that_is_read(percent: float, total: int, needed: int) -> None:
    """Once all jobs are known, the percentage is of all of them, ended or not."""
    run = LimitedRun(percent=percent)
    run.add(total)
    run.limits.note_end_of_list()
    for _ in range(needed):
        assert run.reason() is None
        run.end(NOT_FOUND)
    assert run.reason() is StopReason.MAX_FAILURES


def test_share_of_a_list_that_is_still_read() -> None:
    """Before the list's end, the percentage is of the ended jobs, and of at least 100 jobs."""
    run = LimitedRun(percent=10)
    run.add(500)
    run.end(*[NOT_FOUND] * 9)
    assert run.reason() is None
    run.end(*[OK] * 191)
    run.end(*[NOT_FOUND] * 11)
    assert run.reason() is None
    run.end(*[NOT_FOUND] * 4)
    assert run.reason() is StopReason.MAX_FAILURES


def test_the_end_of_the_list_may_decide() -> None:
    """Two failures do not end a run of an endless list, but are half of a list of four."""
    run = LimitedRun(percent=50)
    run.end(NOT_FOUND, OK, NOT_FOUND, OK)
    assert run.reason() is None
    run.limits.note_end_of_list()
    assert run.reason() is StopReason.MAX_FAILURES


def test_a_share_needs_a_failure() -> None:
    """An empty list, or one without failures, never reaches a percentage."""
    run = LimitedRun(percent=0.001)
    run.limits.note_end_of_list()
    run.end(OK)
    assert run.reason() is None


def test_a_full_disk() -> None:
    """One job that finds the disk full ends the run, with that reason and no later one."""
    run = LimitedRun(count=2)
    run.end(NOT_FOUND, FULL, NOT_FOUND, NOT_FOUND)
    assert run.reason() is StopReason.DISK_FULL


def test_a_directory_that_is_gone() -> None:
    """One job that finds no output directory ends the run; the job itself has not failed."""
    run = LimitedRun()
    run.wait(JobResult(kind=ErrorKind.NO_DESCRIPTORS), OK)
    assert run.reason() is None
    run.wait(AWAY, AWAY)
    assert run.reason() is StopReason.OUTPUT_GONE
    assert AWAY.is_excused


def test_received_bytes() -> None:
    """The run stops with the bytes that reach the size; each chunk is counted elsewhere too."""
    run, counted = LimitedRun(max_total_size=100, count=1), list[int]()
    on_bytes = run.limits.watched(counted.append)
    for count in (60, 39):
        on_bytes(count)
    assert run.reason() is None
    on_bytes(1)
    assert run.reason() is StopReason.TOTAL_SIZE
    run.end(NOT_FOUND)
    assert run.reason() is StopReason.TOTAL_SIZE
    assert counted == [60, 39, 1]


def test_without_a_size_bytes_cost_nothing() -> None:
    """Without a limit of the bytes, the run does not count them a second time."""
    counted = list[int]()
    on_bytes = counted.append
    assert LimitedRun().limits.watched(on_bytes) is on_bytes
