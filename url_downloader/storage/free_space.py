"""How much the disk still takes: a margin stays free, and no file begins that can't fit."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.text import format_size
from url_downloader.storage.folder import Folder
from url_downloader.storage.missing_features import Feature, MissingFeatures

CHECK_EVERY = 4 << 20
"""Bytes of one file after which the disk is looked at again, at the latest."""
MAX_DEFAULT_MARGIN, DEFAULT_MARGIN_DIVISOR = 64 << 20, 20
"""Bytes of the margin that is kept where the user names none, or that part of a small disk."""
SMALL_FILE = 8 << 20
AMPLE_ROOM = 4 << 30
AMPLE_ROOM_SECONDS = 0.25
"""In so many seconds nobody writes so many bytes above the margin in files so small."""


class GrowingFile(Protocol):
    """A file that is being written."""

    @property
    def size(self) -> int: ...
    @property
    def to_come(self) -> int | None: ...


class _Disk(NamedTuple):
    """Room of a disk, as the system states it, and how much of it has to stay free: bytes."""

    free: int
    margin: int


class FreeSpace:
    """Keeps a margin of a disk free.

    What a server says that it is going to send is only held against its own file. The disk is
    full when there is no room for bytes that have come.

    Args:
        folder: on that disk.
        path: of the folder, for messages.
        min_free: bytes of the margin; 0 = none; None = 64 MiB, or a twentieth of a small disk.
        missing_features: of the file system.
        now: monotonic clock, seconds.

    Threads: all methods from any thread.
    """

    def __init__(
        self,
        folder: Folder,
        *,
        path: str,
        min_free: int | None,
        missing_features: MissingFeatures,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._path = path
        self._min_free = min_free
        self._missing_features = missing_features
        self._now = now
        # A number that is replaced; needs no lock.
        self._ample_room_until = 0.0
        # Guards _files and _too_large.
        self._lock = threading.Lock()
        self._files: set[GrowingFile] = set()
        self._too_large: set[GrowingFile] = set()

    def add_file(self, file: GrowingFile) -> None:
        """Count a file that begins to grow."""
        with self._lock:
            self._files.add(file)

    def remove_file(self, file: GrowingFile) -> None:
        """Count a file no more, which grows no more or is gone."""
        with self._lock:
            self._files.discard(file)
            self._too_large.discard(file)

    def check(self, file: GrowingFile, coming: int) -> int:
        """See that bytes which have come fit beside the margin.

        Args:
            file: that they are for. A small one need not look, if the last one saw plenty.
            coming: how many have come.

        Returns:
            How many the file may write before it asks again; at least these.

        Raises:
            AttemptError: the disk is full, or can't take all that is to come of this file.
        """
        step = max(coming, CHECK_EVERY)
        expected = CHECK_EVERY if file.to_come is None else file.to_come
        if self._min_free == 0 or (self._has_ample_room() and expected < SMALL_FILE):
            return step
        disk = self._measure()
        if disk is None:
            return step
        room, files = self._room(disk)
        self._check_fits(file, coming, disk=disk, room=room)
        if room > AMPLE_ROOM:
            self._ample_room_until = self._now() + AMPLE_ROOM_SECONDS
        # All that grow together take at most half of the room before they ask again.
        return max(coming, min(step, room // (2 * files)))

    def _check_fits(self, file: GrowingFile, coming: int, *, disk: _Disk, room: int) -> None:
        """See whether the file fits into so much room."""
        to_come = file.to_come
        # If only its own bytes are in the way, the file is too large, and the disk not full.
        own = 0 if to_come is None else file.size
        if coming > room + own:
            raise AttemptError(ErrorKind.DISK_FULL, self._disk_full_message(disk, coming))
        if to_come is not None and to_come > room:
            with self._lock:
                self._too_large.add(file)
            message = (
                f"larger than the free space of the disk ({format_size(to_come)} to come,"
                f" {format_size(max(0, room))} free besides --min-free"
                f" {format_size(disk.margin)})"
            )
            raise AttemptError(ErrorKind.TOO_LARGE, message)

    def _room(self, disk: _Disk) -> tuple[int, int]:
        """Bytes that fit beside the margin, and how many files grow."""
        with self._lock:
            # These are about to be removed.
            returned = sum(file.size for file in self._too_large)
            return disk.free - disk.margin + returned, max(1, len(self._files))

    def _measure(self) -> _Disk | None:
        try:
            disk = os.statvfs(self._folder.descriptor)
        except OSError as error:
            self._missing_features.note(Feature.SPACE, error)
            return None
        whole = disk.f_blocks * disk.f_frsize
        if whole <= 0:
            self._missing_features.note(Feature.SPACE)
            return None
        margin = self._min_free
        if margin is None:
            margin = min(MAX_DEFAULT_MARGIN, whole // DEFAULT_MARGIN_DIVISOR)
        return _Disk(disk.f_bavail * disk.f_frsize, margin)

    def _has_ample_room(self) -> bool:
        return self._now() < self._ample_room_until

    def _disk_full_message(self, disk: _Disk, coming: int) -> str:
        return (
            f"{self._path}: {format_size(disk.free)} free; {format_size(coming)} more would"
            f" leave less than --min-free {format_size(disk.margin)}"
        )
