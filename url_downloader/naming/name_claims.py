"""The claims of file names in a run: no two URLs of a list share one.

Independent of the files on the disk.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable

from url_downloader.naming.filenames import fold, with_suffix


class NameClaims:
    """Paths of files that URLs have claimed, compared as by a file system without case.

    The results depend only on the claims and their order, so another run gives the same names.

    Args:
        reserved: Names in the output directory that no file and no folder may have.
        taken: Paths of files in the output directory that serve another purpose.

    Threads: any.
    """

    def __init__(self, reserved: Iterable[str] = (), *, taken: Iterable[str] = ()) -> None:
        self._reserved = frozenset(map(fold, reserved))
        # Guards _files and _folders, which contain folded paths.
        self._lock = threading.Lock()
        self._files: set[str] = set(map(fold, taken))
        self._folders: set[str] = set()

    def claim(self, path: str, url: str, *, own: str | None = None) -> str:
        """Claim a path for the URL; return the path, with a suffix if it is taken.

        Args:
            path: Normalised path, relative to the output directory, with `/` between folders.
            url: URL of the file; the suffix is a hash of it.
            own: Path that the URL has claimed before, and may get again.

        Raises:
            ValueError: A folder of the path is reserved, or is a file of this run.
        """
        folded = fold(path)
        folders = list(_folders(folded)) if "/" in folded else []
        folded_own = None if own is None else fold(own)
        with self._lock:
            self._check(folders)
            if folded != folded_own and not self._is_free(folded):
                path, folded = self._free_variation(path, url, own=folded_own)
            self._files.add(folded)
            self._folders.update(folders)
        return path

    def _check(self, folders: list[str]) -> None:
        for folder in folders:
            if folder in self._reserved:
                raise ValueError(f"the folder '{folder}' is reserved for unfinished files")
            if folder in self._files:
                raise ValueError(f"a file of this run is already named '{folder}'")

    def _free_variation(self, path: str, url: str, *, own: str | None) -> tuple[str, str]:
        """Return the first free variation, and its folded form. The caller holds the lock."""
        variations = ((each, fold(each)) for each in _variations(path, url))
        return next(pair for pair in variations if pair[1] == own or self._is_free(pair[1]))

    def _is_free(self, folded: str) -> bool:
        return not (
            folded in self._files or folded in self._folders or folded in self._reserved
        )


def _folders(path: str) -> Iterable[str]:
    """Return the path of each folder above the file, from the top."""
    return itertools.accumulate(path.split("/")[:-1], "{}/{}".format)


def _variations(path: str, url: str) -> Iterable[str]:
    folder, slash, name = path.rpartition("/")
    for n in itertools.count():
        yield folder + slash + with_suffix(name, url, n=n)
