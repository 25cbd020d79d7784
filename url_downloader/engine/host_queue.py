"""Task queue of a run: a bounded queue that shares the workers fairly between hosts.

The producer puts the jobs of the list with `put`, which blocks while the queue is full. The
retry scheduler puts due retries with `put_retry`, which never blocks. A worker takes a job with
`get`, and calls `done` after its attempt. `host_order` decides the order of the hosts.

The queue holds `queue_size` jobs of the list and, before these, a look-ahead of many more. The
look-ahead shows which hosts have jobs: with ten jobs in view, a slow host that has the first
lines of the list would look like the only one, and get all workers. `fair_share` says how many
a host may have; `host_gate` limits the attempts of a host that asks for it or is in trouble.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from math import inf

from url_downloader.engine.fair_share import IDLE_SECONDS, FairShare
from url_downloader.engine.host import Host
from url_downloader.engine.host_news import log_news
from url_downloader.engine.host_order import HostOrder
from url_downloader.engine.host_policy import HostPolicy
from url_downloader.engine.host_troubles import MAX_STATES, HostTroubles
from url_downloader.engine.idle_workers import IdleWorkers
from url_downloader.shared.models import DownloadJob, JobResult

WAKE_DIVISOR = 8
"""Part of the look-ahead, an eighth, that must be free before a blocked producer goes on: it
then puts many jobs at once. It needs less room while a worker is idle."""
MAX_RETRIES = 100_000
"""Jobs that wait for a retry, or may do so soon, at which the producer waits; about 100 MB."""
NETWORK_PROBE = 5.0
"""Seconds between two attempts while the network is gone."""


class HostQueue(queue.Queue[DownloadJob | None]):
    """Bounded queue of the jobs that are ready for an attempt.

    None is an end marker for one worker. `qsize` is the number of jobs beyond the look-ahead,
    for which the bound holds.

    Args:
        queue_size: Largest number of jobs beyond the look-ahead.
        look_ahead: Number of jobs of the look-ahead; 0 = hosts are not told apart.
        workers: Number of workers that take jobs.
        policy: Rules for the troubles and limits of hosts; it has no effect without a
            look-ahead.
        now: Monotonic clock, seconds.

    Attributes:
        refusals: Results of taken jobs that fail at once, by number; their workers remove them.

    Threads: all methods from any thread.
    """

    def __init__(
        self,
        queue_size: int,
        *,
        look_ahead: int,
        workers: int,
        policy: HostPolicy,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(queue_size)
        self._look_ahead = look_ahead
        self._capacity, self._now = look_ahead + queue_size, now
        # The lock of queue.Queue, `mutex`, guards all fields below.
        self._order = HostOrder(policy if look_ahead else None)
        self.refusals = self._order.refusals
        self._share = FairShare(workers)
        self._end_markers = 0
        # Jobs that were taken and wait for a retry elsewhere.
        self._scheduled = 0
        # Time of the next attempt while the network is gone; None while it is there.
        self._network_probe: float | None = None
        self._idle = IdleWorkers(
            self.not_empty, may_take=self._may_take, next_time=self._next_time, now=now
        )

    def put(
        self, item: DownloadJob | None, block: bool = True, timeout: float | None = None
    ) -> None:
        """Add a job of the list, or an end marker. An end marker never blocks and comes first.

        Args:
            item: Job, or None as an end marker.
            block: Whether to wait while the queue is full.
            timeout: Longest time to wait, in seconds; None = no limit.

        Raises:
            queue.Full: There was no room in time.
        """
        with self.mutex:
            if item is None:
                self._end_markers += 1
            else:
                if not self._has_room():
                    self._wait_for_room(timeout if block else 0.0)
                self._share.is_blocked = False
                self._order.now = self._now()
                if not self._share.knows_hosts:
                    self._share.count_line(self._order.now)
                self._order.add(item)
            if self._idle.since:
                self._idle.wake()

    def put_retry(self, job: DownloadJob) -> None:
        """Add a job whose retry is due. Never blocks."""
        with self.mutex:
            self._present().add_retry(job)
            self._scheduled = max(0, self._scheduled - 1)
            self._idle.wake()

    def note_end_of_list(self) -> None:
        """Note that no more jobs of the list will come."""
        with self.mutex:
            self._share.is_list_read = True
            self._idle.wake()

    def get(self, block: bool = True, timeout: float | None = None) -> DownloadJob | None:
        """Take the next job, or an end marker.

        Args:
            block: Whether to wait for a job.
            timeout: Longest time to wait, in seconds; None = no limit.

        Raises:
            queue.Empty: No job could be started in time.
        """
        end = inf if timeout is None else self._now() + timeout
        with self.mutex:
            job = None
            while not self._end_markers and job is None:
                host = self._host_at_once(self._now())
                if host is None and not block:
                    raise queue.Empty
                host = host or self._wait_for_host(end)
                job = None if host is None else self._start(host)
            if job is None:
                self._end_markers -= 1
            if self._idle.since:
                self._idle.wake()
            return job

    def done(self, job: DownloadJob, result: JobResult | None = None) -> None:
        """Note that a worker makes no more attempt of a job that it took.

        Args:
            job: The job.
            result: Result of the attempt; None if there was none.
        """
        with self.mutex:
            self._order.now = self._now()
            self._order.done(job, result)
            if self._idle.since:
                self._idle.wake()
        if self._order.news:
            self._log_news()

    def expect_retry(self) -> None:
        """Note that a job which was taken will be put back with `put_retry`."""
        with self.mutex:
            self._scheduled += 1

    def visit(self, job: DownloadJob, host: str | None) -> JobResult | None:
        """Count one more request of an attempt; return a result if it must end at once instead.

        Args:
            job: Job of the attempt.
            host: Origin of the host, as text; None for that of the job's URL.
        """
        with self.mutex:
            return self._present().visit(job, host)

    @property
    def awaits_replies(self) -> bool:
        """Tell whether `note_reply` has an effect. Takes no lock."""
        return bool(self._order.troubled)

    def note_reply(self, job: DownloadJob, host: str | None, *, status: int) -> None:
        """Note the head of a reply, whose body may still come; see `visit`."""
        with self.mutex:
            self._present().note_reply(job, host, status=status)
            self._idle.wake()
        self._log_news()

    def suspend(self) -> None:
        """Start no more attempts, except a probe now and then: the network is gone."""
        with self.mutex:
            self._network_probe = self._now() + NETWORK_PROBE

    def resume(self) -> None:
        """Start attempts again."""
        with self.mutex:
            self._network_probe = None
            self._idle.wake()

    def parked(self) -> int:
        """Return the number of waiting jobs that `qsize` leaves out: look-ahead and retries."""
        with self.mutex:
            return self._order.listed + self._order.retries - self._qsize()

    def host_troubles(self, most: int | None = MAX_STATES) -> HostTroubles:
        """Return the hosts in trouble, with the states of at most so many; None = of all."""
        with self.mutex:
            return self._present().troubles(most)

    def _present(self) -> HostOrder:
        """Return the order, which knows the time of this call."""
        self._order.now = self._now()
        return self._order

    def _qsize(self) -> int:
        return max(0, self._order.listed - self._look_ahead)

    def _has_room(self) -> bool:
        retries = self._order.retries + self._scheduled
        return retries < MAX_RETRIES and self._order.listed < self._capacity

    def _wait_for_room(self, timeout: float | None) -> None:
        self._share.is_blocked = self._share.knows_hosts = True
        self._idle.wake()
        if not self.not_full.wait_for(self._has_room, timeout):
            raise queue.Full

    def _start(self, host: Host) -> DownloadJob | None:
        """Start the next job of a host; see `HostOrder.start`."""
        if self._network_probe is not None:
            self._network_probe = self._order.now + NETWORK_PROBE
        job = self._order.start(host)
        if self._share.is_blocked:
            self._wake_producer(self._look_ahead // WAKE_DIVISOR)
        return job

    def _first(self, now: float) -> Host | None:
        """Return the host whose turn it is; None if no job may be started."""
        if self._network_probe is not None and now < self._network_probe:
            return None
        self._order.now = now
        return self._order.first()

    def _host_at_once(self, now: float) -> Host | None:
        """Return the host whose next job may start now; None if there is none."""
        host = self._first(now)
        if host is None or not host.running or self._share.is_lifted or not self._look_ahead:
            return host
        in_all = host.running * self._order.active()
        return host if self._share.allows(in_all, now) else None

    def _may_take(self, now: float) -> bool:
        """Tell whether an idle worker may take an end marker or a job."""
        return bool(self._end_markers) or self._host_for_idle(now) is not None

    def _host_for_idle(self, now: float) -> Host | None:
        """Return the host whose next job an idle worker may start; None if there is none."""
        host = self._host_at_once(now)
        if host is None and now >= self._idle.exceed_at:
            host = self._first(now)
        return host

    def _wait_for_host(self, end: float) -> Host | None:
        """Wait as an idle worker; return the host to take a job from, or None at an end marker.

        Raises:
            queue.Empty: No job could be started before `end`.
        """
        if self._share.is_blocked:
            self._wake_producer(0)  # None of the jobs in view may start.
        may_take, now = self._idle.wait(end), self._now()
        host = None if self._end_markers else self._host_for_idle(now)
        exceeds_share = host is not None and host is not self._host_at_once(now)
        self._idle.leave(exceeds_share=exceeds_share)
        if not may_take:
            self._idle.wake()
            raise queue.Empty
        return host

    def _next_time(self, now: float) -> float:
        """Return the next time at which a job may start without any call; infinite if none."""
        # First, because it removes the times that have come.
        host = self._present().first()
        opens_at, rest_end = self._order.next_change()
        if host is not None:
            # A rest ends later than needed, because many may end one after the other.
            rest_end = max(rest_end, now + IDLE_SECONDS)
            opens_at = min(opens_at, rest_end, self._idle.exceed_at, self._share.next_time())
        probe = self._network_probe or -inf
        return probe if host is not None and now < probe else max(opens_at, probe)

    def _wake_producer(self, free: int) -> None:
        if self._order.listed <= self._capacity - free and self._has_room():
            self.not_full.notify()

    def _log_news(self) -> None:
        with self.mutex:
            news, self._order.news = self._order.news, []
        log_news(news, self._now())
