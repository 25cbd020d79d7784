"""State of a host that gets fewer requests than it could, as observers see it. Pure."""

from __future__ import annotations

import enum
from typing import NamedTuple


class HostPhase(enum.StrEnum):
    """Reason for which a host gets fewer requests than it could, or none."""

    PAUSED = "paused"
    FAILING = "failing"
    DOWN = "down"
    THROTTLED = "throttled"


class HostState(NamedTuple):
    """State of a host that is in trouble.

    Args:
        phase: Kind of the trouble. The jobs of a host that is DOWN or THROTTLED fail at once.
        reason: Reason, for the user.
        until: Time of the next request, monotonic seconds.
        host: Origin of the host, as text.
        waiting: Number of its waiting jobs.
    """

    phase: HostPhase
    reason: str
    until: float
    host: str = ""
    waiting: int = 0


class HostNews(NamedTuple):
    """Change of the state of a host.

    Args:
        host: Origin of the host, as text.
        before: Phase before; None if the host was in no trouble.
        state: State now; None if the trouble is over.
    """

    host: str
    before: HostPhase | None
    state: HostState | None
