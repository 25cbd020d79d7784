"""Pauses of one host that asks for them: when they begin, and how long. No locks, no clock.

A reply that asks for a pause is one with status 429 or 503, or with a status that the user has
added. It may have a Retry-After. One without it may be an error of a single file, so it pauses
the host only if many such replies come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf

WINDOW = 20
"""Replies of a host that are remembered to judge how many ask for a pause."""
MIN_REPLIES = 5
"""Replies without Retry-After that pause a host, if they are half of the window."""
FIRST_BACKOFF = 5.0
"""Seconds; first pause without a Retry-After. Each following one is twice as long."""
MAX_BACKOFF = 600.0
"""Seconds; longest pause without a Retry-After."""
GOOD_REPLIES = 100
"""Good replies in a row after which the pauses are short again."""
JITTER = 0.1
"""Largest part of a pause that is added at random, so that not all clients come together."""

_MAX_DOUBLINGS = 10


class HostPause:
    """State of the pauses of one host.

    Args:
        good_replies: Number of good replies of the host that came before; the window has at
            most 20.
        jitter: Function uniform(low, high) that returns a random number between the two.

    Attributes:
        until: End of the last pause, monotonic seconds.
        since: Time of the first reply that asked for a pause after which no good reply has
            come, monotonic seconds; None if the last reply was good.
    """

    __slots__ = ("_backoffs", "_good_in_row", "_jitter", "_recent", "since", "until")

    def __init__(self, good_replies: int, *, jitter: Callable[[float, float], float]) -> None:
        self._jitter = jitter
        self._recent = deque([False] * good_replies, maxlen=WINDOW)
        self._backoffs = 0
        self._good_in_row = 0
        self.until = -inf
        self.since: float | None = None

    def note_good_reply(self) -> None:
        """Note a reply that asks for no pause."""
        self._recent.append(False)
        self.since = None
        self._good_in_row += 1
        if self._good_in_row >= GOOD_REPLIES:
            self._backoffs = 0

    def note_busy_reply(self, now: float, *, retry_after: float | None, is_known: bool) -> bool:
        """Note a reply that asks for a pause.

        Args:
            now: Monotonic time, seconds.
            retry_after: Seconds that the host asked to wait; None if it named no time.
            is_known: Whether the attempt began before the present pause. Then the reply is
                part of the same incident, and can only make this pause longer.

        Returns:
            Whether a new pause begins.
        """
        self._recent.append(True)
        self._good_in_row = 0
        if self.since is None:
            self.since = now
        if retry_after:
            seconds = retry_after
        elif is_known or not self._is_mostly_busy():
            return False
        else:
            seconds = min(MAX_BACKOFF, FIRST_BACKOFF * 2**self._backoffs)
            self._backoffs = min(self._backoffs + 1, _MAX_DOUBLINGS)
        self.until = max(self.until, now + seconds + self._jitter(0.0, JITTER * seconds))
        return not is_known

    @property
    def has_backoff(self) -> bool:
        """Tell whether the next pause without a Retry-After is longer than the first one."""
        return self._backoffs > 0

    def _is_mostly_busy(self) -> bool:
        busy = sum(self._recent)
        return busy >= MIN_REPLIES and 2 * busy >= len(self._recent)
