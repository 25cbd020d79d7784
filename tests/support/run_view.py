"""A run as its observers see it, without a pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from url_downloader.engine.monitor import PoolState
from url_downloader.shared.models import JobRecord
from url_downloader.shared.ports import Progress

NOW = 100.0
"""Seconds of the monotonic clock at which the run is seen."""


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
