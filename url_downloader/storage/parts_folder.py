"""The hidden folder for unfinished files, each of them locked against other runs.

The folder may be in a directory that other users write to: what is in it is believed only if
the folder is this user's. Links are never followed, and nothing in it is waited for.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import stat
from contextlib import suppress

from url_downloader.shared.errors import OutputError
from url_downloader.storage.folder import NOT_A_FOLDER, Folder, open_subfolder
from url_downloader.storage.missing_features import Feature, MissingFeatures
from url_downloader.storage.part_note import draft_name, is_note, note_name

_TRIES = 100
_MODE = 0o700
"""Nobody else may read what is not finished, or put something there."""
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK a FIFO that was planted there would be waited for.
_EXISTING = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class PartsFolder:
    """The hidden folder, open.

    Args:
        parent: the output directory.
        name: of the folder.
        path: of the folder, for messages.
        missing_features: of the file system.

    Attributes:
        has_notes: whether there may be a part with a note, which can be resumed.

    Raises:
        OutputError: something else is in its place, or it is another user's.
        OSError: it can't be made or used.

    Threads: all methods from any thread.
    """

    def __init__(
        self, parent: Folder, name: str, *, path: str, missing_features: MissingFeatures
    ) -> None:
        self.path = path
        self.missing_features = missing_features
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
                f"{path}: is a link or a file, where a folder for unfinished files has to be;"
                " remove it, or choose another directory with --dir"
            ) from None
        self._check_owner()
        self.has_notes = any(map(is_note, self.names()))

    @property
    def descriptor(self) -> int:
        """The folder's."""
        return self._folder.descriptor

    def names(self) -> list[str]:
        """Return the names of all that is in the folder."""
        return self._folder.names()

    def has(self, name: str) -> bool:
        """Return whether something of this name is in the folder.

        Raises:
            OSError: the folder can't be looked at.
        """
        return self._status(name) is not None

    def create(self) -> tuple[str, int]:
        """Make a part of a name that no other run uses.

        Returns:
            Its name and a descriptor, locked.

        Raises:
            OSError: it can't be made.
        """
        while True:
            name = f"{self._token}-{next(self._numbers)}.part"
            try:
                descriptor = os.open(name, _NEW, 0o666, dir_fd=self.descriptor)
            except FileExistsError:
                continue
            try:
                # Another run may have taken it for a leftover before it was locked.
                if self._lock(descriptor) and self._is_linked(name, descriptor):
                    return name, descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def lock_part(self, name: str, *, may_create: bool) -> int | None:
        """Lock the part of a name that other runs use, too.

        Args:
            name: of the part.
            may_create: whether the part is made if it is missing.

        Returns:
            A descriptor, locked; None if another run has locked it, or if it is no plain file.

        Raises:
            OSError: there is none, or it can't be opened.
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
        """Give something in the folder another name in it.

        Raises:
            OSError: the system refuses.
        """
        folder = self.descriptor
        os.replace(name, new_name, src_dir_fd=folder, dst_dir_fd=folder)

    def remove(self, name: str) -> None:
        """Remove something in the folder, unless it is gone already.

        Raises:
            OSError: the system refuses.
        """
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.descriptor)

    def remove_leftovers(self) -> None:
        """Remove what killed runs have left and no run can use.

        Raises:
            OSError: the folder can't be read.
        """
        stems = {name.rpartition(".")[0] for name in self.names()}
        for stem in filter(None, stems):
            # Without locks, a leftover can't be told from what another run is writing.
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
        """Lock a part.

        Returns:
            Whether it is still there; None if it is another run's, or no plain file.
        """
        if not self._lock(descriptor):
            return None
        status = os.fstat(descriptor)
        # A file of two names may be one that a user has elsewhere.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            return None
        there = self._status(name)
        return there is not None and os.path.samestat(status, there)

    def _is_linked(self, name: str, descriptor: int) -> bool:
        # Not all file systems count links.
        return os.fstat(descriptor).st_nlink > 0 or self._status(name) is not None

    def _lock(self, descriptor: int) -> bool:
        """Lock a file, where the file system has locks; returns whether no other run has."""
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
            # Network disks may give all files to one user.
            trusted.add(self._owner_of_new_files())
        except PermissionError:
            if owner in trusted:
                raise
        if owner not in trusted:
            raise OutputError(
                f"{self.path}: this folder for unfinished files belongs to another user"
                f" (number {owner}); have it removed, or choose another directory with --dir"
            )

    def _owner_of_new_files(self) -> int:
        # If a kill leaves it, it goes as the draft of a note does.
        name = draft_name(f"{self._token}.part")
        descriptor = os.open(name, _NEW, 0o600, dir_fd=self.descriptor)
        try:
            self.remove(name)
            return os.fstat(descriptor).st_uid
        finally:
            os.close(descriptor)
