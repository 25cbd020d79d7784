"""The thread that says each second how the run stands."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.models import JobStatus
from url_downloader.shared.threads import StoppableThread
from url_downloader.units import format_size

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """What the monitor looks at, read at one moment.

    Args:
        tasks: jobs in the task queue.
        retries: jobs in the retry queue.
        counts: jobs of the registry by status.
        metrics: the counters.
    """

    tasks: int
    retries: int
    counts: Mapping[JobStatus, int]
    metrics: MetricsSnapshot

    def __str__(self) -> str:
        counts, metrics = self.counts, self.metrics
        return (
            f"tasks {self.tasks}, retries {self.retries}, in flight {metrics.in_flight} | "
            f"done {counts[JobStatus.SUCCESS]}, failed {counts[JobStatus.FAILED]}, "
            f"retrying {counts[JobStatus.RETRY_SCHEDULED]}, "
            f"pending {counts[JobStatus.PENDING]} of {sum(counts.values())} | "
            f"{format_size(metrics.received)}, {format_size(metrics.rate)}/s"
        )


class Monitor(StoppableThread):
    """Logs one line each interval, and a last one at the end.

    Args:
        interval: seconds between two lines.
        look: reads the state of the pool.
        on_crash: as for every StoppableThread.

    Threads: as StoppableThread.
    """

    def __init__(
        self,
        *,
        interval: float,
        look: Callable[[], PoolState],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name="monitor", on_crash=on_crash)
        self._interval = interval
        self._look = look

    def run_once(self) -> bool:
        """Wait for the interval, then say how things stand."""
        if self.wait(self._interval):
            return False
        log.info("%s", self._look())
        return True

    def teardown(self) -> None:
        """Say the last line."""
        log.info("%s", self._look())
