"""The side of a list that knows earlier runs: look-ups in the ledger for blocks of entries.

`job_maker` asks it for each entry. Without a ledger, there is no KnownUrls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from url_downloader.inputs.list_entry import ListEntry
from url_downloader.inputs.passing_rule import PassingRule
from url_downloader.naming.filenames import fold, name_from_url, with_suffix
from url_downloader.naming.name_claims import NameClaims
from url_downloader.naming.recorded_names import RecordedNames
from url_downloader.naming.url_keys import UrlKeys
from url_downloader.shared.history import History
from url_downloader.shared.ledger_entries import LedgerEntry, UrlIdentity


class KnownUrl(NamedTuple):
    """Facts about a URL of the list.

    Args:
        identity: Identity of the URL.
        entries: Entries of the URL in the ledger, oldest first.
        run: Number of this run.
    """

    identity: UrlIdentity
    entries: Sequence[LedgerEntry]
    run: int

    def is_repeated(self, mark: int) -> bool:
        """Tell whether a job of this run with this mark has ended."""
        return any(each.run == self.run and each.mark == mark for each in self.entries)

    def earlier(self, natural: str) -> Sequence[LedgerEntry]:
        """Return the entries of earlier runs; first the one with the name from the URL."""
        entries = [each for each in self.entries if each.run != self.run]
        return sorted(entries, key=lambda each: each.name != natural)


class KnownUrls:
    """Look-ups of blocks of entries in the ledger.

    Args:
        history: Ledger.
        keys: Keys of URLs.
        recorded: Names in the ledger.
        claims: Claims of the run, which ask `recorded`.
        passing: Rule for URLs that need no attempt; None if all need one.

    Threads: one, the one that reads the list.
    """

    def __init__(
        self,
        history: History,
        *,
        keys: UrlKeys,
        recorded: RecordedNames,
        claims: NameClaims,
        passing: PassingRule | None,
    ) -> None:
        self.keys = keys
        self.passing = passing
        self._history = history
        self._recorded = recorded
        self._claims = claims

    def look_up(self, block: Sequence[ListEntry]) -> Sequence[KnownUrl]:
        """Return what the ledger knows about the URLs of these entries, in their order.

        The names that they may get are read from the ledger, too.
        """
        # In this order: a name that leaves memory now is in the ledger already.
        self._recorded.forget()
        self._claims.drop_released()
        identities = [self.keys.identity(entry.url) for entry in block]
        entries = self._history.by_identity(set(identities))
        # After the look-up: its number is set before the first entry of this run is found.
        run = self._history.run
        known = [KnownUrl(each, entries.get(each, ()), run) for each in identities]
        self._load_names(block, known)
        return known

    def owner(self, name: str) -> UrlIdentity | None:
        """Return the identity of the URL that has the name in the ledger; None if none has."""
        entry = self._recorded.entry(fold(name))
        return None if entry is None else entry.identity

    def _load_names(self, block: Sequence[ListEntry], known: Sequence[KnownUrl]) -> None:
        wanted = dict(_wanted(block, known))
        self._recorded.load(wanted.keys())
        self._recorded.load([fold(name) for name in self._suffixed(block, known)])

    def _suffixed(self, block: Sequence[ListEntry], known: Sequence[KnownUrl]) -> Iterator[str]:
        """Yield the names with a suffix of the entries whose names are likely to be taken."""
        seen: set[str] = set()
        for entry, url in zip(block, known, strict=True):
            if url.entries or entry.output is not None:
                continue
            name = name_from_url(entry.url)
            folded = fold(name)
            if folded in seen or self._is_taken(folded, url.identity):
                yield with_suffix(name, self.keys.key_text(entry.url))
            seen.add(folded)

    def _is_taken(self, folded: str, identity: UrlIdentity) -> bool:
        entry = self._recorded.entry(folded)
        is_others = entry is not None and entry.identity != identity
        return is_others or self._claims.is_claimed(folded)


def _wanted(
    block: Sequence[ListEntry], known: Sequence[KnownUrl]
) -> Iterator[tuple[str, None]]:
    """Yield the folded names that the entries want; a known URL wants its old name."""
    for entry, url in zip(block, known, strict=True):
        if entry.output is not None:
            yield fold(entry.output), None
        elif not url.entries:
            yield fold(name_from_url(entry.url)), None
