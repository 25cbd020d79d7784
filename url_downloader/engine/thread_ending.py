"""The ending of a run's threads, within a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from url_downloader.shared.threads import StoppableThread

log = logging.getLogger(__package__)

ORDERLY_JOIN = 10.0
"""Seconds that the threads of one step get to end in the shutdown of a complete run."""
CANCELLED_JOIN = 1.5
"""Seconds that all threads together get to end in the shutdown of a cancelled run.

The time is short, because nothing can interrupt a thread that looks up a host name."""


class ThreadEnding:
    """Ending of threads in steps. A thread that does not end in time is abandoned.

    Threads: one, the main thread.
    """

    def __init__(self) -> None:
        self._deadline: float | None = None

    def hurry(self) -> None:
        """Give all further steps together little time, because the run is cancelled."""
        self._deadline = time.monotonic() + CANCELLED_JOIN

    def stop(self, threads: Sequence[StoppableThread]) -> None:
        """Stop threads, and wait for them."""
        for thread in threads:
            thread.stop()
        self.join(threads)

    def join(self, threads: Sequence[threading.Thread]) -> None:
        """Wait for threads that end by themselves."""
        deadline = self._deadline or time.monotonic() + ORDERLY_JOIN
        for thread in threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.debug("%s did not end in time; it is abandoned", thread.name)
