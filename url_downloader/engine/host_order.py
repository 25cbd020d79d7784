"""Order in which the waiting jobs of many hosts are started. No locks, no clock.

A host is an origin: scheme, host name and port. The next job is one of the host with the fewest
running attempts; hosts that are equal in this take turns. Among a host's jobs, retries come
first, then the others in the order of the list.

Hosts with waiting jobs stand in levels, one for each number of running attempts. So the next
host is found without a search over all hosts. A level exists only while a host stands in it.
There are few levels, because their numbers add up to no more than the running attempts: at most
46 with 1,024 workers.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque

from url_downloader.shared.models import DownloadJob
from url_downloader.shared.url_parts import origin_text

REST_SECONDS = 1.0
"""Seconds for which a host without any job stays active: its next job may come soon."""

Jobs = DownloadJob | deque[DownloadJob] | None
"""Jobs in their order: none, one, or several. For many hosts a queue with one job would take
most of the memory: 760 bytes."""


class Host:
    """Jobs of an origin: those that wait, and the number of those that run.

    Args:
        name: Name of the host in its HostOrder.
    """

    __slots__ = ("listed", "name", "retries", "running")

    def __init__(self, name: str) -> None:
        self.name = name
        self.listed: Jobs = None
        self.retries: Jobs = None
        self.running = 0


class HostOrder:
    """Waiting jobs by host, in the order in which they are started.

    Args:
        is_by_host: Whether hosts are told apart; if not, all jobs are those of one host.

    Attributes:
        listed: Number of the waiting jobs that are not retries.
        retries: Number of the waiting jobs that are retries.

    Threads: one at a time; HostQueue calls all methods under its lock.
    """

    def __init__(self, *, is_by_host: bool) -> None:
        self.listed = 0
        self.retries = 0
        self._is_by_host = is_by_host
        self._hosts: dict[str, Host] = {}
        # Ordered dictionaries: to find the first entry of a dict after deletions is slow.
        self._levels: defaultdict[int, OrderedDict[Host, None]] = defaultdict(OrderedDict)
        self._resting: OrderedDict[Host, float] = OrderedDict()

    def add(self, job: DownloadJob) -> None:
        """Add a job of the list."""
        host = self._host_in_level(job)
        host.listed = _with_last(host.listed, job)
        self.listed += 1

    def add_retry(self, job: DownloadJob) -> None:
        """Add a job whose retry is due."""
        host = self._host_in_level(job)
        host.retries = _with_last(host.retries, job)
        self.retries += 1

    def first(self) -> Host | None:
        """Return the host whose turn it is; None if no job waits."""
        levels = self._levels
        return next(iter(levels[min(levels)])) if levels else None

    def start(self, host: Host) -> DownloadJob:
        """Remove the first waiting job of a host, count it as running, and return it."""
        self._leave_level(host)
        if host.retries:
            job, host.retries = _without_first(host.retries)
            self.retries -= 1
        else:
            assert host.listed
            job, host.listed = _without_first(host.listed)
            self.listed -= 1
        host.running += 1
        if host.listed or host.retries:
            self._levels[host.running][host] = None
        return job

    def done(self, job: DownloadJob, *, now: float) -> None:
        """Count a started job as running no more.

        Args:
            job: Job that was started.
            now: Monotonic time, seconds.
        """
        host = self._hosts[origin_text(job.url) if self._is_by_host else ""]
        if host.listed or host.retries:
            self._leave_level(host)
            host.running -= 1
            self._levels[host.running][host] = None
            return
        host.running -= 1
        if not host.running:
            self._forget_rested(now)
            self._resting[host] = now + REST_SECONDS

    def active(self, now: float) -> int:
        """Return the number of hosts that have a job, or had one until a second ago."""
        if self._resting:
            self._forget_rested(now)
        return len(self._hosts)

    def next_rest_end(self) -> float | None:
        """Return the time at which a host that has no job stops being active, or None."""
        return next(iter(self._resting.values()), None)

    def _host_in_level(self, job: DownloadJob) -> Host:
        """Return the host of a job that is being added, after it has entered its level."""
        name = origin_text(job.url) if self._is_by_host else ""
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = Host(name)
            self._levels[0][host] = None
        elif not (host.listed or host.retries):
            self._resting.pop(host, None)
            self._levels[host.running][host] = None
        return host

    def _leave_level(self, host: Host) -> None:
        level = self._levels[host.running]
        del level[host]
        if not level:
            del self._levels[host.running]

    def _forget_rested(self, now: float) -> None:
        while self._resting:
            host, end = next(iter(self._resting.items()))
            if end > now:
                return
            del self._resting[host], self._hosts[host.name]


def _with_last(jobs: Jobs, job: DownloadJob) -> Jobs:
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
