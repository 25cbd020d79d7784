"""Ages of files: a recent one may be that of another run, which has not recorded it yet."""

from __future__ import annotations

import time
from typing import NamedTuple

from url_downloader.shared.file_facts import RECORDING_TIME, FileAge

_SECOND = 10**9
"""Nanoseconds."""


class RunStart(NamedTuple):
    """Start of a run.

    Args:
        at_ns: Time by the clock of the file system, in nanoseconds since the epoch.
        at: Time by the monotonic clock, in seconds.
    """

    at_ns: int
    at: float

    def age(self, changed_ns: int) -> FileAge | None:
        """Return the age of a file, if it is recent; None if it is clearly older than the run.

        Args:
            changed_ns: Time of the last change of the file's status, by the same file system.
        """
        before = (self.at_ns - changed_ns) / _SECOND
        if before >= RECORDING_TIME:
            return None
        seconds = before + time.monotonic() - self.at
        return FileAge(seconds=seconds, is_older=before >= 0)
