"""Directories that are opened once, and then used by descriptor instead of by path."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from url_downloader.shared.compute_turn import COMPUTE_TURN

# A directory that may be searched, but not read, takes files all the same.
_SEARCHED = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
IS_NO_FOLDER = frozenset({errno.ENOTDIR, errno.ELOOP})
"""Error numbers of a link or a file in the place of a directory."""


class Folder:
    """An open directory; closed when nothing refers to it any more.

    A thread that uses it keeps it open, so that its number never stands for something else.

    Args:
        descriptor: of the directory; closed by this object.

    Attributes:
        status: of the directory, when it was opened.

    Threads: any.
    """

    __slots__ = ("descriptor", "status")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.status = os.fstat(descriptor)

    def __del__(self) -> None:
        with suppress(OSError):
            os.close(self.descriptor)

    def is_same(self, status: os.stat_result) -> bool:
        """Return whether the status is this directory's."""
        return os.path.samestat(self.status, status)

    def names(self) -> list[str]:
        """Return the names of all that is in the directory.

        Raises:
            OSError: it can't be read.
        """
        with self._read() as descriptor:
            return os.listdir(descriptor)

    def sync(self) -> None:
        """Have the names in the directory on the disk.

        Raises:
            OSError: the disk refuses, or can't do that.
        """
        with COMPUTE_TURN.released(), self._read() as descriptor:
            os.fsync(descriptor)

    @contextmanager
    def _read(self) -> Iterator[int]:
        """Open the directory for what takes more than the right to search it."""
        descriptor = os.open(".", _READ, dir_fd=self.descriptor)
        try:
            yield descriptor
        finally:
            with suppress(OSError):
                os.close(descriptor)


def open_folder(path: bytes, *, within: Folder | None = None) -> Folder:
    """Open a directory to make files in it. Links are followed.

    Args:
        path: absolute, or relative to `within`.
        within: another directory.

    Raises:
        OSError: there is none, or it can't be opened.
    """
    return Folder(os.open(path, _SEARCHED, dir_fd=within.descriptor if within else None))


def open_own_folder(name: str | bytes, *, within: Folder) -> Folder:
    """Open a directory that is in another one. A link is refused.

    Raises:
        OSError: there is none, or it can't be opened; IS_NO_FOLDER for a link or a file.
    """
    return Folder(os.open(name, _SEARCHED | os.O_NOFOLLOW, dir_fd=within.descriptor))


def is_within(folder: Folder, root: Folder) -> bool:
    """Return whether one directory is another, or is below it.

    Raises:
        OSError: the directories above can't be looked at.
    """
    while not root.is_same(folder.status):
        above = open_folder(b"..", within=folder)
        if above.is_same(folder.status):
            return False
        folder = above
    return True
