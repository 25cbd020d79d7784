"""The report: a line of JSON for each job, as report.schema.json describes it.

Knows records and events, and whom to give the lines to.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from url_downloader.shared.models import (
    JobEvent,
    JobRecord,
    JobResult,
    JobStatus,
    SourceFacts,
    without_credentials,
)
from url_downloader.units import rfc3339

Attempt = dict[str, Any]

UNFINISHED = "unfinished"
"""The status of a job that had not ended when the run did."""

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_NO_RESULT = JobResult()
_NO_SOURCE = SourceFacts()


class Report:
    """Writes a line for each job when it ends.

    Args:
        write: takes what makes each line, its end included.
        utc_now: wall clock, seconds since the epoch.

    Threads: all methods from any thread.
    """

    def __init__(
        self,
        write: Callable[[Callable[[], bytes]], None],
        *,
        utc_now: Callable[[], float] = time.time,
    ) -> None:
        self._write = write
        self._utc_now = utc_now
        # Guards _earlier, the attempts of jobs that have made some and not ended.
        self._lock = threading.Lock()
        self._earlier: dict[int, list[Attempt]] = {}

    def on_event(self, event: JobEvent) -> None:
        """A job made a transition."""
        record = event.record
        if record.status is JobStatus.RETRY_SCHEDULED:
            wait = None if record.due is None else max(0.0, record.due - event.time)
            self._remember(record, wait)
        elif record.status.is_terminal:
            earlier = self._recall(record) if record.attempts > 1 else []
            self._write(functools.partial(_line_of_ended, record, earlier))

    def add_unfinished(self, records: Iterable[JobRecord]) -> None:
        """The run is over; write a line for each of these that has not ended."""
        for record in records:
            if not record.status.is_terminal:
                self._write(functools.partial(_line, record, self._recall(record)))

    def _remember(self, record: JobRecord, wait: float | None) -> None:
        now = self._utc_now()
        with self._lock:
            earlier = self._earlier.setdefault(record.job.job_id, [])
            earlier.append(_attempt(record, earlier, ended_at=now, wait=wait))

    def _recall(self, record: JobRecord) -> list[Attempt]:
        with self._lock:
            return self._earlier.pop(record.job.job_id, [])


def _line_of_ended(record: JobRecord, earlier: list[Attempt]) -> bytes:
    last = _attempt(record, earlier, ended_at=record.finished_at)
    return _line(record, [*earlier, last])


def _line(record: JobRecord, attempts: list[Attempt]) -> bytes:
    return f"{_encode(job_fields(record, attempts))}\n".encode("ascii")


def job_fields(record: JobRecord, attempts: list[Attempt]) -> dict[str, Any]:
    """What the report says of a job."""
    job, status = record.job, record.status
    result = record.result or _NO_RESULT
    source = result.source or _NO_SOURCE
    is_success = status is JobStatus.SUCCESS
    return {
        "job": job.job_id,
        "url": without_credentials(job.url),
        "path": result.path,
        "status": status if status.is_terminal else UNFINISHED,
        "outcome": result.outcome if is_success else None,
        "error_kind": result.kind,
        "error_message": result.message or None,
        "final_url": source.url,
        "size": result.size if is_success else None,
        "is_length_known": result.is_length_known if is_success else None,
        "etag": source.etag,
        "last_modified": rfc3339(source.modified),
        "sha256": _sha256(source),
        "queued_at": rfc3339(record.created_at),
        "started_at": rfc3339(record.started_at),
        "finished_at": rfc3339(record.finished_at),
        "attempts": attempts,
    }


def _attempt(
    record: JobRecord,
    earlier: list[Attempt],
    *,
    ended_at: float | None,
    wait: float | None = None,
) -> Attempt:
    """What the report says of the attempt that has just ended."""
    result = record.result or _NO_RESULT
    seconds = record.worked - sum(each["seconds"] for each in earlier)
    is_first = not earlier or ended_at is None
    return {
        "started_at": rfc3339(record.started_at if is_first else ended_at - seconds),
        "http_status": result.http_status,
        "bytes": result.received,
        "seconds": round(max(0.0, seconds), 6),
        "error_kind": result.kind,
        "wait": None if wait is None else round(wait, 6),
    }


def _sha256(source: SourceFacts) -> str | None:
    for checksum in source.digests:
        if checksum.algorithm == "sha-256":
            return checksum.digest
    return None
