"""The claims of file names: no two URLs share one, neither in a run nor across runs.

Independent of the files on the disk, apart from those that the ledger has recorded.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator

from url_downloader.naming.filenames import fold, with_suffix
from url_downloader.naming.recorded_names import RecordedNames, SuffixReason
from url_downloader.naming.url_keys import UrlKeys
from url_downloader.shared.ledger_entries import UrlIdentity

UNKNOWN = UrlIdentity(0, "")
"""Identity of a URL where there is no ledger."""


class NameClaims:
    """Paths of files that URLs have claimed, compared as by a file system without case.

    Without a ledger, the results depend only on the claims and their order, so another run
    gives the same names. With a ledger, a claim that was released is found there.

    Args:
        reserved: Names in the output directory that no file and no folder may have.
        taken: Paths of files in the output directory that serve another purpose.
        recorded: Names that the ledger knows; None without a ledger.
        keys: Keys of URLs, whose hashes are the suffixes.

    Attributes:
        suffixes: Number of claims that got a suffix, by reason.

    Threads: any; `drop_released` in the thread that reads the list.
    """

    def __init__(
        self,
        reserved: Iterable[str] = (),
        *,
        taken: Iterable[str] = (),
        recorded: RecordedNames | None = None,
        keys: UrlKeys | None = None,
    ) -> None:
        self.suffixes: Counter[SuffixReason] = Counter()
        self._reserved = frozenset(map(fold, reserved))
        self._taken = frozenset(map(fold, taken))
        self._recorded = recorded
        self._keys = keys or UrlKeys()
        # Guards _files, the folded paths of files, and _folders, which counts files by folder.
        self._lock = threading.Lock()
        self._files: set[str] = set()
        self._folders: Counter[str] = Counter()
        # Not yet removed from _files: what was read from the ledger may be older.
        self._released: deque[str] = deque()

    def claim(
        self,
        path: str,
        url: str,
        *,
        own: str | None = None,
        identity: UrlIdentity = UNKNOWN,
        is_chosen: bool = False,
    ) -> str:
        """Claim a path for the URL; return it, with a suffix if it is taken.

        Args:
            path: Normalised path, relative to the output directory.
            url: URL of the file; the suffix is a hash of its key.
            own: Path that the URL has claimed before, and may get again.
            identity: Identity of the URL in the ledger.
            is_chosen: Whether the user chose the path, which precedes recorded files.

        Raises:
            ValueError: A folder of the path is reserved, or is a file.
        """
        folders = self._checked_folders(path)
        folded_own = None if own is None else fold(own)
        owner = None if is_chosen else identity
        reason = None if fold(path) == folded_own else self._refusal(path, folders, owner=owner)
        if reason is None:
            return path
        self.suffixes[reason] += 1
        others = self._variations(path, url)
        return self._first_free(others, folders, own=folded_own, identity=identity)

    def claim_recorded(self, path: str) -> bool:
        """Claim the path that the ledger has for the URL; return False if it is claimed."""
        folded = fold(path)
        try:
            return self._add(folded, [*_folders(folded)] if "/" in path else [])
        except ValueError:
            return False

    def owner(self, path: str) -> UrlIdentity | None:
        """Return the URL that has the path in the ledger at this moment; None if none has."""
        return None if self._recorded is None else self._recorded.owner(fold(path))

    def is_claimed(self, folded: str) -> bool:
        """Tell whether a URL of this run has claimed the folded path."""
        return folded in self._files

    def release(self, path: str) -> None:
        """Release a claim at the next `drop_released`, because the ledger has the path now."""
        self._released.append(path)

    def drop_released(self) -> None:
        """Remove the claims that were released; the caller reads the ledger afterwards."""
        while self._released:
            self._remove(fold(self._released.popleft()))

    def _checked_folders(self, path: str) -> list[str]:
        """Return the folders of a path, folded.

        Raises:
            ValueError: A file of an earlier run has the path of a folder.
        """
        folders = [*_folders(fold(path))] if "/" in path else []
        for folder in folders:
            if self._recorded is not None and self._recorded.is_file(folder):
                raise ValueError(f"a file of an earlier run is already named '{folder}'")
        return folders

    def _first_free(
        self,
        variations: Iterator[str],
        folders: list[str],
        *,
        own: str | None,
        identity: UrlIdentity,
    ) -> str:
        """Claim and return the first path that is free, or is the folded `own` one."""
        return next(
            each
            for each in variations
            if fold(each) == own or not self._refusal(each, folders, owner=identity)
        )

    def _refusal(
        self, path: str, folders: list[str], *, owner: UrlIdentity | None
    ) -> SuffixReason | None:
        """Claim a path; return the reason if it can't be claimed.

        Args:
            path: Path of the file.
            folders: Folders of the path, folded.
            owner: URL that must have the path in the ledger, if any has; None = any.
        """
        folded = fold(path)
        if not self._add(folded, folders):
            return SuffixReason.LISTED
        reason = None if self._recorded is None else self._recorded.refusal(folded, owner)
        if reason is not None:
            self._remove(folded)
        return reason

    def _add(self, folded: str, folders: Iterable[str]) -> bool:
        """Add a folded path to the claims; return False if it can't be claimed.

        Raises:
            ValueError: A folder of the path can't be one.
        """
        with self._lock:
            self._check(folders)
            if not self._is_free(folded):
                return False
            self._files.add(folded)
            for folder in folders:
                self._folders[folder] += 1
            return True

    def _remove(self, folded: str) -> None:
        with self._lock:
            if folded not in self._files:
                return
            self._files.remove(folded)
            for folder in _folders(folded) if "/" in folded else ():
                self._folders[folder] -= 1
                if not self._folders[folder]:
                    del self._folders[folder]

    def _variations(self, path: str, url: str) -> Iterator[str]:
        folder, slash, name = path.rpartition("/")
        key_text = self._keys.key_text(url)
        for n in itertools.count():
            yield folder + slash + with_suffix(name, key_text, n=n)

    def _check(self, folders: Iterable[str]) -> None:
        """Check that no file has the path of a folder. The caller holds the lock."""
        for folder in folders:
            if folder in self._reserved:
                raise ValueError(f"the folder '{folder}' is reserved for unfinished files")
            if folder in self._files or folder in self._taken:
                raise ValueError(f"a file of this run is already named '{folder}'")

    def _is_free(self, folded: str) -> bool:
        """Tell whether nothing in memory has the path. The caller holds the lock."""
        is_used = folded in self._files or folded in self._folders
        return not (is_used or folded in self._reserved or folded in self._taken)


def _folders(path: str) -> Iterable[str]:
    """Return the path of each folder above the file, from the top."""
    return itertools.accumulate(path.split("/")[:-1], "{}/{}".format)
