"""The rule for URLs that need no attempt, because the ledger knows that their files are there.

Pure: the caller supplies the access to the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from url_downloader.shared.checksums import parse_checksum
from url_downloader.shared.file_facts import FileState, is_same_file
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.ledger_entries import LedgerEntry
from url_downloader.shared.models import JobResult, Outcome, SourceFacts


class PassingRule(NamedTuple):
    """Rule of a run for URLs that succeeded in an earlier run.

    Args:
        passes_complete: Whether to pass over a URL whose file is as it was recorded (`-c`).
        passes_successes: Whether to pass over each URL that succeeded (`--retry-failed`).
        file_state: Returns the state of the regular file with a path relative to the output
            directory; None if there is none.
        shown_path: Returns the path of a file for results.
    """

    passes_complete: bool
    passes_successes: bool
    file_state: Callable[[str], FileState | None]
    shown_path: Callable[[str], str]

    def passes(self, entry: LedgerEntry, checksum: Checksum | None) -> bool:
        """Tell whether the URL of the entry needs no attempt.

        Args:
            entry: Entry of the URL in the ledger.
            checksum: Checksum that the file must have, if known.
        """
        if not entry.is_success:
            return False
        if self.passes_successes:
            return True
        size, mtime = entry.size, entry.mtime_ns
        if size is None or mtime is None:
            return False
        if checksum is not None and entry.digest != f"{checksum.algorithm}={checksum.digest}":
            return False
        state = self.file_state(entry.name)
        return state == (size, mtime) or (
            state is not None and is_same_file(state, (size, mtime))
        )

    def result(self, entry: LedgerEntry) -> JobResult:
        """Return the result of a URL that is passed over."""
        digests = (parse_checksum(entry.digest),) if entry.digest else ()
        modified = None if entry.modified is None else float(entry.modified)
        return JobResult(
            path=self.shown_path(entry.name),
            size=entry.size or 0,
            outcome=Outcome.SKIPPED,
            source=SourceFacts(etag=entry.etag, modified=modified, digests=digests),
        )
