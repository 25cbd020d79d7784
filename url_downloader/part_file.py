"""The bytes of a file that is not finished, and the note beside them that makes them usable.

The note (the sidecar) names the version that the bytes belong to. It is written in one step,
before it could be wrong, and removed before the bytes change their version: whatever kills the
process leaves either a usable pair or a part without a note, which is worth nothing.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from url_downloader.body_pipe import write_all
from url_downloader.free_space import FreeSpace
from url_downloader.local_errors import LocalErrors
from url_downloader.part_note import PartNote, draft_path, note_path, read_note
from url_downloader.resume import SavedPart
from url_downloader.seams import Chunk
from url_downloader.shared.models import without_credentials
from url_downloader.turn import TURN

WORTH_RESUMING = 1024 * 1024
"""Bytes from which on a part gets a note; a smaller one is not worth another request."""
CHECK_EVERY = 4 * 1024 * 1024
"""Bytes of one file after which the disk is looked at again."""
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
BLOCK = 1024 * 1024
"""Bytes per read from the disk."""


class PartFile:
    """An open part, locked against other runs.

    Args:
        path: of the part.
        descriptor: open for reading and writing, locked; closed by this object.
        url: what is downloaded.
        on_publish: gives a finished part its name.
        is_private: whether the part has a name that nobody will look for again.
        space: the disk's.

    Threads: used by one.
    """

    def __init__(
        self,
        path: str,
        descriptor: int,
        *,
        url: str,
        on_publish: Publisher,
        is_private: bool,
        space: FreeSpace,
    ) -> None:
        self.path = path
        self._on_publish = on_publish
        # Written to without a buffer: what comes from the network is large enough.
        self._descriptor = descriptor
        self._url = url
        self._is_private = is_private
        self._space = space
        self._next_check = 0
        self._validator: str | None = None
        self._total: int | None = None
        self._has_note = False
        # A killed run may have left one, without its part.
        self._may_have_note = True
        self._is_empty = False
        self.size = 0
        self._load()
        space.enter(self)

    @property
    def to_come(self) -> int:
        """Bytes that are still to be written, or that may be before the disk is looked at."""
        end = self._next_check if self._total is None else self._total
        return max(0, end - self.size)

    @property
    def saved(self) -> SavedPart | None:
        """What is known of the bytes, if they can be resumed."""
        if self._validator is None or not self.size:
            return None
        return SavedPart(validator=self._validator, total=self._total, size=self.size)

    def begin(self, validator: str | None, total: int | None) -> None:
        """Start over with another version.

        Args:
            validator: strong one of the version, None if it has none.
            total: its length in bytes, None if it is not known.

        Raises:
            AttemptError: the disk refuses.
        """
        self.size = 0
        with LocalErrors(self.path):
            self._forget()
            if not self._is_empty:
                os.lseek(self._descriptor, 0, os.SEEK_SET)
                os.ftruncate(self._descriptor, 0)
                self._is_empty = True
        self._validator, self._total = validator, total
        self._next_check = 0

    def write(self, data: Chunk) -> None:
        """Append bytes.

        Raises:
            AttemptError: the disk doesn't take them.
        """
        with LocalErrors(self.path):
            if self.size >= self._next_check:
                self._next_check = self.size + CHECK_EVERY
                self._space.check(self)
            self._is_empty = False
            if isinstance(data, bytes):
                write_all(self._descriptor, data)
            else:
                data.write_to(self._descriptor)
            self.size += len(data)
            if self.size >= WORTH_RESUMING and not self._has_note:
                self._write_note()

    def read_into(self, update: Callable[[bytes], None]) -> None:
        """Hand all bytes, in order, to `update`.

        Raises:
            AttemptError: the disk doesn't give them.
        """
        with LocalErrors(self.path):
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            while data := os.read(self._descriptor, BLOCK):
                update(data)

    def finish(self, *, modified: float | None, is_synced: bool) -> None:
        """Give the file the time of its last modification, and sync it if that is asked for.

        Raises:
            AttemptError: the disk refuses.
        """
        with LocalErrors(self.path):
            if modified is not None:
                with suppress(OverflowError):
                    os.utime(self._descriptor, (modified, modified))
            if is_synced:
                with TURN.given():
                    os.fsync(self._descriptor)

    def publish(self, output: str, *, modified: float | None, etag: str | None) -> str:
        """Give the finished part its name, in one step; returns its path.

        Args:
            output: relative path in the output directory.
            modified: when the server's file was changed last, seconds since the epoch.
            etag: entity tag of the reply.

        Raises:
            AttemptError: the system refuses, or the name leads out of the directory.
        """
        return self._on_publish(self, output, modified=modified, etag=etag)

    def close_published(self) -> None:
        """The part has become the file: let go of it."""
        self._space.leave(self)
        self._forget()
        with LocalErrors(self.path):
            self._close()

    def keep(self) -> bool:
        """Close, for a later attempt if that is worth it; whether it was."""
        if not self._has_note:
            self.discard()
            return False
        self._space.leave(self)
        with suppress(OSError):
            self._close()
        return True

    def discard(self) -> None:
        """Close, and throw the bytes away."""
        self._space.leave(self)
        with suppress(OSError):
            self._forget()
        with suppress(OSError):
            os.unlink(self.path)
        with suppress(OSError):
            self._close()

    def _close(self) -> None:
        # A second close of the same number would hit whatever got it meanwhile.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _write_note(self) -> None:
        if self._validator is None or self._is_private:
            return
        PartNote(without_credentials(self._url), self._validator, self._total).write(self.path)
        self._has_note = self._may_have_note = True

    def _load(self) -> None:
        size = os.fstat(self._descriptor).st_size
        self._is_empty = not size
        note = read_note(self.path) if size else None
        if note is None or note.url != without_credentials(self._url):
            return
        if note.total is not None and note.total < size:
            return
        self._validator, self._total, self._has_note = note.validator, note.total, True
        self.size = size
        os.lseek(self._descriptor, size, os.SEEK_SET)

    def _forget(self) -> None:
        """Remove the note."""
        if self._may_have_note:
            _unlink(note_path(self.path))
        self._validator = None
        self._has_note = self._may_have_note = False


class Publisher(Protocol):
    """Gives a finished part its name; see PartFile.publish."""

    def __call__(
        self, part: PartFile, output: str, *, modified: float | None, etag: str | None
    ) -> str: ...


def open_part(path: str, url: str, *, on_publish: Publisher, space: FreeSpace) -> PartFile:
    """The part of this name, or a private one if another run has it locked.

    Raises:
        OSError: neither can be made.
    """
    descriptor, is_private = _locked(path), False
    while descriptor is None:
        path = f"{path.removesuffix('.part')}-{os.urandom(4).hex()}.part"
        descriptor, is_private = _locked(path), True
    return PartFile(
        path, descriptor, url=url, on_publish=on_publish, is_private=is_private, space=space
    )


def remove_leftover(path: str) -> None:
    """Remove what a killed run left of a part that nobody holds, unless it can be resumed."""
    with suppress(OSError):
        descriptor = _locked(path)
        if descriptor is None:
            return
        try:
            _unlink(draft_path(path))
            note = note_path(path)
            if not (os.path.exists(note) and os.fstat(descriptor).st_size):
                _unlink(note)
                os.unlink(path)
        finally:
            os.close(descriptor)


def _locked(path: str) -> int | None:
    """A descriptor of the file, locked; None if another has it locked."""
    while True:
        descriptor = os.open(path, _FLAGS, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still_there(path, descriptor):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_still_there(path: str, descriptor: int) -> bool:
    """Whether the lock's last holder has not published or removed it since it was opened."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
