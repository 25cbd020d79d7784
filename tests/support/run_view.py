"""A run as its observers see it, without a pool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict, Unpack

from url_downloader.engine.host_state import HostPhase, HostState
from url_downloader.engine.host_troubles import HostTroubles
from url_downloader.engine.monitor import PoolState
from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.models import JobRecord, JobStatus
from url_downloader.shared.ports import Progress

NOW = 100.0
"""Seconds of the monotonic clock at which the run is seen."""


class StateFields(TypedDict, total=False):
    """The fields of a state that a test may set."""

    tasks: int
    parked: int
    retries: int
    counts: Mapping[JobStatus, int]
    metrics: MetricsSnapshot
    is_list_read: bool
    hosts: HostTroubles
    has_outage: bool


def make_state(**fields: Unpack[StateFields]) -> PoolState:
    """Return the state of a run; by default of one without jobs."""
    usual: StateFields = {
        "tasks": 0,
        "parked": 0,
        "retries": 0,
        "counts": dict.fromkeys(JobStatus, 0),
        "metrics": MetricsSnapshot(),
    }
    return PoolState(**(usual | fields))


def make_troubles(*states: HostState, others: int = 0) -> HostTroubles:
    """Return the troubles of hosts: of these, and of other ones that are down."""
    phases = Counter(state.phase for state in states)
    phases[HostPhase.DOWN] += others
    return HostTroubles(phases=+phases, begun=+phases, states=states)


class FakeRunView:
    """A RunView with the state that a test wants.

    Args:
        state: Returns the state of the run.
        attempts: Attempts that are going on, by the names of their workers.
        waiting: Records of the jobs that wait for a retry.
    """

    def __init__(
        self,
        state: Callable[[], PoolState],
        *,
        attempts: Sequence[tuple[str, Progress]] = (),
        waiting: Sequence[JobRecord] = (),
    ) -> None:
        self.state = state
        self._attempts = attempts
        self._waiting = waiting

    def attempts(self) -> Sequence[tuple[str, Progress]]:
        return self._attempts

    def waiting(self) -> Sequence[JobRecord]:
        return self._waiting

    def now(self) -> float:
        return NOW
