"""Rules for a file that stands under a job's name already: `-nc`, `-c` and `-N`.

A file that has not the checksum that is known for it is never a success.
"""

from __future__ import annotations

from email.utils import formatdate

from url_downloader.config.settings import Existing
from url_downloader.shared.checksums import Digester
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import Checksum, ErrorKind, JobResult, Outcome, SourceFacts
from url_downloader.shared.ports import Disk, ExistingFile, Fields


class OverwriteRules:
    """The rule of a run for files that exist.

    Args:
        disk: where they are.
        rule: what is done with them.

    Threads: one.
    """

    def __init__(self, disk: Disk, rule: Existing) -> None:
        self._disk = disk
        self._rule = rule

    def skipped_result(self, output: str, checksum: Checksum | None) -> JobResult | None:
        """Return the result of a job whose file is left as it is; None if it is not.

        Args:
            output: name of the file.
            checksum: that it must have, if any is known.

        Raises:
            AttemptError: it is to be left, but has not its checksum, or can't be read.
        """
        if self._rule not in (Existing.SKIP, Existing.SKIP_FILLED):
            return None
        existing = self._disk.existing(output)
        if existing is None or (self._rule is Existing.SKIP_FILLED and not existing.size):
            return None
        mismatch = _mismatch(existing, checksum)
        if mismatch is not None and self._rule is Existing.SKIP_FILLED:
            return None
        if mismatch is not None:
            message = f"{existing.path}: --no-clobber leaves a file whose {mismatch}"
            raise AttemptError(ErrorKind.CHECKSUM, message)
        return JobResult(
            path=existing.path,
            size=existing.size,
            outcome=Outcome.SKIPPED,
            source=SourceFacts(digests=(checksum,)) if checksum else None,
        )

    def file_to_compare(self, output: str, checksum: Checksum | None) -> ExistingFile | None:
        """Return the file that the server is to compare with its own; None if there is none.

        One that has not its checksum is not shown to the server, which might say that it is
        up to date.

        Raises:
            AttemptError: the file can't be read.
        """
        if self._rule is not Existing.COMPARE:
            return None
        existing = self._disk.existing(output)
        if existing is None or _mismatch(existing, checksum) is not None:
            return None
        return existing


def conditions(existing: ExistingFile | None) -> Fields:
    """Header fields that ask for a file only if it is another than this (RFC 9110 §13.1)."""
    if existing is None:
        return ()
    fields: Fields = (("If-Modified-Since", formatdate(existing.modified, usegmt=True)),)
    return (*fields, ("If-None-Match", existing.etag)) if existing.etag else fields


def _mismatch(existing: ExistingFile, checksum: Checksum | None) -> str | None:
    """Return what is wrong with the file's digest, in words; None if nothing is."""
    if checksum is None:
        return None
    digester = Digester([checksum])
    existing.read_into(digester.update)
    return digester.mismatch()
