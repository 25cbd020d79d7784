"""One attempt of one job, from the look at what is there to the result.

Knows no thread, no queue and no retry; its hands come in as Protocols.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate

from url_downloader.attempt_meter import Progress
from url_downloader.checksums import Digester
from url_downloader.config import Existing
from url_downloader.seams import ExistingFile, Fields
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import DownloadJob, ErrorKind, JobResult, Outcome, SourceFacts
from url_downloader.transfer import Transfer, TransferContext


class Downloader:
    """Makes attempts, one after the other, over one transport.

    Args:
        context: the hands, and what they are to do.
        existing: what is done with a file that exists.
        now: monotonic clock, seconds.

    Threads: one, but `progress`, `expire` and `abort` from any.
    """

    def __init__(
        self,
        context: TransferContext,
        *,
        existing: Existing,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._context = context
        self._existing = existing
        self._now = now
        self._meter = context.meter

    def attempt(self, job: DownloadJob) -> JobResult:
        """Try once to get the job's file; a foreseen failure is a result, not an exception."""
        began = self._now()
        self._context.transport.begin_attempt(self._meter.begin(job))
        try:
            result = self._attempt(job)
        finally:
            self._meter.end()
        return result._replace(seconds=self._now() - began, received=self._meter.received)

    def progress(self) -> Progress | None:
        """The attempt that is going on, if there is one."""
        progress = self._meter.progress()
        if progress is None:
            return None
        transport = self._context.transport
        received = progress.received + transport.other_bytes()
        phase, since = transport.phase()
        return progress._replace(received=received, phase=phase, since=since)

    def expire(self, attempt: int, reason: str) -> None:
        """End the attempt of this number, if it is still going on. Never blocks."""
        self._context.transport.expire(attempt, reason)

    def _attempt(self, job: DownloadJob) -> JobResult:
        try:
            skipped = self._skip(job)
        except AttemptError as error:
            return JobResult(kind=error.kind, message=error.message)
        result = skipped or self._transfer(job)
        if result.kind is ErrorKind.CHECKSUM:
            # The copy may have been spoilt on its way: one more, complete and fresh.
            result = self._transfer(job)
        return result

    def abort(self) -> None:
        """End the attempt that is going on, and all later ones. Never blocks."""
        self._context.transport.abort()

    def close(self) -> None:
        """Close the transport."""
        self._context.transport.close()

    def _transfer(self, job: DownloadJob) -> JobResult:
        is_comparing = self._existing is Existing.COMPARE
        existing = self._context.disk.existing(job.output) if is_comparing else None
        transfer = Transfer(job, self._context, conditions=_conditions(existing))
        try:
            result = transfer.run()
        except AttemptError as error:
            return JobResult(
                kind=error.kind, message=error.message, http_status=transfer.http_status
            )
        if result.outcome is Outcome.NOT_MODIFIED and existing is not None:
            return result._replace(path=existing.path, size=existing.size)
        return result

    def _skip(self, job: DownloadJob) -> JobResult | None:
        """The result where the file that is there is left as it is."""
        if self._existing not in (Existing.SKIP, Existing.SKIP_FILLED):
            return None
        existing = self._context.disk.existing(job.output)
        if existing is None:
            return None
        source = None
        if self._existing is Existing.SKIP_FILLED:
            if not _is_finished(job, existing):
                return None
            source = SourceFacts(digests=(job.checksum,)) if job.checksum else None
        return JobResult(
            path=existing.path, size=existing.size, outcome=Outcome.SKIPPED, source=source
        )


def _is_finished(job: DownloadJob, existing: ExistingFile) -> bool:
    """Whether the file that is there may be what an earlier run finished."""
    digester = Digester([job.checksum] if job.checksum else [])
    if digester:
        existing.read_into(digester.update)
    return existing.size > 0 and digester.mismatch() is None


def _conditions(existing: ExistingFile | None) -> Fields:
    """Header fields that ask for a file only if it is another than this (RFC 9110 §13.1)."""
    if existing is None:
        return ()
    fields: Fields = (("If-Modified-Since", formatdate(existing.modified, usegmt=True)),)
    return (*fields, ("If-None-Match", existing.etag)) if existing.etag else fields
