"""The log lines on stderr, which make room for a live display."""

from __future__ import annotations

import logging
import sys

STATUS_LINES = "url_downloader.status"
"""Name of the logger for status lines. A live display replaces them."""
STATE_REPLY = "url_downloader.status.answer"
"""Name of the logger for the state that SIGUSR1 asks for. The user gets it even with -q."""


class Stderr:
    """A stream that writes to what `sys.stderr` is at the moment of each write.

    Threads: As every stream.
    """

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class Console(logging.StreamHandler[Stderr]):
    """A log handler that writes to stderr what the user wants to see.

    Args:
        level: Lowest level of the records that are written. Replies to SIGUSR1 always are.

    Attributes:
        is_display_active: Whether a live display replaces the status lines.

    Threads: As every handler.
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
