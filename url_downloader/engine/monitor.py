"""The threads that look at a run again and again, and tell how it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.models import JobRecord, JobStatus
from url_downloader.shared.ports import Progress
from url_downloader.shared.text import format_size
from url_downloader.shared.threads import StoppableThread


class PoolState(NamedTuple):
    """What the monitor looks at, read at one moment.

    Args:
        tasks: jobs in the task queue.
        retries: jobs in the retry queue.
        counts: jobs of the registry by status.
        metrics: the counters.
        is_list_read: whether no more jobs will come.
    """

    tasks: int
    retries: int
    counts: Mapping[JobStatus, int]
    metrics: MetricsSnapshot
    is_list_read: bool = False

    def __str__(self) -> str:
        counts, metrics = self.counts, self.metrics
        return (
            f"tasks {self.tasks}, retries {self.retries}, in flight {metrics.in_flight} | "
            f"done {counts[JobStatus.SUCCESS]}, failed {counts[JobStatus.FAILED]}, "
            f"retrying {counts[JobStatus.RETRY_SCHEDULED]}, "
            f"pending {counts[JobStatus.PENDING]} of {sum(counts.values())} | "
            f"{format_size(metrics.received)}, {format_size(metrics.rate)}/s"
        )


class RunView(Protocol):
    """A run as those see it who watch it.

    Threads: all methods from any thread.
    """

    def state(self) -> PoolState: ...
    def attempts(self) -> Sequence[tuple[str, Progress]]: ...
    def waiting(self) -> Sequence[JobRecord]: ...
    def now(self) -> float: ...


class Observer(NamedTuple):
    """One that is shown the run again and again, and a last time at its end.

    Args:
        name: of its thread.
        interval: seconds between two looks.
        tell: called with the run, in a thread of its own.
    """

    name: str
    interval: float
    tell: Callable[[RunView], None]


class Monitor(StoppableThread):
    """Shows the run to one observer.

    Args:
        observer: whom to tell, and how often.
        view: of the run.
        on_crash: as for every StoppableThread.

    Threads: as StoppableThread.
    """

    def __init__(
        self, observer: Observer, *, view: RunView, on_crash: Callable[[BaseException], None]
    ) -> None:
        super().__init__(name=observer.name, on_crash=on_crash)
        self._observer = observer
        self._view = view

    def run_once(self) -> bool:
        """Wait for the interval, then tell how things stand."""
        if self.wait(self._observer.interval):
            return False
        self._observer.tell(self._view)
        return True

    def teardown(self) -> None:
        """Tell it for the last time."""
        self._observer.tell(self._view)
