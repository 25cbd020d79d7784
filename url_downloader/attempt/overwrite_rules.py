"""Rules for a file that already exists under a job's name: `-nc`, `-c` and `-N`.

An existing file that fails its known checksum never counts as a success.
"""

from __future__ import annotations

from email.utils import formatdate

from url_downloader.config.settings import Existing
from url_downloader.shared.checksums import Digester
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.models import ErrorKind, JobResult, Outcome, SourceFacts
from url_downloader.shared.ports import Disk, ExistingFile, Fields


class OverwriteRules:
    """Rule of a run for files that already exist.

    Args:
        disk: Output directory.
        rule: Rule that the user has chosen.

    Threads: one.
    """

    def __init__(self, disk: Disk, rule: Existing) -> None:
        self._disk = disk
        self._rule = rule

    def skipped_result(self, output: str, checksum: Checksum | None) -> JobResult | None:
        """Return the result of a job that is skipped because its file exists; else None.

        Args:
            output: Path of the file, relative to the output directory.
            checksum: Checksum that the file must have, if known.

        Raises:
            AttemptError: The file must be kept but fails its checksum, or it can't be read.
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
            message = (
                f"{existing.path}: kept by --no-clobber, but its {mismatch}; remove the file"
                " to download it again"
            )
            raise AttemptError(ErrorKind.CHECKSUM, message)
        return JobResult(
            path=existing.path,
            size=existing.size,
            outcome=Outcome.SKIPPED,
            source=SourceFacts(digests=(checksum,)) if checksum else None,
        )

    def file_to_compare(self, output: str, checksum: Checksum | None) -> ExistingFile | None:
        """Return the existing file that the server is to compare with its own; else None.

        A file that fails its checksum is not compared: the server might call it up to date.

        Args:
            output: Path of the file, relative to the output directory.
            checksum: Checksum that the file must have, if known.

        Raises:
            AttemptError: The file can't be read.
        """
        if self._rule is not Existing.COMPARE:
            return None
        existing = self._disk.existing(output)
        if existing is None or _mismatch(existing, checksum) is not None:
            return None
        return existing


def conditions(existing: ExistingFile | None) -> Fields:
    """Return header fields that request a file only if it differs from the existing one.

    RFC 9110 §13.1 defines them.
    """
    if existing is None:
        return ()
    fields: Fields = (("If-Modified-Since", formatdate(existing.modified, usegmt=True)),)
    return (*fields, ("If-None-Match", existing.etag)) if existing.etag else fields


def _mismatch(existing: ExistingFile, checksum: Checksum | None) -> str | None:
    """Return a message if the file fails its checksum; else None."""
    if checksum is None:
        return None
    digester = Digester([checksum])
    existing.read_into(digester.update)
    return digester.mismatch()
