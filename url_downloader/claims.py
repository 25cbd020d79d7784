"""Who got which file name: no two URLs of a list ever share one.

Knows names only; nothing of what is on the disk.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable

from url_downloader.filenames import fold, with_suffix


class NameClaims:
    """The paths given out so far, compared as file systems that fold case would.

    The answers depend on nothing but the claims and their order.

    Args:
        reserved: names that are given out neither as a file nor as a folder.

    Threads: any may claim.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._reserved = frozenset(map(fold, reserved))
        # Leaf lock; guards _files and _folders, which hold folded paths.
        self._lock = threading.Lock()
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def claim(self, path: str, url: str) -> str:
        """The path to use for the URL: the one asked for or, if taken, one with a suffix.

        Args:
            path: relative, normalised, `/` between folders.
            url: what tells this file from others of its name.

        Raises:
            ValueError: one of its folders can't be one; with the reason.
        """
        folders = list(itertools.accumulate(fold(path).split("/")[:-1], "{}/{}".format))
        with self._lock:
            self._check(folders)
            claimed = next(filter(self._is_free, _candidates(path, url)))
            self._files.add(fold(claimed))
            self._folders.update(folders)
        return claimed

    def _check(self, folders: list[str]) -> None:
        for folder in folders:
            if folder in self._reserved:
                raise ValueError(f"the folder '{folder}' is reserved for unfinished files")
            if folder in self._files:
                raise ValueError(f"a file of the list is already named '{folder}'")

    def _is_free(self, path: str) -> bool:
        folded = fold(path)
        return not any(
            folded in taken for taken in (self._reserved, self._files, self._folders)
        )


def _candidates(path: str, url: str) -> Iterable[str]:
    yield path
    folder, slash, name = path.rpartition("/")
    for n in itertools.count():
        yield folder + slash + with_suffix(name, url, n=n)
