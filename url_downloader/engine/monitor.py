"""Observers of a run, the RunView that they are called with, and the threads that call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from url_downloader.engine.host_troubles import HostTroubles
from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.models import JobRecord, JobStatus
from url_downloader.shared.ports import Progress
from url_downloader.shared.text import format_size
from url_downloader.shared.threads import StoppableThread


class PoolState(NamedTuple):
    """State of a run at one moment.

    Args:
        tasks: Number of jobs in the task queue beyond the look-ahead.
        parked: Number of the other jobs in the task queue.
        retries: Number of jobs in the retry queue.
        counts: Number of jobs in the registry, by status.
        metrics: Snapshot of the counters.
        is_list_read: Whether the list was read to its end.
        hosts: Hosts that are in trouble.
        has_outage: Whether the network of this machine is gone.
    """

    tasks: int
    parked: int
    retries: int
    counts: Mapping[JobStatus, int]
    metrics: MetricsSnapshot
    is_list_read: bool = False
    hosts: HostTroubles = HostTroubles()
    has_outage: bool = False

    def __str__(self) -> str:
        counts, metrics = self.counts, self.metrics
        hosts = f" | hosts: {self.hosts}" if self.hosts.phases else ""
        outage = " | no network" if self.has_outage else ""
        return (
            f"tasks {self.tasks}, parked {self.parked}, retries {self.retries}, "
            f"in flight {metrics.in_flight} | "
            f"done {counts[JobStatus.SUCCESS]}, failed {counts[JobStatus.FAILED]}, "
            f"retrying {counts[JobStatus.RETRY_SCHEDULED]}, "
            f"pending {counts[JobStatus.PENDING]} of {sum(counts.values())} | "
            f"{format_size(metrics.received)}, {format_size(metrics.rate)}/s{hosts}{outage}"
        )


class RunView(Protocol):
    """Read access to a run, which each observer is called with.

    `state` returns the state at this moment. `attempts` returns the attempts in progress, each
    with its worker's name. `waiting` returns the records of the jobs that wait for a retry.
    `now` returns the run's monotonic time in seconds.

    Threads: all methods from any thread.
    """

    def state(self) -> PoolState: ...
    def attempts(self) -> Sequence[tuple[str, Progress]]: ...
    def waiting(self) -> Sequence[JobRecord]: ...
    def now(self) -> float: ...


class Observer(NamedTuple):
    """Callback for a run, with the name and the interval of the thread that calls it.

    The thread calls it periodically, and once more at the end of the run. If the system allows
    too few threads, it is never called, or its last call comes early. An error that it raises
    ends the run.

    Args:
        name: Name of the observer's thread.
        interval: Seconds between two calls.
        tell: Callback that takes the RunView; it is called in the observer's own thread.
    """

    name: str
    interval: float
    tell: Callable[[RunView], None]


class Monitor(StoppableThread):
    """Thread that calls one observer.

    Args:
        observer: Observer to call.
        view: View of the run that the observer is called with.
        on_crash: Function called with an error that escapes from the thread.

    Threads: made and started in the main thread; `stop` from any thread; `run_once` and
    `teardown` in this thread.
    """

    def __init__(
        self, observer: Observer, *, view: RunView, on_crash: Callable[[BaseException], None]
    ) -> None:
        super().__init__(name=observer.name, on_crash=on_crash)
        self._observer = observer
        self._view = view

    def run_once(self) -> bool:
        """Wait for the interval, then call the observer.

        Returns:
            False if the thread was stopped meanwhile, so that the observer was not called.
        """
        if self.wait(self._observer.interval):
            return False
        self._observer.tell(self._view)
        return True

    def teardown(self) -> None:
        """Call the observer for the last time."""
        self._observer.tell(self._view)
