"""The report: a line of JSON for each job, as report.schema.json describes it."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from math import isinf
from typing import NamedTuple

from url_downloader.engine.host_state import HostState
from url_downloader.shared.contact import Contact
from url_downloader.shared.models import (
    DownloadJob,
    JobEvent,
    JobRecord,
    JobResult,
    JobStatus,
    SourceFacts,
)
from url_downloader.shared.text import path_text
from url_downloader.shared.url_parts import origin_text, without_credentials

UNFINISHED = "unfinished"
"""Status, in the report, of a job that had not ended when the run ended."""

_encode = json.JSONEncoder().encode
_NO_RESULT = JobResult()
_NO_SOURCE = SourceFacts()
_FLAGS = {None: "null", False: "false", True: "true"}


class Attempt(NamedTuple):
    """Attempt that has ended.

    Args:
        record: Record of the job after the attempt.
        ended_at: End of the attempt, in seconds since the epoch; None if unknown.
        wait: Seconds from the end until the next attempt is due; None after the last attempt.
    """

    record: JobRecord
    ended_at: float | None
    wait: float | None = None


class Report:
    """Report of a run, which gets a line for each job that ends.

    To save the worker's time, its thread only queues the job's record. The writer's thread
    turns the record into a line.

    Args:
        write: Queues a function, which is called later and returns a line with its line feed.
        utc_now: Wall clock, seconds since the epoch.

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
        # Guards _earlier, the ended attempts of jobs that have not ended, by job id.
        self._lock = threading.Lock()
        self._earlier: dict[int, list[Attempt]] = {}

    def on_event(self, event: JobEvent) -> None:
        """Remember an attempt that a retry follows; write a line for a job that has ended."""
        record = event.record
        if record.status is JobStatus.RETRY_SCHEDULED:
            wait = None if record.due is None else max(0.0, record.due - event.time)
            self._remember(Attempt(record, self._utc_now(), wait))
        elif record.status.is_terminal:
            earlier = self._recall(record) if record.attempts > 1 else ()
            self._write(functools.partial(_line_of_ended, record, earlier))

    def add_unfinished(
        self, records: Iterable[JobRecord], hosts: Iterable[HostState] = ()
    ) -> None:
        """Write a line for each of these jobs that had not ended when the run ended.

        Args:
            records: Records of jobs.
            hosts: Hosts that were in trouble then; times are in seconds since the epoch.
        """
        troubles = {state.host: state for state in hosts}
        for record in records:
            if not record.status.is_terminal:
                trouble = troubles.get(origin_text(record.job.url))
                attempts = self._recall(record)
                self._write(functools.partial(_line, record, attempts, trouble=trouble))

    def _remember(self, attempt: Attempt) -> None:
        with self._lock:
            self._earlier.setdefault(attempt.record.job.job_id, []).append(attempt)

    def _recall(self, record: JobRecord) -> Sequence[Attempt]:
        with self._lock:
            return self._earlier.pop(record.job.job_id, ())


def _line_of_ended(record: JobRecord, earlier: Sequence[Attempt]) -> bytes:
    # A URL that was passed over has no attempt.
    last = [Attempt(record, record.finished_at)] if record.attempts else ()
    return _line(record, [*earlier, *last])


def _line(
    record: JobRecord, attempts: Sequence[Attempt], *, trouble: HostState | None = None
) -> bytes:
    """Return the line of a job, put together by hand: json's encoder takes twice as long."""
    job, status = record.job, record.status
    result = record.result or _NO_RESULT
    source = result.source or _NO_SOURCE
    is_success = status is JobStatus.SUCCESS
    return (
        f'{{"job":{job.job_id}'
        f',"url":{_text(without_credentials(job.url))}'
        f',"path":{_text(None if result.path is None else path_text(result.path))}'
        f',"status":"{status if status.is_terminal else UNFINISHED}"'
        f',"outcome":{_text(result.outcome if is_success else None)}'
        f',"error_kind":{_text(result.kind)}'
        f',"error_message":{_text(result.message or None)}'
        f',"final_url":{_text(source.url)}'
        f',"size":{_number(result.size if is_success else None)}'
        f',"is_length_known":{_FLAGS[result.is_length_known if is_success else None]}'
        f',"etag":{_text(source.etag)}'
        f',"last_modified":{_time(source.modified)}'
        f',"sha256":{_text(_sha256(source))}'
        f',"queued_at":{_time(record.created_at)}'
        f',"started_at":{_time(record.started_at)}'
        f',"finished_at":{_time(record.finished_at)}'
        f',"host_trouble":{_trouble(trouble)}'
        f',"attempts":[{",".join(_attempts(attempts))}]}}\n'
    ).encode("ascii")


def _attempts(attempts: Iterable[Attempt]) -> Iterator[str]:
    """Yield the JSON object of each attempt of a job."""
    worked = 0.0
    for number, (record, ended_at, wait) in enumerate(attempts):
        result = record.result or _NO_RESULT
        seconds, worked = record.worked - worked, record.worked
        began = record.started_at if number == 0 or ended_at is None else ended_at - seconds
        yield (
            f'{{"started_at":{_time(began)}'
            f',"host":{_text(_host(record.job, result.contact))}'
            f',"http_status":{_number(result.http_status)}'
            f',"bytes":{result.received}'
            f',"seconds":{_number(max(0.0, seconds))}'
            f',"error_kind":{_text(result.kind)}'
            f',"retry_after":{_number(result.retry_after)}'
            f',"wait":{_number(wait)}}}'
        )


def _host(job: DownloadJob, contact: Contact | None) -> str | None:
    """Return the origin of the last host that an attempt asked; None if it asked none."""
    if contact is None:
        return None
    return contact.host or origin_text(job.url)


def _trouble(state: HostState | None) -> str:
    """Return the JSON object of a host in trouble; `null` for none."""
    if state is None:
        return "null"
    return (
        f'{{"host":{_text(state.host)}'
        f',"phase":{_text(state.phase)}'
        f',"reason":{_text(state.reason)}'
        f',"until":{_time(state.until)}}}'
    )


def _text(text: str | None) -> str:
    return "null" if text is None else _encode(text)


def _time(seconds: float | None) -> str:
    text = rfc3339(seconds)
    return "null" if text is None else f'"{text}"'


def _number(number: float | None) -> str:
    return "null" if number is None or isinf(number) else repr(round(number, 6))


def _sha256(source: SourceFacts) -> str | None:
    for checksum in source.digests:
        if checksum.algorithm == "sha-256":
            return checksum.digest
    return None


def rfc3339(seconds: float | None) -> str | None:
    """Return the time as `2026-11-24T20:37:04.125000Z`.

    Args:
        seconds: Seconds since the epoch; None = no time.

    Returns:
        None for no time, and for a time outside the years 1 to 9999.
    """
    if seconds is None:
        return None
    try:
        whole, rest = divmod(round(seconds * 1_000_000), 1_000_000)
        return f"{_date_and_time(whole)}.{rest:06}Z"
    except (ValueError, OverflowError, OSError):
        return None


@functools.lru_cache(maxsize=16)
def _date_and_time(second: int) -> str:
    """Return date and time; cached, because many times of a report share a second."""
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]
