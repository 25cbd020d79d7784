"""A host queue in virtual time: its waits take no time, and have what happens meanwhile."""

from __future__ import annotations

import math
import queue
from collections.abc import Callable
from typing import Any

from tests.support.hosts import POLICY, job_of
from url_downloader.engine.host_policy import HostPolicy
from url_downloader.engine.host_queue import HostQueue

Act = Callable[[], object]


class VirtualQueue:
    """A host queue without threads, and a script of what happens while a call waits.

    A call that waits runs the acts of the script, one after the other, until one of them
    notifies it or its time is over. An act may itself make a call that waits.

    Args:
        workers: Number of workers.
        look_ahead: Look-ahead of the queue.
        queue_size: Size of the queue.
        policy: Rules for hosts.

    Attributes:
        clock: Time in seconds.
        waits: Timeout of each wait of a worker.
        producer_calls: Number of times that the producer was notified.
    """

    def __init__(
        self,
        workers: int,
        *,
        look_ahead: int = 100,
        queue_size: int = 10,
        policy: HostPolicy = POLICY,
    ) -> None:
        self.clock = 0.0
        self.waits: list[float | None] = []
        self.producer_calls = 0
        self._script: list[tuple[float, Act]] = []
        self._calls = 0
        self.queue = HostQueue(
            queue_size,
            look_ahead=look_ahead,
            workers=workers,
            policy=policy,
            now=lambda: self.clock,
        )
        not_empty: Any = self.queue.not_empty
        not_empty.wait, not_empty.notify = self._wait, self._notify
        not_full: Any = self.queue.not_full
        not_full.notify = self._notify_producer

    def at(self, time: float, act: Act) -> None:
        """Have the act happen at this time, or at the first wait after it."""
        self._script.append((time, act))
        self._script.sort(key=lambda each: each[0])

    def put(self, hosts: str) -> None:
        """Put a job of each of these hosts."""
        for host in hosts:
            self.queue.put_nowait(job_of(host))

    def know_hosts(self) -> None:
        """End the priming by many lines of a host that is forgotten then."""
        for _ in range(256):
            self.put("z")
            assert self.take() == "z"
            self.done("z")
        self.clock += 2.0

    def since(self, time: float) -> float:
        """Return the seconds that have passed since a time, to the microsecond."""
        return round(self.clock - time, 6)

    def take(self) -> str:
        """Take the jobs that can be taken at once, but at most one; return its host or ''."""
        try:
            job = self.queue.get_nowait()
        except queue.Empty:
            return ""
        return "None" if job is None else job.url[7]

    def take_all(self) -> str:
        """Take jobs until none can be taken at once; return their hosts."""
        hosts = ""
        while host := self.take():
            hosts += host
        return hosts

    def wait(self, timeout: float | None = None) -> str:
        """Take a job as an idle worker; return its host, or '' if none came in time."""
        try:
            job = self.queue.get(timeout=timeout)
        except queue.Empty:
            return ""
        return "None" if job is None else job.url[7]

    def done(self, hosts: str) -> None:
        """Note the end of an attempt for a job of each of these hosts."""
        for host in hosts:
            self.queue.done(job_of(host))

    def _notify(self) -> None:
        self._calls += 1

    def _notify_producer(self) -> None:
        self.producer_calls += 1

    def _wait(self, timeout: float | None) -> bool:
        self.waits.append(timeout)
        end = math.inf if timeout is None else self.clock + timeout
        while not self._calls:
            if not self._script or self._script[0][0] > end:
                assert end < math.inf, "the worker sleeps for ever"
                self.clock = end
                return False
            time, act = self._script.pop(0)
            self.clock = max(self.clock, time)
            self.queue.mutex.release()
            act()
            self.queue.mutex.acquire()
        self._calls = 0
        return True
