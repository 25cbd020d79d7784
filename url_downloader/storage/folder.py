"""Folders that are opened once, and then used by descriptor instead of by path."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from url_downloader.shared.compute_turn import COMPUTE_TURN

# O_PATH, because files can be made in a folder that may be searched but not read.
_SEARCH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
NOT_A_FOLDER = frozenset({errno.ENOTDIR, errno.ELOOP})
"""Error numbers for a name that belongs to a link or a file, not to a folder."""


class Folder:
    """Open folder; it is closed when nothing refers to it any more.

    A thread that uses the folder keeps a reference. So the descriptor stays open, and its
    number can't come to mean another file.

    Args:
        descriptor: Descriptor of the folder, which this object closes.

    Attributes:
        status: Status of the folder when it was opened.

    Threads: all methods from any thread.
    """

    __slots__ = ("descriptor", "status")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.status = os.fstat(descriptor)

    def __del__(self) -> None:
        with suppress(OSError):
            os.close(self.descriptor)

    def is_same(self, status: os.stat_result) -> bool:
        """Tell whether the status is that of this folder."""
        return os.path.samestat(self.status, status)

    def names(self) -> list[str]:
        """Return the names of all files and folders in the folder.

        Raises:
            OSError: The folder can't be read.
        """
        with self._read() as descriptor:
            return os.listdir(descriptor)

    def sync(self) -> None:
        """Write the folder's list of names to the disk.

        Raises:
            OSError: The disk refuses, or the file system can't sync folders.
        """
        with COMPUTE_TURN.released(), self._read() as descriptor:
            os.fsync(descriptor)

    @contextmanager
    def _read(self) -> Iterator[int]:
        """Open the folder for an operation that needs more than the right to search it."""
        descriptor = os.open(".", _READ, dir_fd=self.descriptor)
        try:
            yield descriptor
        finally:
            with suppress(OSError):
                os.close(descriptor)


def open_folder(path: bytes, *, within: Folder | None = None) -> Folder:
    """Open a folder to make files in it. Links are followed.

    Args:
        path: Path of the folder, absolute or relative to `within`.
        within: Folder that a relative path begins at.

    Raises:
        OSError: The folder does not exist, or it can't be opened.
    """
    return Folder(os.open(path, _SEARCH, dir_fd=within.descriptor if within else None))


def open_subfolder(name: str | bytes, *, within: Folder) -> Folder:
    """Open a folder that is directly in another one. A link is refused.

    Args:
        name: Name of the folder.
        within: Folder that contains it.

    Raises:
        OSError: The folder can't be opened; NOT_A_FOLDER has the numbers for a link or a file.
    """
    return Folder(os.open(name, _SEARCH | os.O_NOFOLLOW, dir_fd=within.descriptor))


def is_within(folder: Folder, root: Folder) -> bool:
    """Tell whether a folder is `root` or is below it.

    Raises:
        OSError: A folder above can't be opened.
    """
    while not root.is_same(folder.status):
        above = open_folder(b"..", within=folder)
        if above.is_same(folder.status):
            return False
        folder = above
    return True
