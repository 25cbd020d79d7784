"""Tree of folders: the output directory and the folders below it.

A folder is looked up by its path once, then used by descriptor. If a link replaces the folder
later, the link has no effect. Before a file is published, the open folder is compared with the
folder that its path leads to at that moment. If the output directory was moved, replaced or
unmounted, the file is not published, and the directory is not made again.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from pathlib import Path

from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.storage.folder import (
    NOT_A_FOLDER,
    Folder,
    is_within,
    open_folder,
    open_subfolder,
)
from url_downloader.storage.missing_features import NOT_OFFERED, Feature, MissingFeatures

OPEN_FOLDERS = 4
"""Folders below the output directory that are kept open."""
MAX_PATH = 4095
"""Bytes of the longest path that Linux's system calls accept (PATH_MAX, without its NUL)."""
_MISSING_PATH = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE, errno.ENODEV, errno.ENOTCONN}
)
"""Error numbers of a path that leads to nothing."""


class FolderTree:
    """Cache of the open folders below the output directory.

    The constructor makes the output directory if it is missing, and opens it.

    Args:
        directory: Path of the output directory.
        is_synced: Whether new folders are synced to the disk before they are used.
        missing_features: Warnings about the file system.

    Attributes:
        prefix: Start of every file's path: the directory as the user wrote it, and a slash.
        root: Output directory, open.

    Raises:
        OSError: The directory can't be made or opened.

    Threads: all methods from any thread.
    """

    def __init__(
        self, directory: Path, *, is_synced: bool, missing_features: MissingFeatures
    ) -> None:
        self.prefix = _as_bytes(directory / "_")[:-1]
        self._is_synced = is_synced
        self._missing_features = missing_features
        # Absolute, because the program may change its current directory during the run.
        self._path = _as_bytes(directory.absolute())
        made = _make_directories(self._path)
        self.root = open_folder(self._path)
        # Some network file systems give a folder another inode number at each look-up.
        self._has_stable_numbers = self.root.is_same(os.stat(self._path))
        for path in made:
            self._sync(open_folder(os.path.dirname(path)))
        # Guards _folders, which is ordered by use: the last entry was used last.
        self._lock = threading.Lock()
        self._folders: dict[bytes, Folder] = {}

    def folder(self, path: bytes, *, may_create: bool = False) -> Folder:
        """Return the open folder that a path leads to at this moment.

        Args:
            path: Path relative to the output directory; empty for the output directory.
            may_create: Whether to make the folder if it is missing.

        Raises:
            AttemptError: The path leads out of the output directory, or that directory is gone.
            OSError: The folder is missing, or it can't be made or opened.
        """
        folder = self._opened(path, may_create=may_create)
        if not self._is_still_at(folder, path):
            self.check()
            # The output directory is still there: only this folder was moved or removed.
            with self._lock:
                self._folders = {}
            folder = self._opened(path, may_create=may_create)
        return folder

    def check(self) -> None:
        """Check that the path of the output directory still leads to it.

        Raises:
            AttemptError: The output directory was moved, replaced or removed.
        """
        if not self._is_still_at(self.root, b""):
            message = f"{os.fsdecode(self._path)}: the output directory is gone"
            raise AttemptError(ErrorKind.OUTPUT_GONE, message)

    def sync(self, folder: Folder) -> None:
        """Write the folder's list of names to the disk, if the file system can do that.

        Raises:
            OSError: The disk refuses.
        """
        try:
            folder.sync()
        except OSError as error:
            if error.errno not in NOT_OFFERED:
                raise
            self._missing_features.note(Feature.SYNC, error)

    def _is_still_at(self, folder: Folder, path: bytes) -> bool:
        try:
            status = os.stat(self._absolute(path))
        except OSError as error:
            # Another error, such as missing rights, does not mean that the folder is gone.
            return error.errno not in _MISSING_PATH
        return folder.is_same(status) or not self._has_stable_numbers

    def _absolute(self, path: bytes) -> bytes:
        return self._path + b"/" + path if path else self._path

    def _opened(self, path: bytes, *, may_create: bool) -> Folder:
        if len(self._absolute(path)) > MAX_PATH:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        missing = []
        while (folder := self._cached(path)) is None:
            path, _, name = path.rpartition(b"/")
            missing.append(name)
        for name in reversed(missing):
            path = path + b"/" + name if path else name
            folder = self._open_child(folder, path, may_create=may_create)
            self._cache(path, folder)
        return folder

    def _cached(self, path: bytes) -> Folder | None:
        if not path:
            return self.root
        with self._lock:
            folder = self._folders.pop(path, None)
            if folder is not None:
                self._folders[path] = folder
            return folder

    def _cache(self, path: bytes, folder: Folder) -> None:
        oldest = None
        with self._lock:
            self._folders[path] = folder
            if len(self._folders) > OPEN_FOLDERS:
                oldest = self._folders.pop(next(iter(self._folders)))
        # Closes the folder outside the lock.
        del oldest

    def _open_child(self, folder: Folder, path: bytes, *, may_create: bool) -> Folder:
        """Open the folder of this path, whose parent is `folder`.

        A link is followed only within the output directory. If the folder is missing and
        `may_create` is set, it is made.
        """
        name = path.rpartition(b"/")[2]
        try:
            return open_subfolder(name, within=folder)
        except FileNotFoundError:
            if not may_create:
                raise
            # Another run may make it at the same time, or a dangling link has the name.
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=folder.descriptor)
                self._sync(folder)
            return open_subfolder(name, within=folder)
        except OSError as error:
            if error.errno not in NOT_A_FOLDER:
                raise
        linked = open_folder(name, within=folder)
        if is_within(linked, self.root):
            return linked
        message = f"{os.fsdecode(self.prefix + path)} leads out of the output directory"
        raise AttemptError(ErrorKind.LOCAL, message)

    def _sync(self, folder: Folder) -> None:
        if self._is_synced:
            self.sync(folder)


def _as_bytes(path: Path) -> bytes:
    """Return the path as the system calls take it.

    The locale's encoding may lack characters of the path; UTF-8 is used then.
    """
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        return str(path).encode("utf-8", "surrogateescape")


def _make_directories(path: bytes) -> list[bytes]:
    """Make a directory and all missing ones above it; return the made ones, from the top."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        above = os.path.dirname(path)
        if above == path or os.path.lexists(path):
            break
        path = above
    made = missing[::-1]
    for each in made:
        try:
            os.mkdir(each)
        except FileExistsError:
            if not os.path.isdir(each):
                raise
    return made
