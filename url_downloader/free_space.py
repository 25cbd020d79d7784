"""How much the disk still takes, with what running downloads have yet to write."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.units import format_size

SMALL = 8 << 20
PLENTY = 4 << 30
PLENTY_SECONDS = 0.25
"""In so many seconds nobody writes so many bytes above the margin in files so small."""


class Growing(Protocol):
    """A file that is being written."""

    @property
    def to_come(self) -> int: ...


class FreeSpace:
    """Keeps a margin of a disk free.

    Args:
        directory: on that disk.
        min_free: bytes of the margin; 0 = none.
        now: monotonic clock, seconds.

    Threads: all methods from any thread.
    """

    def __init__(
        self, directory: Path, *, min_free: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory = directory
        self._min_free = min_free
        self._now = now
        # A number that is replaced; needs no lock.
        self._plenty_until = 0.0
        # Guards _files.
        self._lock = threading.Lock()
        self._files: set[Growing] = set()

    def enter(self, file: Growing) -> None:
        """A file begins to grow."""
        with self._lock:
            self._files.add(file)

    def leave(self, file: Growing) -> None:
        """A file grows no more."""
        with self._lock:
            self._files.discard(file)

    def check(self, file: Growing) -> None:
        """See that the margin will be left when all growing files have grown.

        Args:
            file: the one that asks. A small one need not look, if the last who did saw plenty.

        Raises:
            AttemptError: it won't, or the disk could not take the file if it were empty.
        """
        if not self._min_free or (self._has_plenty() and file.to_come < SMALL):
            return
        disk = os.statvfs(self._directory)
        whole = disk.f_blocks * disk.f_frsize
        if file.to_come > whole:
            message = f"larger than the whole disk, which has {format_size(whole)}"
            raise AttemptError(ErrorKind.TOO_LARGE, message)
        with self._lock:
            files = list(self._files)
        # What no disk of this size can take is no reason to keep others waiting for room.
        to_come = sum(file.to_come for file in files if file.to_come <= whole)
        free = disk.f_bavail * disk.f_frsize
        if free - to_come < self._min_free:
            raise AttemptError(ErrorKind.DISK_FULL, self._refusal(free, to_come))
        if free - to_come - self._min_free > PLENTY:
            self._plenty_until = self._now() + PLENTY_SECONDS

    def _has_plenty(self) -> bool:
        return self._now() < self._plenty_until

    def _refusal(self, free: int, to_come: int) -> str:
        wanted = f" for {format_size(to_come)} of running downloads" if to_come else ""
        return (
            f"{self._directory}: {format_size(free)} free{wanted} would leave less than"
            f" --min-free {format_size(self._min_free)}"
        )
