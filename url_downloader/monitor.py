"""The thread that says each second how the run stands."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from url_downloader.attempt_meter import Progress
from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.models import JobRecord, JobStatus
from url_downloader.shared.threads import StoppableThread
from url_downloader.units import format_seconds, format_size

log = logging.getLogger(__name__)

MAX_RETRIES_SHOWN = 10


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


def state_lines(
    state: PoolState,
    *,
    attempts: Sequence[tuple[str, Progress]],
    waiting: Sequence[JobRecord],
    now: float,
) -> Iterator[str]:
    """How the run stands, for those who ask.

    Args:
        state: of the pool.
        attempts: those going on, by name of the worker.
        waiting: jobs that wait for their next attempt.
        now: monotonic seconds.
    """
    yield f"state: {state}"
    for name, progress in attempts:
        age = now - progress.began
        rate = format_size(progress.received / age) if age > 0 else "0 B"
        yield (
            f"{name}: {progress.job.shown_url}: {progress.phase.value},"
            f" {format_size(progress.received)} in {format_seconds(age)}, {rate}/s"
        )
    retries = sorted((record.due or now, record.job.job_id, record) for record in waiting)
    for due, _, record in retries[:MAX_RETRIES_SHOWN]:
        yield f"next retry in {format_seconds(max(0.0, due - now))}: {record.job.shown_url}"
    others = len(retries) - MAX_RETRIES_SHOWN
    if others > 0:
        yield f"and {others} more wait for a retry"


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
