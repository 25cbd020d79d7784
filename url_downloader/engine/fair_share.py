"""Fair share: how many workers a host may have. No locks, no clock.

The fair share of a host is the number of workers, divided by the number of active hosts, and
rounded up. A host gets workers above its share only where this can't delay another host's job
that comes soon: the list was read to its end, or the look-ahead is full, or a worker has been
idle for 50 ms, and another one is idle, too.

At the start of a run the hosts are not known yet. Until some lines were put, or no line came
for 50 ms, the share of each host is one worker.
"""

from __future__ import annotations

from math import inf

IDLE_SECONDS = 0.05
"""Seconds without work after which a worker may exceed a host's share, or without a line after
which the hosts count as known; far less than most downloads take."""
FIRST_LINES_PER_WORKER = 4
"""Lines for each worker after which the hosts count as known."""
MAX_FIRST_LINES = 256
"""Lines after which the hosts count as known, however many workers there are."""


class FairShare:
    """Rule for the number of workers of a host.

    Args:
        workers: Number of workers of the run.

    Attributes:
        is_list_read: Whether no more jobs of the list will come.
        is_blocked: Whether the producer waits for room.
        knows_hosts: Whether enough lines have come to know the hosts.
    """

    def __init__(self, workers: int) -> None:
        self.is_list_read = False
        self.is_blocked = False
        self.knows_hosts = False
        self._workers = workers
        self._first_lines = min(FIRST_LINES_PER_WORKER * workers, MAX_FIRST_LINES)
        self._last_line: float | None = None

    def count_line(self, now: float) -> None:
        """Note a line of the list, while the hosts are not known."""
        self._first_lines -= 1
        self.knows_hosts = not self._first_lines or self._is_line_late(now)
        self._last_line = now

    @property
    def is_lifted(self) -> bool:
        """Tell whether hosts may exceed their shares at once."""
        return self.is_list_read or self.is_blocked

    def allows(self, in_all: int, now: float) -> bool:
        """Tell whether a host may have one more worker, even one that was not idle.

        Args:
            in_all: Number of workers if each active host had as many as this one, which has at
                least one.
            now: Monotonic time, seconds.
        """
        self.knows_hosts = self.knows_hosts or self._is_line_late(now)
        # The same as to compare with the share, rounded up.
        return self.knows_hosts and in_all < self._workers

    def next_time(self) -> float:
        """Return the time at which the hosts count as known; infinite if they do already."""
        if self.knows_hosts or self._last_line is None:
            return inf
        return self._last_line + IDLE_SECONDS

    def _is_line_late(self, now: float) -> bool:
        """Tell whether no line has come for so long that the hosts count as known."""
        return self._last_line is not None and now >= self._last_line + IDLE_SECONDS
