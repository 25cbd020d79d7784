"""The log file, which another program, such as logrotate, may rename or remove during a run."""

from __future__ import annotations

import io
import logging
import os
from contextlib import suppress
from logging.handlers import WatchedFileHandler
from pathlib import Path

from url_downloader.shared.errors import OutputError
from url_downloader.shared.interruptible_pipe import (
    RUN_SHOULD_STOP,
    InterruptiblePipe,
    is_pipe,
    text_stream,
)


class LogFile(WatchedFileHandler):
    """Log handler that appends to a file, and creates it again if it was renamed or removed.

    A record that can't be written is lost, and the run goes on.

    Args:
        path: Path of the file.

    Raises:
        OutputError: The file can't be opened.

    Threads: `handle` and `close` from any thread; `handle` locks before it calls `emit`.
    """

    def __init__(self, path: Path) -> None:
        try:
            super().__init__(path, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            message = f"{path}: the log can't be written: {error.strerror}"
            raise OutputError(message) from error

    def _open(self) -> io.TextIOWrapper:
        """Open the file; if it is a pipe, a signal can end the wait for a slow reader."""
        stream = super()._open()
        if not is_pipe(stream.fileno()):
            return stream
        with stream:
            descriptor = os.dup(stream.fileno())
        pipe = InterruptiblePipe(descriptor, should_stop=RUN_SHOULD_STOP, is_owner=True)
        return text_stream(pipe, errors="backslashreplace")

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; create the file first if it was renamed or removed."""
        try:
            super().emit(record)
        except OSError:
            # The base class handles errors of the write, but not those of opening a new file.
            self.handleError(record)

    def close(self) -> None:
        """Close the file, even if the rest of the log can't be written."""
        with suppress(OSError):
            super().close()
