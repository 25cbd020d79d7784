"""Task queue of a run: a bounded queue that shares the workers fairly between hosts.

The producer puts the jobs of the list with `put`, which blocks while the queue is full. The
retry scheduler puts due retries with `put_retry`, which never blocks. A worker takes a job with
`get`, and calls `done` after its attempt. `host_order` decides the order of the hosts.

The queue holds `queue_size` jobs of the list and, before these, a look-ahead of many more. The
look-ahead shows which hosts have jobs: with ten jobs in view, a slow host that has the first
lines of the list would look like the only one, and get all workers.

The fair share of a host is the number of workers, divided by the number of active hosts, and
rounded up. A host gets workers above its share only where this can't delay another host's job
that comes soon:

- The list was read to its end, or the look-ahead is full. No other host will come soon.
- A worker has been idle for 50 ms, and another one is idle, too.

At the start of a run the queue does not know the hosts yet. Until some lines were put, or no
line came for 50 ms, the share of each host is one worker.
"""

from __future__ import annotations

import math
import queue
import time
from collections import deque
from collections.abc import Callable

from url_downloader.engine.host_order import Host, HostOrder
from url_downloader.shared.models import DownloadJob

IDLE_SECONDS = 0.05
"""Seconds without work after which a worker may exceed a host's share, or without a line after
which the hosts count as known; far less than most downloads take."""
FIRST_LINES_PER_WORKER = 4
"""Lines for each worker after which the hosts count as known."""
MAX_FIRST_LINES = 256
"""Lines after which the hosts count as known, however many workers there are."""
WAKE_DIVISOR = 8
"""Part of the look-ahead, an eighth, that must be free before a blocked producer goes on.

The producer then puts many jobs at once, and does not change turns with workers for each."""


class HostQueue(queue.Queue[DownloadJob | None]):
    """Bounded queue of the jobs that are ready for an attempt.

    None is an end marker for one worker. `qsize` is the number of jobs beyond the look-ahead,
    for which the bound holds.

    Args:
        queue_size: Largest number of jobs beyond the look-ahead.
        look_ahead: Number of jobs of the look-ahead; 0 = hosts are not told apart.
        workers: Number of workers that take jobs.
        now: Monotonic clock, seconds.

    Threads: all methods from any thread.
    """

    def __init__(
        self,
        queue_size: int,
        *,
        look_ahead: int,
        workers: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(queue_size)
        self._look_ahead = look_ahead
        self._capacity = look_ahead + queue_size
        self._workers = workers
        self._now = now
        # The lock of queue.Queue, `mutex`, guards all fields below.
        self._order = HostOrder(is_by_host=look_ahead > 0)
        self._end_markers = 0
        self._is_blocked = False
        self._is_list_read = False
        self._first_lines = min(FIRST_LINES_PER_WORKER * workers, MAX_FIRST_LINES)
        self._last_line: float | None = None
        self._knows_hosts = False
        # Times at which the idle workers began to wait, oldest first.
        self._idle: deque[float] = deque()
        # Time at which one of the idle workers wakes by itself.
        self._wake_time = math.inf

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
                if self._order.listed >= self._capacity:
                    self._wait_for_room(timeout if block else 0.0)
                self._is_blocked = False
                if not self._knows_hosts:
                    self._count_line()
                self._order.add(item)
            self._wake_worker()

    def put_retry(self, job: DownloadJob) -> None:
        """Add a job whose retry is due. Never blocks."""
        with self.mutex:
            self._order.add_retry(job)
            self._wake_worker()

    def note_end_of_list(self) -> None:
        """Note that no more jobs of the list will come."""
        with self.mutex:
            self._is_list_read = True
            self._wake_worker()

    def get(self, block: bool = True, timeout: float | None = None) -> DownloadJob | None:
        """Take the next job, or an end marker.

        Args:
            block: Whether to wait for a job.
            timeout: Longest time to wait, in seconds; None = no limit.

        Raises:
            queue.Empty: No job could be started in time.
        """
        with self.mutex:
            host = self._host_at_once()
            if host is None and not self._end_markers:
                if not block:
                    raise queue.Empty
                host = self._wait_for_host(timeout)
            if self._end_markers:
                self._end_markers -= 1
                job = None
            else:
                assert host is not None
                job = self._order.start(host)
                if self._is_blocked:
                    self._wake_producer()
            self._wake_worker()
            return job

    def done(self, job: DownloadJob) -> None:
        """Note that a worker makes no more attempt of a job that it took."""
        with self.mutex:
            self._order.done(job, now=self._now())
            self._wake_worker()

    def parked(self) -> int:
        """Return the number of waiting jobs that `qsize` leaves out: look-ahead and retries."""
        with self.mutex:
            return self._order.listed + self._order.retries - self._qsize()

    def _qsize(self) -> int:
        return max(0, self._order.listed - self._look_ahead)

    def _wait_for_room(self, timeout: float | None) -> None:
        self._is_blocked = self._knows_hosts = True
        self._wake_worker()
        if not self.not_full.wait_for(lambda: self._order.listed < self._capacity, timeout):
            raise queue.Full

    def _count_line(self) -> None:
        """Note a line, and whether the hosts are known with it."""
        self._first_lines -= 1
        self._knows_hosts = not self._first_lines or self._is_line_late()
        self._last_line = self._now()

    def _is_line_late(self) -> bool:
        """Tell whether no line has come for so long that the hosts count as known."""
        return self._last_line is not None and self._now() >= self._last_line + IDLE_SECONDS

    def _host_at_once(self) -> Host | None:
        """Return the host whose next job may start now; None if there is none."""
        host = self._order.first()
        if host is not None and host.running and not self._may_share(host):
            return None
        return host

    def _may_share(self, host: Host) -> bool:
        """Tell whether the host may have one more worker, even one that was not idle."""
        if self._is_list_read or self._is_blocked or not self._look_ahead:
            return True
        self._knows_hosts = self._knows_hosts or self._is_line_late()
        # The same as to compare with the share, rounded up.
        in_all = host.running * self._order.active(self._now())
        return self._knows_hosts and in_all < self._workers

    def _host_for_idle(self) -> Host | None:
        """Return the host whose next job an idle worker may start; None if there is none."""
        host = self._host_at_once()
        if host is None and self._now() >= self._idle_time():
            host = self._order.first()
        return host

    def _idle_time(self) -> float:
        """Return the time from which an idle worker may exceed the share of a host."""
        return self._idle[0] + IDLE_SECONDS if len(self._idle) > 1 else math.inf

    def _wait_for_host(self, timeout: float | None) -> Host | None:
        """Wait as an idle worker; return the host to take a job from, or None at an end marker.

        Raises:
            queue.Empty: No job could be started in time.
        """
        end = math.inf if timeout is None else self._now() + timeout
        self._idle.append(self._now())
        while (host := self._host_for_idle()) is None and not self._end_markers:
            if self._now() >= end:
                break
            self._sleep(end)
        if host is not None and host is not self._host_at_once():
            self._idle.popleft()
        else:
            # Not the oldest: a stream of jobs within the shares would keep all workers young.
            self._idle.pop()
        if host is None and not self._end_markers:
            self._wake_worker()
            raise queue.Empty
        return host

    def _sleep(self, end: float) -> None:
        """Sleep until the worker is notified, or until `end`.

        One of the idle workers wakes at the next time at which a job may start.
        """
        next_time = self._next_time()
        if next_time >= self._wake_time:
            next_time = math.inf
        else:
            self._wake_time = next_time
        wake = min(next_time, end)
        self.not_empty.wait(None if wake == math.inf else max(0.0, wake - self._now()))
        if self._wake_time == next_time:
            self._wake_time = math.inf

    def _next_time(self) -> float:
        """Return the next time at which a job may start without any call; infinity if none."""
        if self._order.first() is None:
            return math.inf
        times = [self._idle_time()]
        if not self._knows_hosts and self._last_line is not None:
            times.append(self._last_line + IDLE_SECONDS)
        rest_end = self._order.next_rest_end()
        if rest_end is not None:
            # Later than needed, because many hosts may end their rest one after the other.
            times.append(max(rest_end, self._now() + IDLE_SECONDS))
        return min(times)

    def _wake_worker(self) -> None:
        """Wake an idle worker if a job may start, or if it must wake earlier than planned.

        A worker that takes a job calls this again, and so wakes the next one.
        """
        if not self._idle:
            return
        may_start = self._end_markers or self._host_for_idle() is not None
        if may_start or self._next_time() < self._wake_time:
            self.not_empty.notify()

    def _wake_producer(self) -> None:
        if self._capacity - self._order.listed >= self._look_ahead // WAKE_DIVISOR:
            self.not_full.notify()
