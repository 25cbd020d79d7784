"""The output directory and the folders below it.

A folder is looked up by its path once, then used by descriptor: a link that takes its place
later leads nowhere. Before a file gets its name, its folder is compared with the one that its
path leads to: an output directory that was moved away, replaced or unmounted is noticed, and
no new one is made in its place.
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
"""Bytes of a path that Linux's system calls take (PATH_MAX, without its NUL)."""
_MISSING_PATH = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE, errno.ENODEV, errno.ENOTCONN}
)
"""Error numbers of a path that leads to nothing."""


class FolderTree:
    """Gives the folders below the output directory, which it makes first.

    Args:
        directory: the output directory.
        is_synced: whether new folders are on the disk before they are used.
        missing_features: of the file system.

    Attributes:
        prefix: what the path of a file begins with: the directory as the user wrote it.
        root: the output directory.

    Raises:
        OSError: the directory can't be made or opened.

    Threads: all methods from any thread.
    """

    def __init__(
        self, directory: Path, *, is_synced: bool, missing_features: MissingFeatures
    ) -> None:
        self.prefix = _as_bytes(directory / "_")[:-1]
        self._is_synced = is_synced
        self._missing_features = missing_features
        # A program may change its current directory in mid-run.
        self._path = _as_bytes(directory.absolute())
        made = _make_directories(self._path)
        self.root = open_folder(self._path)
        # Some network disks give a directory another number each time.
        self._has_stable_numbers = self.root.is_same(os.stat(self._path))
        for path in made:
            self._sync(open_folder(os.path.dirname(path)))
        # Guards _folders, of which the last was used last.
        self._lock = threading.Lock()
        self._folders: dict[bytes, Folder] = {}

    def folder(self, path: bytes, *, may_create: bool = False) -> Folder:
        """Return a folder that its path leads to at this moment.

        Args:
            path: relative to the output directory; empty for that itself.
            may_create: whether a folder that is missing is made.

        Raises:
            AttemptError: it leads out of the output directory, or that is gone.
            OSError: there is none, or it can't be made or opened.
        """
        folder = self._opened(path, may_create=may_create)
        if not self._is_still_at(folder, path):
            self.check()
            # The folder alone was moved or removed.
            with self._lock:
                self._folders = {}
            folder = self._opened(path, may_create=may_create)
        return folder

    def check(self) -> None:
        """See that the output directory is where it was.

        Raises:
            AttemptError: it is not.
        """
        if not self._is_still_at(self.root, b""):
            message = f"{os.fsdecode(self._path)}: the output directory is gone"
            raise AttemptError(ErrorKind.OUTPUT_GONE, message)

    def sync(self, folder: Folder) -> None:
        """Have the names in the folder on the disk, if the file system can do that.

        Raises:
            OSError: the disk refuses.
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
            # What can't be looked at for another reason is not gone for that.
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
            folder = self._open_child(folder, name, may_create=may_create)
            path = path + b"/" + name if path else name
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
                # Closed where it goes out of scope, not under the lock.
                oldest = self._folders.pop(next(iter(self._folders)))
        del oldest

    def _open_child(self, folder: Folder, name: bytes, *, may_create: bool) -> Folder:
        """Return the folder of this name in another one."""
        try:
            return open_subfolder(name, within=folder)
        except FileNotFoundError:
            if not may_create:
                raise
            # Another run may make it at the same time, or a link that leads nowhere is there.
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
        message = f"{os.fsdecode(self.prefix + name)} leads out of the output directory"
        raise AttemptError(ErrorKind.LOCAL, message)

    def _sync(self, folder: Folder) -> None:
        if self._is_synced:
            self.sync(folder)


def _as_bytes(path: Path) -> bytes:
    """Return what the system calls the path; the locale may have no letters for it."""
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        return str(path).encode("utf-8", "surrogateescape")


def _make_directories(path: bytes) -> list[bytes]:
    """Make a directory and those above it; returns the new ones, from the top."""
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
