"""The record of a job after each transition. Pure functions; times come from the caller."""

from __future__ import annotations

from url_downloader.shared.models import DownloadJob, JobRecord, JobResult, JobStatus


def added(job: DownloadJob, *, now: float, utc_now: float) -> JobRecord:
    """Return the record of a job that was just registered."""
    return JobRecord(
        job=job, status=JobStatus.PENDING, attempts=0, created_at=utc_now, since=now
    )


def moved(
    old: JobRecord,
    status: JobStatus,
    *,
    now: float,
    utc_now: float,
    result: JobResult | None,
    due: float | None,
) -> JobRecord:
    """Return the record after a transition at `now`, with `waited` and `worked` updated."""
    spent = now - old.since
    was_working = old.status is JobStatus.RUNNING
    is_starting = status is JobStatus.RUNNING
    return JobRecord(
        job=old.job,
        status=status,
        attempts=old.attempts + is_starting,
        created_at=old.created_at,
        since=now,
        started_at=utc_now if is_starting and old.started_at is None else old.started_at,
        finished_at=utc_now if status.is_terminal else None,
        waited=old.waited + (0.0 if was_working else spent),
        worked=old.worked + (spent if was_working else 0.0),
        excused=old.excused + (result is not None and result.is_excused),
        due=due,
        result=result or old.result,
    )


def passed_over(
    job: DownloadJob, result: JobResult, *, now: float, utc_now: float
) -> JobRecord:
    """Return the record of a job that ended without an attempt."""
    return JobRecord(
        job=job,
        status=JobStatus.SUCCESS,
        attempts=0,
        created_at=utc_now,
        since=now,
        finished_at=utc_now,
        result=result,
    )
