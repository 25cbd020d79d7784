"""A logger of warnings that may occur thousands of times in a run, but are logged once."""

from __future__ import annotations

import logging


class OnceLogger:
    """Logger that logs each kind of warning once.

    Args:
        log: Logger for the warnings.

    Threads: any. A warning that two threads log at the same moment may be logged twice.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._logged: set[str] = set()

    def warning(self, message: str, *args: object) -> None:
        """Log a warning unless its message was logged before, with these or other arguments."""
        if message not in self._logged:
            self._logged.add(message)
            self._log.warning(message, *args)
