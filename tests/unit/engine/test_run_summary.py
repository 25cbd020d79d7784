"""The summary of a run: what it says of local trouble and unfinished jobs, and its pickling."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from tests.support.summaries import failed, make_summary
from url_downloader.engine.run_limits import StopReason
from url_downloader.engine.run_summary import RunSummary, without_late_limit
from url_downloader.shared.models import ErrorKind, JobRecord, JobResult, JobStatus

NO_HOST = JobResult(kind=ErrorKind.DNS, message="host name not resolved")
ABORTED = JobResult(kind=ErrorKind.INTERRUPTED, message="interrupted")
FULL = JobResult(kind=ErrorKind.LOCAL, message="no space left")


@pytest.mark.parametrize(
    ("failures", "is_local"),
    [
        ([], False),
        ([failed(1), failed(2, NO_HOST)], False),
        ([failed(1), failed(2, FULL)], True),
    ],
)
def test_local_trouble(failures: list[JobRecord], is_local: bool) -> None:
    """A run has local trouble if a single job failed because of this machine."""
    assert make_summary(*failures).has_local_trouble is is_local


@pytest.mark.parametrize("reason", list(StopReason))
def test_local_trouble_of_the_run(reason: StopReason) -> None:
    """A run that lost its directory or network, or got no threads, has it without a failure."""
    summary = replace(make_summary(), stopped_by=reason)
    is_local = reason in (
        *(StopReason.OUTPUT_GONE, StopReason.NO_THREADS, StopReason.NO_NETWORK),
        StopReason.LEDGER,
    )
    assert summary.has_local_trouble is is_local


@pytest.mark.parametrize(
    ("summary", "is_success"),
    [
        (make_summary(counts={JobStatus.SUCCESS: 3}), True),
        (make_summary(counts={JobStatus.SUCCESS: 3, JobStatus.FAILED: 1}), False),
        (make_summary(counts={JobStatus.SUCCESS: 3, JobStatus.PENDING: 1}), False),
        (replace(make_summary(counts={JobStatus.SUCCESS: 3}), was_stopped=True), False),
    ],
)
def test_success(*, summary: RunSummary, is_success: bool) -> None:
    """A run is a success if all jobs have succeeded, and nothing stopped it."""
    assert summary.is_success is is_success


@pytest.mark.parametrize("status", JobStatus)
def test_unfinished(status: JobStatus) -> None:
    """A job is unfinished if it has neither succeeded nor failed."""
    is_finished = status in {JobStatus.SUCCESS, JobStatus.FAILED}
    assert make_summary(counts={status: 3}).unfinished == (0 if is_finished else 3)


@pytest.mark.parametrize(
    ("summary", "is_late"),
    [
        (make_summary(counts={JobStatus.SUCCESS: 3}), True),
        (make_summary(failed(1), counts={JobStatus.SUCCESS: 3}), True),
        (make_summary(failed(1, ABORTED), counts={JobStatus.SUCCESS: 3}), False),
        (make_summary(counts={JobStatus.SUCCESS: 3, JobStatus.PENDING: 1}), False),
        (make_summary(counts={JobStatus.RETRY_SCHEDULED: 1}), False),
        (replace(make_summary(counts={JobStatus.SUCCESS: 3}), is_list_read=False), False),
    ],
)
def test_a_size_that_the_last_bytes_reach(*, summary: RunSummary, is_late: bool) -> None:
    """A limit of all bytes has stopped nothing if the whole list has ended nevertheless."""
    stopped = replace(summary, was_stopped=True, stopped_by=StopReason.TOTAL_SIZE)
    assert without_late_limit(stopped) == (summary if is_late else stopped)


@pytest.mark.parametrize(
    "reason", [each for each in StopReason if each is not StopReason.TOTAL_SIZE]
)
def test_other_limits_stay(reason: StopReason) -> None:
    """A run that any other limit has stopped was stopped, whatever has ended."""
    stopped = replace(make_summary(failed(1)), was_stopped=True, stopped_by=reason)
    assert without_late_limit(stopped) == stopped


def test_a_summary_can_be_pickled() -> None:
    """A summary that another process sends arrives unchanged."""
    summary = make_summary(failed(1), failed(2, NO_HOST))
    assert pickle.loads(pickle.dumps(summary)) == summary
