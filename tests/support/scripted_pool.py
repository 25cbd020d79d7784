"""A pool with real threads, whose attempts follow a script instead of network and disk."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from unittest import mock

from url_downloader.config.host_settings import HostSettings
from url_downloader.config.settings import PoolSettings, RetrySettings, Settings
from url_downloader.engine.pool import JobPool
from url_downloader.engine.run_summary import RunSummary
from url_downloader.engine.worker import Clock
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.models import (
    DownloadJob,
    EventListener,
    JobEvent,
    JobResult,
    JobStatus,
)
from url_downloader.shared.run_controls import RunContext, RunControls

PATIENT = 60.0
"""Seconds that no passing test waits."""
FOUR_WORKERS = PoolSettings(max_workers=4, queue_size=10)
NO_DELAY = RetrySettings(delay=0.0)
USUAL_HOSTS = HostSettings()
Script = Callable[[DownloadJob, int], JobResult]
"""Function that returns the result of an attempt, from the job and the attempt's number."""


class ScriptedPool:
    """A pool whose workers all have this object as their downloader.

    Args:
        script: Script of the attempts.
        pool: Settings of the pool.
        retry: Settings of retries.
        hosts: Settings of the hosts.
        listeners: Listeners of the run.
        should_stop: Function that tells whether to stop; by default the method of this name.
        more: Other arguments of JobPool.

    Attributes:
        job_pool: The pool.
        attempts: IDs of the attempts' jobs, in order.
        workers: Names of the workers' threads, in the order in which they began.
        threads_at_close: Names of the threads that ran when a downloader was last closed.

    Threads: the script runs in the workers' threads; `attempts` may be read in any thread.
    """

    def __init__(
        self,
        script: Script,
        *,
        pool: PoolSettings = FOUR_WORKERS,
        retry: RetrySettings = NO_DELAY,
        hosts: HostSettings = USUAL_HOSTS,
        listeners: Sequence[EventListener] = (),
        should_stop: Callable[[], bool] | None = None,
        **more: Any,
    ) -> None:
        self.attempts: list[int] = []
        self.workers: list[str] = []
        self.threads_at_close = ""
        self._script = script
        self._controls: dict[int, AttemptControl] = {}
        self._attempts_by_job: Counter[int] = Counter()
        self._permits: list[None] = []
        with mock.patch.object(threading, "Semaphore", counted_semaphore(self._permits)):
            self.job_pool = JobPool(
                Settings(retry=retry, pool=pool, hosts=hosts),
                listeners=[*listeners, self.on_event],
                context=RunContext(controls=RunControls(should_stop or self.should_stop)),
                factory=self,
                **({"clock": Clock(jitter=self.jitter)} | more),
            )

    @property
    def permits(self) -> int:
        """Return the number of permits that the registry has released for ended jobs."""
        return len(self._permits)

    def run(self, jobs: Iterable[DownloadJob | None]) -> RunSummary:
        """Run the pool; return the summary, in which no job still runs and all are counted."""
        summary = self.job_pool.run(jobs)
        assert summary.counts[JobStatus.RUNNING] == 0
        assert summary.metrics.in_flight == 0
        assert sum(summary.counts.values()) == len(self.job_pool.registry.snapshot())
        return summary

    def on_event(self, event: JobEvent) -> None:
        pass

    def should_stop(self) -> bool:
        return False

    def jitter(self, low: float, high: float) -> float:
        return low

    def make_downloader(self, control: AttemptControl) -> ScriptedPool:
        self.workers.append(threading.current_thread().name)
        self._controls[threading.get_ident()] = control
        return self

    def is_reachable(self) -> bool:
        return True

    def attempt(self, job: DownloadJob) -> JobResult:
        self.attempts.append(job.job_id)
        self._attempts_by_job[job.job_id] += 1
        return self._script(job, self._attempts_by_job[job.job_id])

    def control(self) -> AttemptControl:
        """Return the control of the present thread, which is a worker's."""
        return self._controls[threading.get_ident()]

    def wait_for_abort(self) -> None:
        """Wait in a worker's thread, as for a silent server, until the attempt is aborted."""
        control = self.control()
        near, far = socket.socketpair()
        with near, far:
            near.settimeout(PATIENT)
            control.hold(near)
            assert near.recv(1) == b""
            control.release()

    def close(self) -> None:
        self.threads_at_close = thread_names()


def counted_semaphore(permits: list[None]) -> type[threading.Semaphore]:
    """Return a class of semaphores that add an item to `permits` for each released permit."""

    class CountedSemaphore(threading.Semaphore):
        def release(self, n: int = 1) -> None:
            permits.extend([None] * n)
            super().release(n)

    return CountedSemaphore


def thread_names() -> str:
    """Return the names of the threads that run, separated by spaces."""
    return " ".join(thread.name for thread in threading.enumerate())


def ended_jobs(summary: RunSummary) -> int:
    """Return the number of jobs that have succeeded or failed."""
    return summary.counts[JobStatus.SUCCESS] + summary.counts[JobStatus.FAILED]


def raise_bug(*_: object, **__: object) -> JobResult:
    """Raise an error that only a bug raises."""
    raise RuntimeError("boom")
