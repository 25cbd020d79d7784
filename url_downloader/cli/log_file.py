"""The log as a file that a run appends to, and that others may rotate."""

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

    def _open(self) -> io.TextIOWrapper:
        """Open the file; a pipe so that nobody waits for its reader when the run has to end."""
        stream = super()._open()
        if not is_pipe(stream.fileno()):
            return stream
        with stream:
            descriptor = os.dup(stream.fileno())
        pipe = InterruptiblePipe(descriptor, should_stop=RUN_SHOULD_STOP, is_owner=True)
        return text_stream(pipe, errors="backslashreplace")

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
