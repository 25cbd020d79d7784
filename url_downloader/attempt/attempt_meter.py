"""How far a worker's attempt has come, for other threads to see."""

from __future__ import annotations

import time
from collections.abc import Callable

from url_downloader.shared.models import DownloadJob
from url_downloader.shared.ports import Progress


class AttemptMeter:
    """Follows one worker's attempts.

    Args:
        now: monotonic clock, seconds.

    Threads: `progress` from any thread, the rest in the worker's. There is no lock: each call
    stores or loads one reference, and a reader that is late by a chunk does no harm.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._attempts = 0
        self._received = 0
        self._place: tuple[int, int | None] = (0, None)
        self._current: Progress | None = None

    def begin(self, job: DownloadJob) -> int:
        """An attempt begins; returns its number."""
        self._attempts += 1
        self._received = 0
        self._place = (0, None)
        self._current = Progress(self._attempts, job, self._now())
        return self._attempts

    def add(self, count: int) -> None:
        """Bytes came, or (negative) were thrown away."""
        self._received += max(0, count)

    def place(self, offset: int, total: int | None) -> None:
        """What comes now begins at this byte of a file of so many."""
        self._place = (offset - self._received, total)

    @property
    def received(self) -> int:
        """Bytes of the attempt that is going on, or was the last."""
        return self._received

    def end(self) -> None:
        """The attempt is over."""
        self._current = None

    def progress(self) -> Progress | None:
        """The attempt that is going on, if there is one."""
        current = self._current
        if current is None:
            return None
        received, (offset, total) = self._received, self._place
        return current._replace(received=received, position=offset + received, total=total)
