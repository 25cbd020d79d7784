"""Records of ended jobs, packed into bytes to save memory when the list is long.

Such a record is never replaced, and is rarely read before the run ends.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from url_downloader.shared.job_options import AttemptLimits, Checksum
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    JobRecord,
    JobResult,
    JobStatus,
    Outcome,
    SourceFacts,
)

StoredRecord = bytes | JobRecord
"""A record as the registry stores it: packed into bytes, or as it is."""
Values = tuple[Any, ...]
"""Values of the fields of a record or of one of its parts; marshal can write them."""

_STATUSES = tuple(JobStatus)
_LAST_BYTES = {status: bytes([number]) for number, status in enumerate(_STATUSES)}
"""Last byte of a packed record: it tells its state without the time that unpacking takes."""


def packed(record: JobRecord) -> StoredRecord:
    """Return the record packed into bytes; the record itself if marshal can't write a value."""
    job = record.job
    values = (
        _of_record(record),
        _of_job(job),
        _of_limits(job.limits),
        None if job.checksum is None else _of_checksum(job.checksum),
        None if record.result is None else _plain_result(record.result),
    )
    try:
        return marshal.dumps(values) + _LAST_BYTES[record.status]
    except ValueError:
        return record


def unpacked(stored: StoredRecord) -> JobRecord:
    """Return the record of a stored record: itself, or an equal copy of the packed one."""
    if isinstance(stored, JobRecord):
        return stored
    # Safe, because only `packed` makes these bytes. marshal ignores the byte after its value.
    record, job, limits, checksum, result = marshal.loads(stored)  # noqa: S302
    return JobRecord(
        job=DownloadJob(
            **_named(_JOB, job),
            limits=AttemptLimits(**_named(_LIMITS, limits)),
            checksum=None if checksum is None else Checksum(*checksum),
        ),
        status=status_of(stored),
        result=None if result is None else _result(result),
        **_named(_RECORD, record),
    )


def status_of(stored: StoredRecord) -> JobStatus:
    """Return the state in a stored record, without unpacking it."""
    if isinstance(stored, bytes):
        return _STATUSES[stored[-1]]
    return stored.status


def _plain_result(result: JobResult) -> Values:
    kind, source = result.kind, result.source
    return (
        *_of_result(result),
        None if kind is None else kind.value,
        result.outcome.value,
        None if source is None else _plain_source(source),
    )


def _result(values: Values) -> JobResult:
    *others, kind, outcome, source = values
    return JobResult(
        **_named(_RESULT, others),
        kind=None if kind is None else ErrorKind(kind),
        outcome=Outcome(outcome),
        source=None if source is None else _source(source),
    )


def _plain_source(source: SourceFacts) -> Values:
    return (*_of_source(source), tuple(map(_of_checksum, source.digests)))


def _source(values: Values) -> SourceFacts:
    *others, digests = values
    found = tuple(Checksum(*each) for each in digests)
    return SourceFacts(**_named(_SOURCE, others), digests=found)


def _named(names: Sequence[str], values: Iterable[Any]) -> dict[str, Any]:
    return dict(zip(names, values, strict=True))


def _names(fields: Iterable[str], *, without: Iterable[str] = ()) -> Sequence[str]:
    return [name for name in fields if name not in without]


_RECORD = _names(JobRecord._fields, without=("job", "status", "result"))
_JOB = _names(DownloadJob._fields, without=("limits", "checksum", "history"))
_LIMITS = [field.name for field in fields(AttemptLimits)]
# The contact of an ended job is of no use any more, nor is its history.
_RESULT = _names(JobResult._fields, without=("kind", "outcome", "source", "contact"))
_SOURCE = _names(SourceFacts._fields, without=("digests",))
_of_record = attrgetter(*_RECORD)
_of_job = attrgetter(*_JOB)
_of_limits = attrgetter(*_LIMITS)
_of_result = attrgetter(*_RESULT)
_of_source = attrgetter(*_SOURCE)
_of_checksum = attrgetter("algorithm", "digest")
