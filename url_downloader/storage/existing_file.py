"""Existing files: regular files that have the name of a job's file before its download."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from url_downloader.shared.file_facts import FileAge
from url_downloader.storage.disk_errors import DiskErrorConverter
from url_downloader.storage.file_age import RunStart
from url_downloader.storage.file_metadata import saved_etag
from url_downloader.storage.folder import Folder
from url_downloader.storage.part_file import BLOCK_SIZE

# O_NONBLOCK, because the open of a FIFO would block.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileOnDisk(NamedTuple):
    """Regular file that exists already.

    Args:
        path: Path of the file, for messages and results.
        folder: Folder that the file is in.
        name: Name of the file in the folder.
        size: Size in bytes.
        modified: Time of the last change, in seconds since the epoch.
        mtime_ns: The same time in nanoseconds.
        etag: Entity tag of the reply that the file came with; None if unknown or out of date.
        age: Age of the file, if it is recent.
    """

    path: str
    folder: Folder
    name: bytes
    size: int
    modified: float
    mtime_ns: int
    etag: str | None
    age: FileAge | None

    def read_into(self, update: Callable[[bytes], None]) -> None:
        """Call `update` with all bytes of the file, in order.

        Raises:
            AttemptError: The file can't be read.
        """
        with DiskErrorConverter(self.path):
            descriptor = os.open(self.name, _READ, dir_fd=self.folder.descriptor)
            try:
                while data := os.read(descriptor, BLOCK_SIZE):
                    update(data)
            finally:
                os.close(descriptor)


def find_file(
    folder: Folder, name: bytes, *, path: str, wants_etag: bool, run: RunStart
) -> FileOnDisk | None:
    """Return the regular file of this name; None if something else has the name.

    Links are not followed.

    Args:
        folder: Folder to search.
        name: Name in the folder.
        path: Path of the file, for messages and results.
        wants_etag: Whether to read the file's entity tag.
        run: Start of the run.

    Raises:
        OSError: Nothing has the name, or the system refuses.
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
        mtime_ns=status.st_mtime_ns,
        etag=_etag(folder, name) if wants_etag else None,
        age=run.age(status.st_ctime_ns),
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
