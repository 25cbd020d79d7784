"""States of files that the ledger has recorded, without opening the output directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from url_downloader.shared.user_files import absolute


class RecordedFiles:
    """Files of earlier runs in the output directory, which need not exist.

    Args:
        directory: Path of the output directory, as the user wrote it.

    Threads: all methods from any thread.
    """

    def __init__(self, directory: Path) -> None:
        # Absolute, because the program may change its current directory during the run.
        self._root = os.fsencode(absolute(directory) / "_")[:-1]
        self._prefix = os.fsencode(directory / "_")[:-1]

    def exists(self, name: str) -> bool:
        """Tell whether anything has this path; a link is not followed.

        Args:
            name: Path relative to the output directory.
        """
        return os.path.lexists(self._root + name.encode())

    def state(self, name: str) -> tuple[int, int] | None:
        """Return size and time of a regular file; None if there is none.

        Args:
            name: Path relative to the output directory.

        Returns:
            Size in bytes, and time of the last change in nanoseconds since the epoch.
        """
        try:
            status = os.lstat(self._root + name.encode())
        except OSError:
            return None
        return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None

    def shown_path(self, name: str) -> str:
        """Return the path of a file for results, as `OutputDirectory.publish` does."""
        return os.fsdecode(self._prefix + name.encode())
