"""Warnings of which one is enough for a run."""

from __future__ import annotations

import logging


class Notices:
    """Logs each kind of warning once.

    Args:
        log: where it goes.

    Threads: any. Two threads that come at the same moment may both be heard.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._given: set[str] = set()

    def warning(self, message: str, *args: object) -> None:
        """Log the message, unless one with this text, arguments apart, was logged before."""
        if message not in self._given:
            self._given.add(message)
            self._log.warning(message, *args)
