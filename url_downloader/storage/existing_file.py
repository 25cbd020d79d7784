"""Files that stand under a job's name before it is downloaded."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from url_downloader.storage.disk_errors import DiskErrorConverter
from url_downloader.storage.file_metadata import saved_etag
from url_downloader.storage.folder import Folder
from url_downloader.storage.part_file import BLOCK_SIZE

# Without O_NONBLOCK a FIFO would be waited for.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileOnDisk(NamedTuple):
    """A regular file that is there already.

    Args:
        path: of it.
        folder: that it is in.
        name: in the folder.
        size: bytes.
        modified: seconds since the epoch.
        etag: of the reply that it came with, if it is unchanged since.
    """

    path: str
    folder: Folder
    name: bytes
    size: int
    modified: float
    etag: str | None

    def read_into(self, update: Callable[[bytes], None]) -> None:
        """Hand all its bytes, in order, to `update`.

        Raises:
            AttemptError: the disk doesn't give them.
        """
        with DiskErrorConverter(self.path):
            descriptor = os.open(self.name, _READ, dir_fd=self.folder.descriptor)
            try:
                while data := os.read(descriptor, BLOCK_SIZE):
                    update(data)
            finally:
                os.close(descriptor)


def find_file(folder: Folder, name: bytes, *, path: str, wants_etag: bool) -> FileOnDisk | None:
    """Return the regular file of a name, if there is one. A link is not followed.

    Args:
        folder: where it may be.
        name: in the folder.
        path: of the file.
        wants_etag: whether its entity tag is of interest.

    Raises:
        OSError: there is nothing, or it can't be looked at.
    """
    status = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        return None
    return FileOnDisk(
        path=path,
        folder=folder,
        name=name,
        size=status.st_size,
        modified=status.st_mtime,
        etag=_etag(folder, name) if wants_etag else None,
    )


def _etag(folder: Folder, name: bytes) -> str | None:
    try:
        descriptor = os.open(name, _READ, dir_fd=folder.descriptor)
    except OSError:
        return None
    try:
        return saved_etag(descriptor)
    finally:
        os.close(descriptor)
