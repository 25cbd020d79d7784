"""Protocols to ask for what ended jobs, of this run and earlier ones, have left in the ledger.

The package `ledger` implements them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from url_downloader.shared.ledger_entries import LedgerEntry, UrlIdentity
from url_downloader.shared.models import JobRecord


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

    def folders(self, folded: Collection[str]) -> Collection[str]:
        """Return those of the folded paths that are folders of recorded files."""


class PastRecords(Protocol):
    """Records of ended jobs of this run, read from the ledger. All methods from any thread."""

    @property
    def is_on(self) -> bool:
        """Tell whether records will be committed; False if the ledger can't be used."""

    def record(self, job_id: int) -> JobRecord | None:
        """Return the record of an ended job; None if it is not committed."""

    def records(
        self, *, after: int, limit: int, failed_only: bool = False
    ) -> Sequence[JobRecord]:
        """Return at most `limit` records of jobs with a number above `after`, in order."""
