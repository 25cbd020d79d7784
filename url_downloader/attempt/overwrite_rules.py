"""Rules for a file that already exists under a job's name: `-nc`, `-c` and `-N`.

An existing file that fails its known checksum never counts as a success.
"""

from __future__ import annotations

from email.utils import formatdate

from url_downloader.attempt.resume import is_encoded
from url_downloader.config.settings import Existing
from url_downloader.shared.checksums import Digester
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.ledger_entries import LedgerEntry
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    JobResult,
    Outcome,
    SourceFacts,
)
from url_downloader.shared.ports import Disk, ExistingFile, Fields, Naming, Reply


class OverwriteRules:
    """Rule of a run for files that already exist.

    Args:
        disk: Output directory.
        rule: Rule that the user has chosen.
        names: Names that change during a run; None if no name can change.

    Threads: one.
    """

    def __init__(self, disk: Disk, rule: Existing, *, names: Naming | None) -> None:
        self._disk = disk
        self._rule = rule
        self._names = names

    def skipped_result(
        self, job: DownloadJob, output: str, *, checksum: Checksum | None
    ) -> JobResult | None:
        """Return the result of a job that is skipped because of its existing file; else None.

        With `-nc` any file is kept; with `-c` a file that has its checksum.

        Args:
            job: Job of the file.
            output: Path of the file, relative to the output directory.
            checksum: Checksum that the file must have, if known.

        Raises:
            AttemptError: The file must be kept but fails its checksum, or it can't be read.
        """
        is_continued = self._rule is Existing.CONTINUE and checksum is not None
        if not is_continued and self._rule is not Existing.SKIP:
            return None
        existing = self._existing(job, output)
        mismatch = None if existing is None else _mismatch(existing, checksum)
        if existing is None or (is_continued and mismatch is not None):
            return None
        if mismatch is not None:
            message = (
                f"{existing.path}: kept by --no-clobber, but its {mismatch}; remove the file"
                " to download it again"
            )
            raise AttemptError(ErrorKind.CHECKSUM, message)
        return _skipped(existing, is_complete=checksum is not None, checksum=checksum)

    def kept_result(
        self, job: DownloadJob, output: str, *, reply: Reply
    ) -> tuple[JobResult, bool] | None:
        """Return the result of a job whose existing file `-c` keeps; else None.

        The file is kept if it has the length that the reply states. A longer file is kept, too,
        and so is one of a reply without a length, but not an empty one.

        Args:
            job: Job of the file, for which no checksum is known.
            output: Path of the file, relative to the output directory.
            reply: Reply to a request for the whole file.

        Returns:
            The result, and whether the file is known to be complete.

        Raises:
            AttemptError: The file can't be examined.
        """
        if self._rule is not Existing.CONTINUE or _is_taken_over(job):
            return None
        existing = self._existing(job, output)
        length = None if is_encoded(reply.headers) else reply.length
        if existing is None or existing.size < (1 if length is None else length):
            return None
        is_complete = existing.size == length
        return _skipped(existing, is_complete=is_complete), is_complete

    def file_to_compare(
        self, job: DownloadJob, checksum: Checksum | None
    ) -> ExistingFile | None:
        """Return the existing file that the server is to compare with its own; else None.

        A file that fails its checksum, or that has another size than was recorded, is not
        compared: the server might call it up to date.

        Args:
            job: Job of the file.
            checksum: Checksum that the file must have, if known.

        Raises:
            AttemptError: The file can't be read.
        """
        if self._rule is not Existing.COMPARE or _is_taken_over(job):
            return None
        existing = self._existing(job, job.output)
        if existing is None or _mismatch(existing, checksum) is not None:
            return None
        entry = _entry(job)
        is_other_size = entry is not None and entry.size not in (None, existing.size)
        return None if is_other_size else existing

    def _existing(self, job: DownloadJob, output: str) -> ExistingFile | None:
        """Return the existing file; None if there is none, or another run's for another URL."""
        existing = self._disk.existing(output)
        if existing is None or existing.age is None or self._names is None:
            return existing
        if job.history is None or job.history.is_taken_over:
            return existing
        return None if self._names.is_others(job, output, age=existing.age) else existing


def conditions(job: DownloadJob, existing: ExistingFile | None) -> Fields:
    """Return header fields that request a file only if it differs from the existing one.

    RFC 9110 §13.1 defines them. A file that is as the ledger has recorded it is compared by its
    recorded validators, any other one by its time and its tag.
    """
    if existing is None:
        return ()
    entry = _entry(job)
    modified: float | None = existing.modified
    etag = existing.etag
    if entry is not None and (entry.size, entry.mtime_ns) == (existing.size, existing.mtime_ns):
        modified, etag = entry.modified, entry.etag
        if modified is None and etag is None:
            modified = existing.modified
    fields: Fields = ()
    if modified is not None:
        fields = (("If-Modified-Since", formatdate(modified, usegmt=True)),)
    return (*fields, ("If-None-Match", etag)) if etag else fields


def _entry(job: DownloadJob) -> LedgerEntry | None:
    """Return what the ledger knows about the job's file; None if it knows nothing."""
    entry = None if job.history is None else job.history.entry
    return entry if entry is not None and entry.name == job.output else None


def _is_taken_over(job: DownloadJob) -> bool:
    """Tell whether the existing file is that of another URL."""
    return job.history is not None and job.history.is_taken_over


def _skipped(
    existing: ExistingFile, *, is_complete: bool, checksum: Checksum | None = None
) -> JobResult:
    return JobResult(
        path=existing.path,
        size=existing.size,
        outcome=Outcome.SKIPPED,
        source=SourceFacts(digests=(checksum,)) if checksum else None,
        mtime_ns=existing.mtime_ns if is_complete else None,
    )


def _mismatch(existing: ExistingFile, checksum: Checksum | None) -> str | None:
    """Return a message if the file fails its checksum; else None."""
    if checksum is None:
        return None
    digester = Digester([checksum])
    existing.read_into(digester.update)
    return digester.mismatch()
