"""The summary of a run: what it says of local trouble and unfinished jobs, and its pickling."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from tests.support.summaries import failed, make_summary
from url_downloader.engine.run_limits import StopReason
from url_downloader.shared.models import ErrorKind, JobRecord, JobResult, JobStatus

NO_HOST = JobResult(kind=ErrorKind.DNS, message="host name not resolved")
FULL = JobResult(kind=ErrorKind.LOCAL, message="no space left")


@pytest.mark.parametrize(
    ("failures", "is_local"),
    [
        ([], False),
        ([failed(1), failed(2, NO_HOST), failed(3, None)], False),
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
    is_local = reason in (StopReason.OUTPUT_GONE, StopReason.NO_THREADS, StopReason.NO_NETWORK)
    assert summary.has_local_trouble is is_local


@pytest.mark.parametrize("status", JobStatus)
def test_unfinished(status: JobStatus) -> None:
    """A job is unfinished if it has neither succeeded nor failed."""
    is_finished = status in {JobStatus.SUCCESS, JobStatus.FAILED}
    assert make_summary(counts={status: 3}).unfinished == (0 if is_finished else 3)


def test_a_summary_can_be_pickled() -> None:
    """A summary that another process sends arrives unchanged."""
    summary = make_summary(failed(1), failed(2, None))
    assert pickle.loads(pickle.dumps(summary)) == summary
