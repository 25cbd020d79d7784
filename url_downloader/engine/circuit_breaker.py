"""Circuit breaker of one host: it finds out that a host is down. No locks, no clock.

The breaker opens after some failures in a row before the first byte of a reply. From then on
only probes go to the host: one attempt at a time. Any byte of a reply closes the breaker. If
the probes fail for long enough, the host counts as down.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

MAX_FAILURES = 5
"""Failures in a row that open the breaker."""
QUICK_PROBE = 2.0
"""Seconds before the first probe of a host that has never answered: it may be a wrong name."""
SECOND_QUICK_PROBE = 5.0
"""Seconds between the first two probes of a host that has never answered; later ones double."""
MIN_QUICK_PROBES = 2
"""Probes of a host that has never answered, at least, before it counts as down."""
FIRST_PROBE = 5.0
"""Seconds before the first probe of a host that has answered in this run; they double."""
MAX_PROBE = 60.0
"""Seconds; longest time between two probes. It also holds for hosts that are down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Times after which a host counts as down.

    Args:
        outage_wait: Seconds to wait for a host that has answered in this run; 0 = as for one
            that has never answered.
        retry_seconds: Seconds that the retries of a job wait together, on average. A host that
            has never answered gets at least this time.
    """

    outage_wait: float
    retry_seconds: float


class CircuitBreaker:
    """State of the breaker of one host.

    Args:
        patience: Times after which the host counts as down.

    Attributes:
        is_open: Whether only probes go to the host.
        probe_at: Time of the next probe, monotonic seconds.
        down_at: Time from which the host counts as down; infinite if that is not known yet.
    """

    __slots__ = (
        "_failures",
        "_has_answered",
        "_opened_at",
        "_patience",
        "_probes",
        "down_at",
        "is_open",
        "probe_at",
    )

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        self._has_answered = False
        self._opened_at = 0.0
        self._probes = 0
        self.is_open = False
        self.probe_at = -inf
        self.down_at = inf

    def note_failure(self, now: float, *, has_answered: bool) -> bool:
        """Note a failure before the first byte, while the breaker is closed.

        Args:
            now: Monotonic time, seconds.
            has_answered: Whether the host has answered earlier in this run.

        Returns:
            Whether the breaker is open now.
        """
        self._failures += 1
        if self._failures < MAX_FAILURES:
            return False
        self.is_open = True
        self._opened_at = now
        self._has_answered = has_answered and self._patience.outage_wait > 0
        if self._has_answered:
            self.probe_at = now + FIRST_PROBE
            self.down_at = now + self._patience.outage_wait
        else:
            self.probe_at = now + QUICK_PROBE
        return True

    def note_failed_probe(self, now: float, *, has_no_name: bool) -> None:
        """Note a probe that failed before the first byte.

        Args:
            now: Monotonic time, seconds.
            has_no_name: Whether the probe failed because the host name does not exist.
        """
        self._probes += 1
        if now >= self.down_at:
            self.probe_at = now + MAX_PROBE
        elif self._has_answered:
            self.probe_at = now + min(MAX_PROBE, FIRST_PROBE * 2**self._probes)
        elif has_no_name or self._probes >= MIN_QUICK_PROBES:
            least = QUICK_PROBE if has_no_name else self._patience.retry_seconds
            self.down_at = max(now, self._opened_at + least)
            # Many retries ask for much patience: in this time the host may come back.
            probe_at = now + min(MAX_PROBE, SECOND_QUICK_PROBE * 2 ** (self._probes - 1))
            is_late = probe_at >= self.down_at
            self.probe_at = self.down_at + MAX_PROBE if is_late else probe_at
        else:
            self.probe_at = now + SECOND_QUICK_PROBE
