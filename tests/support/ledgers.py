"""Ledgers on the disk, with the entries that a test is about."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TypedDict, Unpack

from tests.support.jobs import make_job, make_record
from url_downloader.ledger.batch import BatchWriter
from url_downloader.ledger.database import create_file, open_writer
from url_downloader.naming.url_keys import UrlKeys
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.ledger_entries import UrlHistory
from url_downloader.shared.models import (
    ErrorKind,
    JobRecord,
    JobResult,
    JobStatus,
    Outcome,
    SourceFacts,
)

KEYS = UrlKeys()
IN_DIRECTORY = Path(".url-downloader") / "ledger.db"
"""Path of the ledger in an output directory."""
BATCH = 500


class RunFields(TypedDict, total=False):
    """The fields of a run that a test may set; times are in seconds since the epoch."""

    settings: Mapping[str, object]
    aggregates: Mapping[str, object]
    started: float
    ended: float | None
    status: int | None


def success(
    name: str,
    url: str = "",
    *,
    size: int = 5,
    mtime_ns: int | None = 10**18,
    digest: Checksum | None = None,
    outcome: Outcome = Outcome.DOWNLOADED,
) -> JobRecord:
    """Return the record of a success; without a time the file is not known to be complete."""
    source = SourceFacts(digests=() if digest is None else (digest,))
    result = JobResult(
        http_status=200,
        size=size,
        path=name,
        outcome=outcome,
        source=source,
        mtime_ns=mtime_ns,
    )
    return _record(JobStatus.SUCCESS, url or f"http://h/{name}", name=name, result=result)


def failure(
    name: str, url: str = "", *, code: int | None = 404, message: str = "HTTP 404 Not Found"
) -> JobRecord:
    """Return the record of a failure: an HTTP status, or a lost connection without one."""
    kind = ErrorKind.RESET if code is None else ErrorKind.CLIENT_ERROR
    result = JobResult(kind=kind, message=message, http_status=code)
    return _record(JobStatus.FAILED, url or f"http://h/{name}", name=name, result=result)


def of_file(path: Path, name: str, *, digest: Checksum | None = None) -> JobRecord:
    """Return the record of a success that has left this file."""
    status = path.stat()
    return success(name, size=status.st_size, mtime_ns=status.st_mtime_ns, digest=digest)


def _record(status: JobStatus, url: str, *, name: str, result: JobResult) -> JobRecord:
    job = make_job(url=url, output=name)
    job = job._replace(history=UrlHistory(KEYS.identity(url), 0, None))
    return make_record(status, job, result=result, started_at=1.0, finished_at=2.0)


def record_run(path: Path, records: Iterable[JobRecord], **run: Unpack[RunFields]) -> Path:
    """Record a run in a ledger, which is made if it is missing; return its path.

    Without `ended` it still runs, or was killed.
    """
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        create_file(path)
    with closing(open_writer(path, is_synced=False)) as connection:
        started = run.get("started", 1.0)
        batches = BatchWriter(connection, run.get("settings", {}), started=started)
        connection.execute("BEGIN")
        batches.begin_run()
        numbered = (
            record._replace(job=record.job._replace(job_id=number))
            for number, record in enumerate(records, start=1)
        )
        while batch := [*itertools.islice(numbered, BATCH)]:
            batches.write(batch)
        batches.note_aggregates(run.get("aggregates", {}))
        if (ended := run.get("ended")) is not None:
            batches.end_run(ended, status=run.get("status"))
        connection.execute("COMMIT")
    return path
