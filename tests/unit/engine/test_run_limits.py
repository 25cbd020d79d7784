"""When a run has to end before its list is done, with events and a clock that are made up."""

from __future__ import annotations

import pytest

from url_downloader.config.settings import FailureLimit, RunSettings
from url_downloader.engine.run_limits import RunLimits, StopReason
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import DownloadJob, ErrorKind, JobResult

GONE = JobResult(kind=ErrorKind.CLIENT_ERROR, message="HTTP 404", http_status=404)
AWAY = JobResult(kind=ErrorKind.OUTPUT_GONE, message="the output directory is gone")
FULL = JobResult(kind=ErrorKind.DISK_FULL, message="No space left on device")
FINE = JobResult(http_status=200)


class Bench:
    """A run whose jobs end as the test says."""

    def __init__(self, deadline: float = 0, count: int = 0, percent: float = 0) -> None:
        self.now = 1000.0
        limit = FailureLimit(count=count, percent=percent)
        settings = RunSettings(deadline=deadline, max_failures=limit)
        self.limits = RunLimits(settings, now=lambda: self.now)
        self._registry = JobRegistry(listeners=[self.limits.on_event])
        self._jobs = 0
        self._ended = 0

    def add(self, count: int) -> None:
        """Register jobs that don't end."""
        for _ in range(count):
            self._jobs += 1
            self._registry.add(
                DownloadJob(job_id=self._jobs, url="http://h/", output="a", max_retries=0)
            )

    def end(self, *results: JobResult) -> None:
        """End so many jobs so; they are registered first if they are not yet."""
        for result in results:
            self._ended += 1
            self.add(max(0, self._ended - self._jobs))
            self._registry.start(self._ended)
            finish = self._registry.fail if result.kind else self._registry.succeed
            finish(self._ended, result)

    def wait(self, *results: JobResult) -> None:
        """Jobs have made an attempt, and wait for another one."""
        for result in results:
            self._ended += 1
            self.add(max(0, self._ended - self._jobs))
            self._registry.start(self._ended)
            self._registry.schedule_retry(self._ended, result, due=0.0)

    def reason(self) -> StopReason | None:
        return self.limits.reason()


def test_no_limit() -> None:
    """Without a limit, neither time nor failures end a run."""
    bench = Bench()
    bench.end(*[GONE] * 500)
    bench.limits.note_end_of_list()
    bench.now += 1e9
    assert bench.reason() is None


def test_deadline() -> None:
    """It counts from the start of the run, and once passed it is passed."""
    bench = Bench(deadline=60)
    bench.now += 59.9
    assert bench.reason() is None
    bench.now += 0.1
    assert bench.reason() is StopReason.DEADLINE
    bench.end(FULL)
    assert bench.reason() is StopReason.DEADLINE


def test_count_of_failures() -> None:
    """The run stops with the failure that makes the number full; successes don't count."""
    bench = Bench(count=3)
    bench.end(GONE, FINE, FINE, GONE, FINE)
    assert bench.reason() is None
    bench.end(GONE)
    assert bench.reason() is StopReason.MAX_FAILURES


@pytest.mark.parametrize(
    ("percent", "total", "needed"),
    [(50, 10, 5), (50, 11, 6), (10, 10, 1), (1, 1000, 10), (0.1, 10, 1), (100, 3, 3)],
)
def test_share_of_a_list_that_is_read(percent: float, total: int, needed: int) -> None:
    """Once all jobs are known, the share is of all of them, ended or not."""
    bench = Bench(percent=percent)
    bench.add(total)
    bench.limits.note_end_of_list()
    for _ in range(needed):
        assert bench.reason() is None
        bench.end(GONE)
    assert bench.reason() is StopReason.MAX_FAILURES


def test_share_of_a_list_that_is_still_read() -> None:
    """Before the list's end, the share is of the ended jobs, and of a hundred at least."""
    bench = Bench(percent=10)
    bench.add(500)
    bench.end(*[GONE] * 9)
    assert bench.reason() is None
    bench.end(*[FINE] * 191)
    bench.end(*[GONE] * 11)
    assert bench.reason() is None
    bench.end(*[GONE] * 4)
    assert bench.reason() is StopReason.MAX_FAILURES


def test_the_end_of_the_list_may_decide() -> None:
    """Two failures are no share of an endless list, but half of a list of four."""
    bench = Bench(percent=50)
    bench.end(GONE, FINE, GONE, FINE)
    assert bench.reason() is None
    bench.limits.note_end_of_list()
    assert bench.reason() is StopReason.MAX_FAILURES


def test_a_share_needs_a_failure() -> None:
    """An empty list, or one without failures, is never too bad."""
    bench = Bench(percent=0.001)
    bench.limits.note_end_of_list()
    bench.end(FINE)
    assert bench.reason() is None


def test_a_full_disk() -> None:
    """One job that finds the disk full is enough; of limits, the first one is told."""
    bench = Bench(count=2)
    bench.end(GONE, FULL, GONE, GONE)
    assert bench.reason() is StopReason.DISK_FULL


def test_a_directory_that_is_gone() -> None:
    """One job that finds no directory is enough; it has not failed, but is still to be done."""
    bench = Bench()
    bench.wait(JobResult(kind=ErrorKind.NO_DESCRIPTORS), FINE)
    assert bench.reason() is None
    bench.wait(AWAY, AWAY)
    assert bench.reason() is StopReason.OUTPUT_GONE
    assert AWAY.is_excused
