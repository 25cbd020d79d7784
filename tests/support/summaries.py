"""Builders of summaries of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.support.jobs import NOT_FOUND, make_event, make_job, make_record
from url_downloader.engine.run_summary import RunSummary
from url_downloader.metrics import Metrics, MetricsSnapshot
from url_downloader.shared.models import ErrorKind, JobRecord, JobResult, JobStatus
from url_downloader.shared.records import Records


def failed(number: int, result: JobResult = NOT_FOUND) -> JobRecord:
    """Return the record of a failed job; its URL holds a user name and a password."""
    job = make_job(number, url=f"http://user:secret@h/{number}")
    return make_record(JobStatus.FAILED, job, result=result)


def refused(host: str, reason: str = "refused") -> JobRecord:
    """Return the record of a job that failed without a request, as its host is down."""
    result = JobResult(kind=ErrorKind.HOST_DOWN, message=f"the host is down: {reason}")
    return make_record(JobStatus.FAILED, make_job(url=f"http://{host}/"), result=result)


def make_summary(
    *failures: JobRecord,
    counts: Mapping[JobStatus, int] | None = None,
    metrics: MetricsSnapshot | None = None,
) -> RunSummary:
    """Return the summary of a run.

    Args:
        failures: Records of the failed jobs; by default they are all that is counted.
        counts: Numbers of jobs by state that differ from that.
        metrics: Metrics of the run; by default what follows from the failures alone.
    """
    counted = Metrics(now=lambda: 0.0)
    for record in failures:
        counted.on_event(make_event(record, JobStatus.RUNNING))
    none = dict.fromkeys(JobStatus, 0)
    return RunSummary(
        counts={**none, JobStatus.FAILED: len(failures), **(counts or {})},
        metrics=metrics or replace(counted.snapshot(), in_flight=0),
        leftovers=Records(failures),
    )
