"""A ledger in memory: entries of URLs, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from url_downloader.naming.filenames import fold
from url_downloader.naming.url_keys import UrlKeys
from url_downloader.shared.ledger_entries import LedgerEntry, UrlIdentity

KEYS = UrlKeys()


class FakeLedger:
    """Entries of a ledger, which implement `History`.

    Args:
        run: Number of this run.

    Attributes:
        entries: Entries, oldest first.
        queries: Number of look-ups so far.
    """

    def __init__(self, run: int = 2) -> None:
        self.run = run
        self.entries: list[LedgerEntry] = []
        self.queries = 0

    def add(
        self,
        url: str,
        name: str,
        *,
        run: int = 1,
        is_success: bool = True,
        mark: int = 0,
        **facts: int | str,
    ) -> LedgerEntry:
        """Add the entry of a URL; return it."""
        row = len(self.entries) + 1
        fixed = (row, KEYS.identity(url), name, run, is_success, mark)
        entry = LedgerEntry(*fixed, **facts)  # type: ignore[arg-type]
        self.entries.append(entry)
        return entry

    def by_identity(
        self, identities: Collection[UrlIdentity]
    ) -> Mapping[UrlIdentity, Sequence[LedgerEntry]]:
        self.queries += 1
        return {
            identity: [each for each in self.entries if each.identity == identity]
            for identity in identities
        }

    def by_name(self, folded: Collection[str]) -> Mapping[str, LedgerEntry]:
        self.queries += 1
        return {fold(each.name): each for each in self.entries if fold(each.name) in folded}

    def folders(self, folded: Collection[str]) -> Mapping[str, str]:
        paths = [each.name.rpartition("/")[0] for each in self.entries if "/" in each.name]
        return {fold(path): path for path in paths if fold(path) in folded}
