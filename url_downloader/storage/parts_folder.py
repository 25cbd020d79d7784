"""Hidden folder for parts, each of them locked against other runs.

The folder may be in a directory that other users can write to. So its contents are trusted only
if the folder belongs to this user. Links are never followed, and no open of a file in it
blocks.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import stat
import time
from contextlib import suppress

from url_downloader.shared.errors import OutputError
from url_downloader.storage.file_age import RunStart
from url_downloader.storage.folder import NOT_A_FOLDER, Folder, open_subfolder
from url_downloader.storage.missing_features import Feature, MissingFeatures
from url_downloader.storage.part_note import draft_name, is_note, is_part_file, note_name

_TRIES = 100
"""Number of tries to lock a name; another run may remove the part between open and lock."""
_MODE = 0o700
"""Permissions of the folder: only this user may read unfinished files or add files."""
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK, because the open of a FIFO that another user made there would block.
_EXISTING = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class PartsFolder:
    """Hidden folder for parts, which the constructor makes if it is missing, and opens.

    Args:
        parent: Output directory.
        name: Name of the folder.
        path: Path of the folder, for messages.
        missing_features: Warnings about the file system.

    Attributes:
        path: Path of the folder, for messages.
        missing_features: Warnings about the file system.
        has_notes: Whether there may be a part with a note, which can be resumed.
        opened: Time when the folder was opened, which is the start of the run.

    Raises:
        OutputError: A link or a file has the folder's name, or the folder belongs to another
            user.
        OSError: The folder can't be made or used.

    Threads: all methods from any thread.
    """

    def __init__(
        self, parent: Folder, name: str, *, path: str, missing_features: MissingFeatures
    ) -> None:
        self.path = path
        self.missing_features = missing_features
        self.opened = RunStart(0, 0.0)
        self._token = os.urandom(4).hex()
        self._numbers = itertools.count()
        with suppress(FileExistsError):
            os.mkdir(name, _MODE, dir_fd=parent.descriptor)
        try:
            self._folder = open_subfolder(name, within=parent)
        except OSError as error:
            if error.errno not in NOT_A_FOLDER:
                raise
            raise OutputError(
                f"{path}: is a link or a file, but must be a folder for unfinished files;"
                " remove it, or choose another directory with --dir"
            ) from None
        self._check_owner()
        self.has_notes = any(map(is_note, self.names()))

    @property
    def descriptor(self) -> int:
        """Return the descriptor of the folder."""
        return self._folder.descriptor

    def names(self) -> list[str]:
        """Return the names of all files in the folder.

        Raises:
            OSError: The folder can't be read.
        """
        return self._folder.names()

    def has(self, name: str) -> bool:
        """Tell whether the folder has a file of this name.

        Raises:
            OSError: The system refuses to tell.
        """
        return self._status(name) is not None

    def create(self) -> tuple[str, int]:
        """Make a part with a name that no other run uses.

        Returns:
            Name of the part, and its locked descriptor.

        Raises:
            OSError: The part can't be made.
        """
        while True:
            name = f"{self._token}-{next(self._numbers)}.part"
            try:
                descriptor = os.open(name, _NEW, 0o666, dir_fd=self.descriptor)
            except FileExistsError:
                continue
            try:
                # Another run may have removed it as a leftover before it was locked.
                if self._lock(descriptor) and self._is_linked(name, descriptor):
                    return name, descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def lock_part(self, name: str, *, may_create: bool) -> int | None:
        """Open and lock the part of a name that other runs may use, too.

        Args:
            name: Name of the part.
            may_create: Whether to make the part if it is missing.

        Returns:
            Locked descriptor of the part; None if another run has locked it, or it is no plain
            file.

        Raises:
            OSError: The part is missing, or it can't be opened.
        """
        flags = _EXISTING | (os.O_CREAT if may_create else 0)
        for _ in range(_TRIES):
            descriptor = os.open(name, flags, 0o666, dir_fd=self.descriptor)
            try:
                is_there = self._lock_existing(name, descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            if is_there:
                return descriptor
            os.close(descriptor)
            if is_there is None:
                break
        return None

    def rename(self, name: str, new_name: str) -> None:
        """Rename a file in the folder; a file that has the new name is replaced.

        Raises:
            OSError: The system refuses.
        """
        folder = self.descriptor
        os.replace(name, new_name, src_dir_fd=folder, dst_dir_fd=folder)

    def remove(self, name: str) -> None:
        """Remove a file in the folder, if it is there.

        Raises:
            OSError: The system refuses.
        """
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.descriptor)

    def remove_leftovers(self) -> None:
        """Remove the files that killed runs have left and that no run can use.

        Raises:
            OSError: The folder can't be read.
        """
        for stem in {name.rpartition(".")[0] for name in self.names() if is_part_file(name)}:
            # Without locks, a leftover looks the same as a part that another run writes.
            if Feature.LOCKS not in self.missing_features:
                with suppress(OSError):
                    self._remove_leftover(f"{stem}.part")

    def _remove_leftover(self, name: str) -> None:
        descriptor = self.lock_part(name, may_create=True)
        if descriptor is None:
            return
        try:
            is_known_free = Feature.LOCKS not in self.missing_features
            if is_known_free:
                self.remove(draft_name(name))
            if is_known_free and not self._is_resumable(name, descriptor):
                self.remove(note_name(name))
                self.remove(name)
        finally:
            os.close(descriptor)

    def _is_resumable(self, name: str, descriptor: int) -> bool:
        return bool(os.fstat(descriptor).st_size) and self.has(note_name(name))

    def _lock_existing(self, name: str, descriptor: int) -> bool | None:
        """Lock a part that was opened by its name.

        Returns:
            Whether the name still leads to the part; None if another run has locked the part,
            or it is no plain file.
        """
        if not self._lock(descriptor):
            return None
        status = os.fstat(descriptor)
        # A file with two names may be a user's file that has another name elsewhere.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            return None
        there = self._status(name)
        return there is not None and os.path.samestat(status, there)

    def _is_linked(self, name: str, descriptor: int) -> bool:
        # Some file systems do not count links, so the name is looked up as well.
        return os.fstat(descriptor).st_nlink > 0 or self._status(name) is not None

    def _lock(self, descriptor: int) -> bool:
        """Lock a file, if the file system has locks.

        Returns:
            False if another run has locked it; True otherwise, even without locks.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            self.missing_features.note(Feature.LOCKS, error)
        return True

    def _status(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _check_owner(self) -> None:
        owner = self._folder.status.st_uid
        trusted = {0, os.geteuid()}
        try:
            # Network file systems may assign all files to one user.
            new = self._status_of_new_file()
            trusted.add(new.st_uid)
            self.opened = RunStart(new.st_ctime_ns, time.monotonic())
        except PermissionError:
            if owner in trusted:
                raise
        if owner not in trusted:
            raise OutputError(
                f"{self.path}: this folder for unfinished files belongs to another user"
                f" (user ID {owner}); have it removed, or choose another directory with --dir"
            )

    def _status_of_new_file(self) -> os.stat_result:
        # Named as the draft of a note, so that a later run removes it after a kill.
        name = draft_name(f"{self._token}.part")
        descriptor = os.open(name, _NEW, 0o600, dir_fd=self.descriptor)
        try:
            self.remove(name)
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)
