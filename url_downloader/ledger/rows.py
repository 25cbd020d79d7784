"""Rows of the ledger: from the records of jobs, and back to records and entries. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from url_downloader.ledger.schema import State, fold_hash
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.ledger_entries import LedgerEntry, UrlHistory, UrlIdentity
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    JobRecord,
    JobResult,
    JobStatus,
    Outcome,
    SourceFacts,
)

COLUMNS = (
    *("id", "key", "fold", "url", "name", "state", "cause", "attempts", "ended", "size"),
    *("mtime", "modified", "etag", "digest", "run", "job", "mark", "status", "excused"),
    *("queued", "started", "worked", "received", "message"),
)
"""Columns of the table `entry`, as in Row."""
ENTRY_COLUMNS = "id, key, url, name, run, state, mark, size, mtime, modified, etag, digest"
"""Columns for `entry_of`."""

_STATES: Mapping[Outcome, int] = {
    Outcome.DOWNLOADED: int(State.DOWNLOADED),
    Outcome.RESUMED: int(State.RESUMED),
    Outcome.SKIPPED: int(State.SKIPPED),
    Outcome.NOT_MODIFIED: int(State.NOT_MODIFIED),
}
_OUTCOMES = {state: outcome for outcome, state in _STATES.items()}
_ALGORITHMS = ("md5", "sha-1", "sha-256", "sha-512")
"""Algorithms of digests; the first byte of a stored digest is an index."""
_STATUS_CAUSES = {"http-4": ErrorKind.CLIENT_ERROR, "http-5": ErrorKind.SERVER_ERROR}
"""Kinds of the causes that are a status code, by their first characters."""
_FAILED = int(State.FAILED)
_KEEPING_STATES = (_FAILED, int(State.SKIPPED), int(State.NOT_MODIFIED))
"""States after which the file is the one that was there before."""
_FACTS_BEGIN, _FACTS_END = COLUMNS.index("size"), COLUMNS.index("digest") + 1
"""Place of the facts about the file in a row."""
_NO_RESULT = JobResult()
_NO_SOURCE = SourceFacts()


class Row(NamedTuple):
    """Row of the table `entry`; see the schema."""

    id: int | None
    key: int
    fold: int
    url: str
    name: str
    state: int
    cause: str | None
    attempts: int
    ended: int
    size: int | None
    mtime: int | None
    modified: int | None
    etag: str | None
    digest: bytes | None
    run: int
    job: int
    mark: int
    status: int | None
    excused: int
    queued: int
    started: int | None
    worked: int
    received: int
    message: str | None


class OldRow(NamedTuple):
    """Row that the table has already: its identity, and facts about its file."""

    id: int
    key: int
    url: str
    name: str
    size: int | None
    mtime: int | None
    modified: int | None
    etag: str | None
    digest: bytes | None


OLD_COLUMNS = ", ".join(OldRow._fields)
"""Columns for OldRow."""


def row_of(record: JobRecord, history: UrlHistory, *, run: int, folded: str) -> Row:
    """Return the row for a job that has ended.

    Args:
        record: Record of the job.
        history: History of its URL.
        run: Number of the run.
        folded: Folded name of the file.
    """
    job, result = record.job, record.result or _NO_RESULT
    source, is_failed = result.source or _NO_SOURCE, record.status is JobStatus.FAILED
    key, url = history.identity
    queued, began = round(record.created_at * 1000), record.started_at
    ended = queued if record.finished_at is None else round(record.finished_at * 1000)
    state = _FAILED if is_failed else _STATES[result.outcome]
    cause = result.cause if is_failed else None
    modified = None if source.modified is None else int(source.modified)
    digest = _packed_digest(source.digests) if source.digests else None
    values = (
        *(None, key, fold_hash(folded), url, result.output or job.output),
        *(state, cause, record.attempts, ended),
        *(None if result.mtime_ns is None else result.size, result.mtime_ns),
        *(modified, source.etag, digest),
        *(run, job.job_id, history.mark, result.http_status, record.excused),
        *(ended - queued, None if began is None else round(began * 1000) - queued),
        *(round(record.worked * 1000), result.received, _shown_text(result.message)),
    )
    return Row._make(values)


def _shown_text(message: str) -> str | None:
    """Return the message with escapes for the bytes of a path that are no UTF-8; None if ''."""
    # SQLite has no text for them.
    return message.encode("utf-8", "backslashreplace").decode() or None


def with_old_facts(row: Row, old: OldRow) -> Row:
    """Return the row with the facts about the file of the URL's old row, if they still hold.

    They hold if the file was not replaced: after a failure, and if it was kept.

    Args:
        row: Row of the job that has ended now.
        old: Old row of the same URL and name.
    """
    file = (row.size, row.mtime)
    is_same = row.mtime is None or file == (old.size, old.mtime)
    facts = (*file, row.modified, row.etag, row.digest)
    if is_same and row.state in _KEEPING_STATES:
        facts = (
            *(old.size, old.mtime),
            old.modified if row.modified is None else row.modified,
            *(row.etag or old.etag, row.digest or old.digest),
        )
    return Row._make((old.id, *row[1:_FACTS_BEGIN], *facts, *row[_FACTS_END:]))


def record_of(row: Row) -> JobRecord:
    """Return the record of a job, without the headers, limits and login of the job."""
    queued = (row.ended - row.queued) / 1000
    job = DownloadJob(row.job, row.url, row.name, 0)
    return JobRecord(
        job=job,
        status=JobStatus.SUCCESS if row.state else JobStatus.FAILED,
        attempts=row.attempts,
        created_at=queued,
        since=0.0,
        excused=row.excused,
        started_at=None if row.started is None else queued + row.started / 1000,
        finished_at=row.ended / 1000,
        worked=row.worked / 1000,
        result=_result_of(row),
    )


def _result_of(row: Row) -> JobResult:
    result = JobResult(http_status=row.status, received=row.received)
    if row.state == State.FAILED:
        cause = row.cause or ErrorKind.INTERNAL
        kind = _STATUS_CAUSES.get(cause[:6]) if cause not in _KINDS else ErrorKind(cause)
        return result._replace(kind=kind or ErrorKind.INTERNAL, message=row.message or "")
    modified = None if row.modified is None else float(row.modified)
    digests = () if row.digest is None else (unpacked_digest(row.digest),)
    return result._replace(
        size=row.size or 0,
        path=row.name,
        outcome=_OUTCOMES[State(row.state)],
        source=SourceFacts(etag=row.etag, modified=modified, digests=digests),
        mtime_ns=row.mtime,
    )


_KINDS = frozenset(map(str, ErrorKind))


def entry_of(values: Sequence[Any]) -> LedgerEntry:
    """Return the entry of a row with the ENTRY_COLUMNS."""
    row, key, url, name, run, state, mark, size, mtime, modified, etag, digest = values
    shown = None if digest is None else _shown_digest(digest)
    past = (row, UrlIdentity(key, url), name, run, state != _FAILED, mark)
    return LedgerEntry._make((*past, size, mtime, modified, etag, shown))


def is_safe(name: str) -> bool:
    """Tell whether a name in the ledger leads to a place inside the output directory."""
    if "\0" in name:
        return False
    if "/" not in name:
        return name not in ("", ".", "..")
    return not {"", ".", ".."}.intersection(name.split("/"))


def _packed_digest(digests: Sequence[Checksum]) -> bytes:
    best = digests[0]
    if len(digests) > 1:
        # The strongest one, whose algorithm comes last.
        best = max(digests, key=lambda each: _ALGORITHMS.index(each.algorithm))
    return bytes([_ALGORITHMS.index(best.algorithm)]) + bytes.fromhex(best.digest)


def unpacked_digest(packed: bytes) -> Checksum:
    """Return the digest in a column."""
    return Checksum(_ALGORITHMS[packed[0]], packed[1:].hex())


def _shown_digest(packed: bytes) -> str:
    return f"{_ALGORITHMS[packed[0]]}={packed[1:].hex()}"
