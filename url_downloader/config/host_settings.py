"""Settings of the hosts: limits of the requests to each, pauses, and outages."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from url_downloader.config.host_patterns import authority_of, compiled, parse_host_pattern
from url_downloader.config.ranges import check_range
from url_downloader.shared.errors import ConfigError
from url_downloader.shared.url_parts import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLimits:
    """Limits of the requests to one host.

    Args:
        connections: Largest number of open connections to one host; behind an HTTP proxy, of
            attempts. 0 = no limit.
        interval: Least mean time between the starts of two requests to one host, in seconds;
            0 = no limit.
    """

    connections: int = 0
    interval: float = 0.0

    def __post_init__(self) -> None:
        check_range("--per-host", self.connections)
        check_range("interval", self.interval)


_shared_limits = functools.lru_cache(maxsize=1024)(HostLimits)
"""Function that returns the same object for equal limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRule:
    """Limits for the hosts that a pattern fits.

    Args:
        pattern: Host name or address as in a URL in normal form, in which `*` stands for any
            characters and `?` for one. With a port, as in `*.example.org:8080`, the rule is for
            this port alone.
        connections: Largest number of open connections; 0 = no limit; None = the rule does not
            set it.
        interval: Least mean time between two requests, in seconds; 0 = no limit; None = the
            rule does not set it.
    """

    pattern: str
    connections: int | None = None
    interval: float | None = None
    _expression: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            normal = parse_host_pattern(self.pattern)
        except ValueError as error:
            raise ConfigError(f"--host-rules: {error}") from None
        if normal != self.pattern:
            message = f"--host-rules: must have the host {normal!r}, not {self.pattern!r}"
            raise ConfigError(message)
        for name, value in (("--per-host", self.connections), ("interval", self.interval)):
            if value is not None:
                check_range(name, value)
        object.__setattr__(self, "_expression", compiled(normal))

    def matches(self, authority: str) -> bool:
        """Tell whether the rule is for the host with this authority: `example.org:443`."""
        return self._expression.match(authority) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """Settings of the hosts.

    Args:
        limits: Limits of each host that no rule matches.
        rules: Rules for some hosts; for each limit, the first rule that matches the host and
            sets the limit is used.
        backoff_on: Status codes from 400 to 599 that pause a host, besides 429 and 503.
        outage_wait: Seconds to wait for a host, or for the network, that has worked in this
            run and fails now; 0 = never wait.
    """

    limits: HostLimits = field(default_factory=HostLimits)
    rules: Sequence[HostRule] = ()
    backoff_on: frozenset[int] = frozenset()
    outage_wait: float = 600.0

    def __post_init__(self) -> None:
        for rule in self.rules:
            if not isinstance(rule, HostRule):
                raise ConfigError(f"--host-rules: must be a HostRule, not {rule!r}")
        for code in self.backoff_on:
            check_range("--backoff-on", code)
        check_range("--outage-wait", self.outage_wait)

    @property
    def has_limits(self) -> bool:
        """Tell whether the user limits the requests to any host, or adds reasons for pauses."""
        return bool(self.limits != HostLimits() or self.rules or self.backoff_on)

    def limits_for(self, origin: Origin) -> HostLimits:
        """Return the limits of a host. There may be 100,000 hosts: equal limits are shared."""
        if not self.rules:
            return self.limits
        authority = authority_of(origin)
        matching = [rule for rule in self.rules if rule.matches(authority)]
        if not matching:
            return self.limits
        connections = [each.connections for each in matching if each.connections is not None]
        intervals = [each.interval for each in matching if each.interval is not None]
        limits = _shared_limits(
            connections=(*connections, self.limits.connections)[0],
            interval=(*intervals, self.limits.interval)[0],
        )
        return self.limits if limits == self.limits else limits
