"""Builders of jobs, records and events, and results that many tests need.

A test names only the fields that it is about; the others have values that mean nothing.
"""

from __future__ import annotations

from typing import TypedDict, Unpack

from url_downloader.shared.job_options import AttemptLimits, Checksum
from url_downloader.shared.ledger_entries import UrlHistory
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    JobEvent,
    JobRecord,
    JobResult,
    JobStatus,
)

OK = JobResult(http_status=200, size=5, path="downloads/file")
"""A success."""
BUSY = JobResult(kind=ErrorKind.SERVER_ERROR, message="HTTP 503", http_status=503)
"""A failure that is retried."""
NOT_FOUND = JobResult(
    kind=ErrorKind.CLIENT_ERROR, message="HTTP 404 Not Found", http_status=404
)
"""A failure that is final."""


class JobFields(TypedDict, total=False):
    """The fields of a job that a test may set."""

    url: str
    output: str
    max_retries: int
    limits: AttemptLimits
    headers: tuple[tuple[str, str], ...]
    checksum: Checksum | None
    is_named: bool
    history: UrlHistory | None


class RecordFields(TypedDict, total=False):
    """The fields of a record that a test may set, beside its job and its status."""

    attempts: int
    created_at: float
    since: float
    excused: int
    started_at: float | None
    finished_at: float | None
    waited: float
    worked: float
    due: float | None
    result: JobResult | None


def make_job(job_id: int = 1, **fields: Unpack[JobFields]) -> DownloadJob:
    """Return a job; by default job 1 is for `http://h/1`, its file is `1`, with 4 retries."""
    usual: JobFields = {"url": f"http://h/{job_id}", "output": str(job_id), "max_retries": 4}
    # One object per call, and no more: a test measures the memory of jobs.
    return DownloadJob(job_id, **(usual | fields))


def make_jobs(count: int, **fields: Unpack[JobFields]) -> list[DownloadJob]:
    """Return the jobs 1 to `count`, which have these fields in common."""
    return [make_job(job_id, **fields) for job_id in range(1, count + 1)]


def make_record(
    status: JobStatus, job: DownloadJob | None = None, **fields: Unpack[RecordFields]
) -> JobRecord:
    """Return the record of a job, by default of job 1 with one attempt, made at time 0."""
    record = JobRecord(job=job or make_job(), status=status, attempts=1, created_at=0, since=0)
    return record._replace(**fields)


def make_event(record: JobRecord, previous: JobStatus | None) -> JobEvent:
    """Return the first event of a registry: the transition from `previous` to the record."""
    return JobEvent(sequence=1, time=0, previous=previous, record=record)
