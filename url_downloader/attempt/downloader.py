"""Downloader of a worker: it makes attempts, from the check of existing files to the result.

A worker makes one Downloader, and calls `attempt` for each job. An attempt has these steps:

1. AttemptControl notes the start, so that other threads can see and abort the attempt.
2. With `-nc` or `-c`, OverwriteRules may skip the job because its file exists. With `-N`, they
   return the file that the server is to compare with its own.
3. A Transfer requests the file, stores it and publishes it.
4. AttemptControl notes the end. A foreseen failure becomes a result with an error kind.

Independent of threads, queues and retries. Network and disk are Protocols.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from url_downloader.attempt.overwrite_rules import conditions
from url_downloader.attempt.transfer import Transfer
from url_downloader.attempt.transfer_context import TransferContext
from url_downloader.config.settings import Existing
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import DownloadJob, JobResult, Outcome
from url_downloader.shared.ports import ExistingFile


class Downloader:
    """Maker of attempts, one after the other, over one transport.

    Args:
        context: Network, disk and rules of the attempts.
        now: Monotonic clock, seconds.

    Threads: one, the worker's.
    """

    def __init__(
        self,
        context: TransferContext,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._context = context
        self._overwrite_rules = context.overwrite_rules
        self._checks_existing = context.existing is not Existing.REPLACE
        self._now = now

    def attempt(self, job: DownloadJob) -> JobResult:
        """Try once to get the job's file; return a foreseen failure as a result."""
        began = self._now()
        control = self._context.control
        control.begin(job)
        try:
            result = self._attempt(job)
        finally:
            control.end()
        return result._replace(
            seconds=self._now() - began,
            received=control.received,
            contact=result.contact or control.contact(),
        )

    def _attempt(self, job: DownloadJob) -> JobResult:
        try:
            skipped = self._skipped_result(job) if self._checks_existing else None
        except AttemptError as error:
            return JobResult(kind=error.kind, message=error.message)
        return skipped or self._transfer(job)

    def close(self) -> None:
        """Close the transport."""
        self._context.transport.close()

    def _skipped_result(self, job: DownloadJob) -> JobResult | None:
        checksum = self._context.checksum(job, job.output)
        return self._overwrite_rules.skipped_result(job, job.output, checksum=checksum)

    def _file_to_compare(self, job: DownloadJob) -> ExistingFile | None:
        return self._overwrite_rules.file_to_compare(
            job, self._context.checksum(job, job.output)
        )

    def _transfer(self, job: DownloadJob) -> JobResult:
        transfer = None
        try:
            existing = self._file_to_compare(job) if self._checks_existing else None
            transfer = Transfer(job, self._context, conditions=conditions(job, existing))
            result = transfer.run()
        except AttemptError as error:
            status = transfer.http_status if transfer else None
            return JobResult(
                kind=error.kind,
                message=error.message,
                http_status=status,
                contact=self._context.control.contact(error),
            )
        if result.outcome is Outcome.NOT_MODIFIED and existing is not None:
            source, checksum = result.source, self._context.checksum(job, job.output)
            if source is not None and checksum is not None:
                source = source._replace(digests=(checksum,))
            return result._replace(
                path=existing.path,
                size=existing.size,
                source=source,
                mtime_ns=existing.mtime_ns,
            )
        return result
