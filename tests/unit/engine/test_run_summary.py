"""The summary of a run: what it says of local trouble and unfinished jobs, and its pickling."""

from __future__ import annotations

import collections
import pickle
from dataclasses import replace

import pytest

from url_downloader.engine.run_limits import StopReason
from url_downloader.engine.run_summary import RunSummary
from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    JobRecord,
    JobResult,
    JobStatus,
)
from url_downloader.shared.record_packing import Records

NONE_OF_EACH = dict.fromkeys(JobStatus, 0)
MISSING = JobResult(kind=ErrorKind.CLIENT_ERROR, message="HTTP 404 Not Found", http_status=404)
NO_HOST = JobResult(kind=ErrorKind.DNS, message="host name not resolved")
FULL = JobResult(kind=ErrorKind.LOCAL, message="no space left")


def failed(number: int, result: JobResult | None = MISSING) -> JobRecord:
    """Return the record of a failed job with this result."""
    job = DownloadJob(job_id=number, url=f"http://h/{number}", output="a", max_retries=4)
    return JobRecord(
        job=job, status=JobStatus.FAILED, attempts=1, created_at=0, since=0, result=result
    )


def summary_of(*failures: JobRecord, counts: dict[JobStatus, int] | None = None) -> RunSummary:
    """Return the summary of a run with these failures, and these counts of other jobs."""
    causes = collections.Counter(record.result.cause for record in failures if record.result)
    return RunSummary(
        counts=NONE_OF_EACH | {JobStatus.FAILED: len(failures)} | (counts or {}),
        metrics=MetricsSnapshot(failures=causes),
        leftovers=Records(failures),
    )


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
    assert summary_of(*failures).has_local_trouble is is_local


@pytest.mark.parametrize("reason", list(StopReason))
def test_local_trouble_of_the_run(reason: StopReason) -> None:
    """A run that lost its directory, or got no threads, has it even if no job failed."""
    summary = replace(summary_of(), stopped_by=reason)
    is_local = reason in (StopReason.OUTPUT_GONE, StopReason.NO_THREADS)
    assert summary.has_local_trouble is is_local


@pytest.mark.parametrize("status", JobStatus)
def test_unfinished(status: JobStatus) -> None:
    """A job is unfinished if it has neither succeeded nor failed."""
    is_finished = status in {JobStatus.SUCCESS, JobStatus.FAILED}
    assert summary_of(counts={status: 3}).unfinished == (0 if is_finished else 3)


def test_a_summary_can_be_pickled() -> None:
    """A summary that another process sends arrives unchanged."""
    summary = summary_of(failed(1), failed(2, None))
    assert pickle.loads(pickle.dumps(summary)) == summary
