"""Settings of the hosts: limits of the requests to each, pauses, and outages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLimits:
    """Limits of the requests to one host. 0 means no limit.

    Args:
        connections: Largest number of open connections; behind an HTTP proxy, of attempts.
        interval: Least mean time between the starts of two requests, in seconds.
    """

    connections: int = 0
    interval: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRule:
    """Limits for the hosts whose names match a pattern.

    Args:
        pattern: Pattern in lower case, as the shell's for file names. With a colon, it is
            compared with name and port, else with the name alone.
        connections: Largest number of open connections; None = the rule does not set it.
        interval: Least mean time between two requests, in seconds; None = the rule does not
            set it.
    """

    pattern: str
    connections: int | None = None
    interval: float | None = None

    def matches(self, name: str, port: int) -> bool:
        """Tell whether the rule is for this host."""
        compared = f"{name}:{port}" if ":" in self.pattern else name
        return fnmatchcase(compared, self.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """Settings of the hosts.

    Args:
        limits: Limits of each host that no rule matches.
        rules: Rules for some hosts; the first one that matches and sets a value is used.
        backoff_on: Status codes that pause a host, besides 429 and 503.
        outage_wait: Seconds to wait for a host, or for the network, that has worked in this
            run and fails now; 0 = never wait.
    """

    limits: HostLimits = field(default_factory=HostLimits)
    rules: Sequence[HostRule] = ()
    backoff_on: frozenset[int] = frozenset()
    outage_wait: float = 600.0
