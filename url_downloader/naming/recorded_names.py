"""Names that the ledger knows: those of other URLs' files are taken.

A file is looked for on the disk only if another URL has its name.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping

from url_downloader.shared.history import History
from url_downloader.shared.ledger_entries import LedgerEntry, UrlIdentity


class SuffixReason(enum.StrEnum):
    """Reason why a file got a suffix; the text is shown to the user."""

    LISTED = "another URL of the list has the plain name"
    RECORDED = "another URL's file of an earlier run has the plain name"


class RecordedNames:
    """Names in the ledger, which are read for many URLs at once.

    Args:
        history: Ledger.
        is_there: Tells whether anything has this path, relative to the output directory.

    Threads: `load` in the thread that reads the list; the others from any thread.
    """

    def __init__(self, history: History, is_there: Callable[[str], bool]) -> None:
        self._history = history
        self._is_there = is_there
        # Both are replaced as a whole, so that other threads read them without a lock.
        self._loaded: Mapping[str, LedgerEntry | None] = {}
        self._folders: Mapping[str, str] = {}

    def forget(self) -> None:
        """Forget the entries that were loaded."""
        self._loaded, self._folders = {}, {}

    def load(self, folded: Collection[str]) -> None:
        """Read the entries of these folded names, in addition to those loaded before."""
        missing = [name for name in folded if name not in self._loaded]
        if missing:
            found, folders = self._history.by_name(missing), self._history.folders(missing)
            self._folders = {**self._folders, **folders}
            self._loaded = {**self._loaded, **dict.fromkeys(missing), **found}

    def entry(self, folded: str) -> LedgerEntry | None:
        """Return the entry of a folded name; None if the ledger does not know it."""
        loaded = self._loaded
        if folded in loaded:
            return loaded[folded]
        return self._history.by_name([folded]).get(folded)

    def refusal(self, folded: str, identity: UrlIdentity | None) -> SuffixReason | None:
        """Return the reason why the URL must not have the name; None if it may.

        Names that were given in this run are taken. So are the names of other URLs' files and
        folders, unless these are gone or the user chose the name.

        Args:
            folded: Folded name.
            identity: Identity of the URL; None if the user chose the name for it.
        """
        entry = self.entry(folded)
        if entry is not None and entry.run == self._history.run:
            return SuffixReason.LISTED
        is_others = entry is not None and identity not in (None, entry.identity)
        if entry is not None and is_others and self._is_there(entry.name):
            return SuffixReason.RECORDED
        folder = self._folder(folded)
        is_folder = folder is not None and self._is_there(folder)
        return SuffixReason.RECORDED if is_folder else None

    def owner(self, folded: str) -> UrlIdentity | None:
        """Return the URL that has the folded name at this moment; None if none has."""
        entry = self._history.by_name([folded]).get(folded)
        return None if entry is None else entry.identity

    def is_file(self, folded: str) -> bool:
        """Tell whether a recorded file has this path, so that no folder can have it."""
        entry = self.entry(folded)
        return entry is not None and self._is_there(entry.name)

    def _folder(self, folded: str) -> str | None:
        """Return the path of the recorded folder with this folded path; None without one."""
        folders = self._folders
        if folded in self._loaded:
            return folders.get(folded)
        return self._history.folders([folded]).get(folded)
