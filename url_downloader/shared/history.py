"""Protocols to ask for what ended jobs, of this run and earlier ones, have left in the ledger.

The package `ledger` implements them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from url_downloader.shared.ledger_entries import LedgerEntry, UrlIdentity
from url_downloader.shared.models import JobEvent, JobRecord


class History(Protocol):
    """Look-ups in what the ledger has committed. All methods from any thread."""

    @property
    def run(self) -> int:
        """Return the number of this run; 0 while the ledger does not exist."""

    def by_identity(
        self, identities: Collection[UrlIdentity]
    ) -> Mapping[UrlIdentity, Sequence[LedgerEntry]]:
        """Return the entries of each URL that is known, oldest first."""

    def by_name(self, folded: Collection[str]) -> Mapping[str, LedgerEntry]:
        """Return the entries of the names that are known, by folded name."""

    def folders(self, folded: Collection[str]) -> Mapping[str, str]:
        """Return the paths of recorded files' folders, by folded path, if they are known."""


class PastRecords(Protocol):
    """Records of ended jobs of this run, read from the ledger. All methods from any thread.

    They raise an InputError if the ledger can't be read.
    """

    @property
    def is_on(self) -> bool:
        """Tell whether records will be committed; False if the ledger can't be used."""

    def record(self, job_id: int) -> JobRecord | None:
        """Return the record of an ended job; None if it is not committed."""

    def records(
        self, *, after: int, limit: int, failed_only: bool = False
    ) -> Sequence[JobRecord]:
        """Return at most `limit` records of jobs with a number above `after`, in order."""


class RunLedger(PastRecords, Protocol):
    """Ledger of a run, which records the jobs that end.

    Attributes:
        committed: Functions that are called with the records of each commit, in the thread of
            the writer. They are added before `start`.
        on_failed: Called once, in the same thread, if the ledger can't be written any more. The
            message is for the user.
        aggregates: Called every few seconds for the numbers of the run, as JSON has them.
    """

    committed: list[Callable[[Sequence[JobRecord]], None]]
    on_failed: Callable[[str], None]
    aggregates: Callable[[], Mapping[str, object]]

    def start(self) -> None:
        """Start the writer."""

    def on_event(self, event: JobEvent) -> None:
        """Queue the record of a job that has ended; wait while the queue is full."""


class OpenLedger(History, RunLedger, Protocol):
    """Ledger that is open for a run."""

    def finish(self, status: int | None) -> bool:
        """Write the rest, and close the ledger; calling it again has no effect.

        Args:
            status: Exit status of the run; None if it has none.

        Returns:
            Whether no write has failed. A ledger that can't be used writes nothing.
        """
