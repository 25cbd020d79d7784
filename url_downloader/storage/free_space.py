"""Free space of the disk: a margin is kept free, and a file that can't fit is refused."""

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
"""Bytes of one file after which the free space is measured again, at the latest."""
MAX_DEFAULT_MARGIN = 64 << 20
"""Bytes of the largest margin that is kept free if the user sets none."""
DEFAULT_MARGIN_DIVISOR = 20
"""Divisor of a disk's size; the quotient is the default margin of a small disk."""
SMALL_FILE = 8 << 20
"""Bytes; a file with fewer bytes to come is not checked while the room is ample."""
AMPLE_ROOM = 4 << 30
"""Bytes above the margin that count as ample room."""
AMPLE_ROOM_SECONDS = 0.25
"""Seconds for which measured ample room counts as ample.

Small files can't fill AMPLE_ROOM in this time."""


class GrowingFile(Protocol):
    """File that is being written.

    `size` is the number of bytes written. `to_come` is the number that the server still
    announces, or None if it announces none.

    Threads: `to_come` in the thread that writes the file; `size` in any thread.
    """

    @property
    def size(self) -> int: ...
    @property
    def to_come(self) -> int | None: ...


class _Disk(NamedTuple):
    """Free bytes of a disk as the system states them, and bytes that must stay free."""

    free: int
    margin: int


class FreeSpace:
    """Keeper of a free margin on the disk of a run.

    The size that a server announces for a file can fail only that file, as too large. The disk
    counts as full only if bytes that have arrived do not fit.

    Args:
        folder: Folder on that disk.
        path: Path of the folder, for messages.
        min_free: Bytes of the margin; 0 = none; None = 64 MiB, or a twentieth of a small disk.
        missing_features: Warnings about the file system.
        now: Monotonic clock, seconds.

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
        # Needs no lock: a number that is only replaced.
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
        """Stop counting a file that has stopped growing or is gone."""
        with self._lock:
            self._files.discard(file)
            self._too_large.discard(file)

    def check(self, file: GrowingFile, arrived: int) -> int:
        """Check that bytes which have arrived fit beside the margin.

        Args:
            file: File that the bytes belong to; it is not checked if it is small and the room
                is ample.
            arrived: Number of bytes that have arrived and are not written yet.

        Returns:
            Number of bytes that the file may write before the next check; at least `arrived`.

        Raises:
            AttemptError: The disk is full, or too small for the rest of this file.
        """
        step = max(arrived, CHECK_EVERY)
        expected = CHECK_EVERY if file.to_come is None else file.to_come
        if self._min_free == 0 or (self._has_ample_room() and expected < SMALL_FILE):
            return step
        disk = self._measure()
        if disk is None:
            return step
        room, files = self._room(disk)
        self._check_fits(file, arrived, disk=disk, room=room)
        if room > AMPLE_ROOM:
            self._ample_room_until = self._now() + AMPLE_ROOM_SECONDS
        # All growing files together take at most half of the room before their next checks.
        return max(arrived, min(step, room // (2 * files)))

    def _check_fits(self, file: GrowingFile, arrived: int, *, disk: _Disk, room: int) -> None:
        """Check that the file fits into `room` bytes."""
        to_come = file.to_come
        # If the file's own bytes fill the room, the file is too large; the disk is not full.
        own = 0 if to_come is None else file.size
        if arrived > room + own:
            raise AttemptError(ErrorKind.DISK_FULL, self._disk_full_message(disk, arrived))
        if to_come is not None and to_come > room:
            with self._lock:
                self._too_large.add(file)
            message = (
                f"larger than the free space of the disk ({format_size(to_come)} to come,"
                f" {format_size(max(0, room))} free above --min-free"
                f" {format_size(disk.margin)})"
            )
            raise AttemptError(ErrorKind.TOO_LARGE, message)

    def _room(self, disk: _Disk) -> tuple[int, int]:
        """Return the bytes that fit beside the margin, and the number of growing files.

        The bytes are negative if the margin is not free.
        """
        with self._lock:
            # Files that are too large are about to be removed, so their bytes become free.
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

    def _disk_full_message(self, disk: _Disk, arrived: int) -> str:
        return (
            f"{self._path}: {format_size(disk.free)} free; {format_size(arrived)} more would"
            f" leave less than --min-free {format_size(disk.margin)}"
        )
