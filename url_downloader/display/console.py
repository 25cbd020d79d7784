"""Log lines on stderr, which make room for a live display."""

from __future__ import annotations

import logging
import sys

ALWAYS_HEARD = "url_downloader.status.answer"
"""The logger of what somebody asks for while the run goes on."""
STATUS_LINES = "url_downloader.status"
"""The logger of what a live display shows better."""


class Stderr:
    """Whatever stands for stderr at the moment of each write.

    Threads: as every stream.
    """

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class Console(logging.StreamHandler[Stderr]):
    """Tells people on stderr.

    Args:
        level: of what they want to hear, beside what they ask for.

    Attributes:
        is_display_active: whether they see the state of the run anyhow.

    Threads: as every handler.
    """

    def __init__(self, level: int) -> None:
        super().__init__(Stderr())
        self._least = level
        self.is_display_active = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether they are told of it."""
        if record.name == STATUS_LINES and self.is_display_active:
            return False
        return record.levelno >= self._least or record.name == ALWAYS_HEARD
