"""A host, and its jobs that wait in the task queue. No locks, no clock."""

from __future__ import annotations

from collections import deque
from math import inf

from url_downloader.engine.host_gate import HostGate
from url_downloader.shared.models import DownloadJob

Jobs = DownloadJob | deque[DownloadJob] | None
"""Jobs in their order: none, one, or several. For many hosts a queue with one job would take
most of the memory: 760 bytes."""


class Host:
    """Jobs of an origin that wait, and the number of its attempts that run.

    Args:
        name: Origin of the host, as text.
        gate: Limits of the user for the host; None without any. Later also its troubles.

    Attributes:
        listed: Waiting jobs that are not retries.
        retries: Waiting jobs that are retries.
        running: Number of running attempts.
        good_replies: Number of replies that asked for no pause; at most as many as are needed
            to judge the host.
        is_ready: Whether a job may be started, but for the share of the host.
        is_active: Whether the host is ready or has a running attempt.
        timer: Monotonic time at which the gate is looked at again; infinite if that is not
            planned.
    """

    __slots__ = (
        *("gate", "good_replies", "has_answered", "is_active", "is_ready", "listed", "name"),
        *("retries", "running", "timer"),
    )

    def __init__(self, name: str, gate: HostGate | None) -> None:
        self.name = name
        self.gate = gate
        self.listed: Jobs = None
        self.retries: Jobs = None
        self.running = 0
        self.has_answered = False
        self.good_replies = 0
        self.is_ready = False
        self.is_active = True
        self.timer = inf

    @property
    def waiting(self) -> int:
        """Return the number of waiting jobs."""
        return _count(self.listed) + _count(self.retries)

    def take(self) -> tuple[DownloadJob, bool]:
        """Remove the next job; return it, and whether it is a retry.

        Retries come first. A probe takes a job that was not tried, which loses less.
        """
        if self.retries and not (self.listed and self.gate and self.gate.awaits_probe):
            job, self.retries = _without_first(self.retries)
            return job, True
        assert self.listed
        job, self.listed = _without_first(self.listed)
        return job, False


def with_last(jobs: Jobs, job: DownloadJob) -> Jobs:
    """Return the jobs and, after them, one more."""
    if jobs is None:
        return job
    if not isinstance(jobs, deque):
        return deque((jobs, job))
    jobs.append(job)
    return jobs


def _without_first(jobs: DownloadJob | deque[DownloadJob]) -> tuple[DownloadJob, Jobs]:
    """Return the first job, and the others."""
    if not isinstance(jobs, deque):
        return jobs, None
    job = jobs.popleft()
    return job, jobs or None


def _count(jobs: Jobs) -> int:
    if jobs is None:
        return 0
    return len(jobs) if isinstance(jobs, deque) else 1
