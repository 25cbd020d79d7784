"""The log as a file that a run appends to, and that others may rotate."""

from __future__ import annotations

import logging
from contextlib import suppress
from logging.handlers import WatchedFileHandler
from pathlib import Path

from url_downloader.shared.errors import OutputError


class LogFile(WatchedFileHandler):
    """Appends each record; begins a new file when the old one was moved away.

    A record that can't be written is lost; the run goes on.

    Args:
        path: of the file.

    Raises:
        OutputError: it can't be opened.

    Threads: as every handler.
    """

    def __init__(self, path: Path) -> None:
        try:
            super().__init__(path, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            message = f"{path}: the log can't be written: {error.strerror}"
            raise OutputError(message) from error

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, to a new file if the old one is no longer there."""
        try:
            super().emit(record)
        except OSError:
            # It looks at the file, and opens a new one, before it guards itself.
            self.handleError(record)

    def close(self) -> None:
        """Close the file, whatever becomes of what was not written yet."""
        with suppress(OSError):
            super().close()
