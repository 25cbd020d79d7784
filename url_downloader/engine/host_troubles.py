"""Hosts in trouble at one moment, as observers see them, and their texts. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from url_downloader.engine.host import Host
from url_downloader.engine.host_state import HostPhase, HostState
from url_downloader.shared.text import format_seconds

MAX_STATES = 20
"""Hosts that a reader of messages sees one by one; the others are counted."""
_LONGEST_WAIT = 99 * 3600
"""Seconds; longest wait that is shown. A server may ask for one that no run waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTroubles:
    """Hosts that are in trouble at one moment.

    Args:
        phases: Number of hosts in each phase; a phase without hosts is missing.
        begun: Number of times in this run that a host has got into each phase.
        states: States of the hosts with the most waiting jobs, in this order.
    """

    phases: Mapping[HostPhase, int] = field(default_factory=dict)
    begun: Mapping[HostPhase, int] = field(default_factory=dict)
    states: Sequence[HostState] = ()

    def __str__(self) -> str:
        return ", ".join(
            f"{self.phases[phase]} {phase}" for phase in HostPhase if phase in self.phases
        )

    @property
    def others(self) -> int:
        """Return the number of hosts in trouble whose states are left out."""
        return sum(self.phases.values()) - len(self.states)

    def shifted(self, seconds: float) -> HostTroubles:
        """Return the same troubles with the times of another clock.

        Args:
            seconds: Time of the other clock minus that of this one.
        """
        states = (each._replace(until=each.until + seconds) for each in self.states)
        return replace(self, states=tuple(states))


def find_troubles(
    hosts: Iterable[Host], now: float, *, most: int | None, begun: Mapping[HostPhase, int]
) -> HostTroubles:
    """Return the troubles of those hosts that are in trouble.

    A host is left out if no job waits for it and its next job would be started at once.

    Args:
        hosts: Hosts that may be in trouble.
        now: Monotonic time, seconds.
        most: Largest number of states to return; None = all.
        begun: Number of times that a host has got into each phase.
    """
    phases: Counter[HostPhase] = Counter()
    found: list[tuple[int, Host, HostState]] = []
    for host in hosts:
        state = None if host.gate is None else host.gate.state(now)
        if state is not None and (now < state.until or host.waiting or host.running):
            phases[state.phase] += 1
            found.append((host.waiting, host, state))
    worst = heapq.nsmallest(
        len(found) if most is None else most,
        found,
        key=lambda each: (-each[0], each[2].until),
    )
    return HostTroubles(
        phases=phases,
        begun=dict(begun),
        states=tuple(state._replace(host=host.name, waiting=n) for n, host, state in worst),
    )


def state_text(state: HostState, now: float) -> str:
    """Return the state of a host for the user; the reason, which may be long, comes last.

    Args:
        state: State of the host.
        now: Monotonic time, seconds.
    """
    wait = state.until - now
    shown = format_seconds(min(wait, _LONGEST_WAIT))
    time = "now" if wait <= 0 else f"in {'over ' if wait > _LONGEST_WAIT else ''}{shown}"
    urls = "1 URL waits" if state.waiting == 1 else f"{state.waiting} URLs wait"
    jobs = f", {urls}" if state.waiting else ""
    return f"{state.host}: {state.phase}, next request {time}{jobs}: {state.reason}"
