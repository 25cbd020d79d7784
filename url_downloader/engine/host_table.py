"""Table of the hosts of a run, which knows how many of them are active. No locks, no clock.

A host is active while it is ready or has a running attempt, and for one second after. A host
without jobs is forgotten then, unless its gate has something to remember. So the table does not
grow with the list.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import inf

from url_downloader.engine.host import Host
from url_downloader.engine.host_gate import HostGate
from url_downloader.engine.host_policy import NO_LIMITS, HostPolicy

REST_SECONDS = 1.0
"""Seconds for which an inactive host still counts as active: its next job may come soon."""
MAX_REMEMBERED = 20_000
"""Hosts without jobs that are remembered for their troubles; they take about 10 MB."""
MAX_ANSWERED = 10_000
"""Names of forgotten hosts that have answered: these get more patience later."""


class HostTable:
    """Known hosts by name.

    Args:
        policy: Rules for the troubles and limits of hosts; None if hosts are not told apart.
        on_forget: Function called with each host that is forgotten.

    Attributes:
        hosts: All known hosts by name. Only this table adds and removes some.

    Threads: one at a time; HostQueue calls all methods under its lock.
    """

    def __init__(
        self, policy: HostPolicy | None, *, on_forget: Callable[[Host], object]
    ) -> None:
        self._policy = policy
        self._on_forget = on_forget
        self.hosts: dict[str, Host] = {}
        # Hosts that are inactive: for less than a second, with waiting jobs, and without.
        self._resting: OrderedDict[Host, float] = OrderedDict()
        self._blocked: dict[Host, None] = {}
        self._remembered: OrderedDict[Host, None] = OrderedDict()
        self._answered: OrderedDict[str, None] = OrderedDict()

    def find(self, name: str) -> Host | None:
        """Return the host of this name; None if it is not known."""
        return self.hosts.get(name)

    def find_limited(self, name: str) -> Host | None:
        """Return the host of this name if it is known, or has limits of the user."""
        if name in self.hosts or self._new_gate(name) is not None:
            return self.host(name)
        return None

    def host(self, name: str) -> Host:
        """Return the host of this name, which becomes known; a new one counts as active."""
        host = self.hosts.get(name)
        if host is None:
            gate = self._new_gate(name)
            host = self.hosts[name] = Host(name, gate)
            host.has_answered = name in self._answered
        return host

    def note_answered(self, name: str) -> None:
        """Remember that a host, which is not known, has answered."""
        self._answered[name] = None
        if len(self._answered) > MAX_ANSWERED:
            self._answered.popitem(last=False)

    def note_active(self, host: Host) -> None:
        """Note that an inactive host is ready or has a running attempt."""
        host.is_active = True
        if self._resting.pop(host, None) is None:
            self._blocked.pop(host, None)
            self._remembered.pop(host, None)

    def note_inactive(self, host: Host, now: float) -> None:
        """Note that a host is not ready, and has no running attempt."""
        if host.is_active:
            self._end_rests(now)
            host.is_active = False
            self._resting[host] = now + REST_SECONDS
        elif host not in self._resting:
            self._settle(host, now)

    def active(self, now: float) -> int:
        """Return the number of hosts that are active, or were until a second ago."""
        if self._resting:
            self._end_rests(now)
        return len(self.hosts) - len(self._blocked) - len(self._remembered)

    def next_rest_end(self) -> float:
        """Return the time at which the next host stops counting as active; infinite if none."""
        return next(iter(self._resting.values()), inf)

    def _new_gate(self, name: str) -> HostGate | None:
        """Return the gate of a host with limits of the user; None if it has none."""
        if self._policy is None or self._policy.limits_for is None:
            return None
        limits = self._policy.limits_for(name)
        return None if limits == NO_LIMITS else HostGate(self._policy, limits)

    def _end_rests(self, now: float) -> None:
        while self._resting:
            host, end = next(iter(self._resting.items()))
            if end > now:
                return
            del self._resting[host]
            self._settle(host, now)

    def _settle(self, host: Host, now: float) -> None:
        """Put an inactive host among those that wait or are remembered, or forget it."""
        self._blocked.pop(host, None)
        self._remembered.pop(host, None)
        if host.waiting:
            self._blocked[host] = None
        elif host.gate is not None and host.gate.remembers(now):
            self._remembered[host] = None
            if len(self._remembered) > MAX_REMEMBERED:
                self._forget(self._remembered.popitem(last=False)[0])
        else:
            self._forget(host)

    def _forget(self, host: Host) -> None:
        del self.hosts[host.name]
        self._on_forget(host)
        if host.has_answered:
            self.note_answered(host.name)
