"""The log handler of stderr, which leaves out status lines while there is a live display."""

from __future__ import annotations

import logging
import sys

STATUS_LINES = "url_downloader.status"
"""Name of the logger for status lines. A live display replaces them."""
STATE_REPLY = "url_downloader.status.answer"
"""Name of the logger for replies to SIGUSR1 and SIGUSR2. The user gets them even with -q."""


class Stderr:
    """Stream that passes each write on to the current `sys.stderr`.

    Threads: one at a time; a log handler writes under its lock.
    """

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class Console(logging.StreamHandler[Stderr]):
    """Log handler that writes records to stderr.

    Args:
        level: Lowest level of the records that are written. Replies to signals are written at
            any level.

    Attributes:
        is_display_active: Whether a live display replaces the status lines.

    Threads: `handle` from any thread; `is_display_active` is set in the main thread.
    """

    def __init__(self, level: int) -> None:
        super().__init__(Stderr())
        self._least = level
        self.is_display_active = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is written."""
        if record.name == STATUS_LINES and self.is_display_active:
            return False
        return record.levelno >= self._least or record.name == STATE_REPLY
