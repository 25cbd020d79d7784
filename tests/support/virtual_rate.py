"""A rate limit on virtual time: waits take no time, and workers read in the order of theirs."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import NamedTuple

from url_downloader.network.rate_limit import RateLimiter, RateSchedule
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError


class VirtualClock:
    """Clock that only waits move on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class VirtualControl(AttemptControl):
    """Control whose waits for the rate limit move a clock on.

    Args:
        clock: Clock of the test.
        on_wait: Called in each wait, halfway.

    Attributes:
        waits: Seconds of each wait.
    """

    def __init__(self, clock: VirtualClock, on_wait: Callable[[], None] = lambda: None) -> None:
        super().__init__(now=clock)
        self._clock = clock
        self._on_wait = on_wait
        self.waits: list[float] = []

    def throttle(self, seconds: float) -> AttemptError | None:
        self.waits.append(seconds)
        self._clock.now += seconds / 2
        self._on_wait()
        # So that a rounded half of nearly nothing moves it on, too.
        self._clock.now += seconds / 2 + 1e-9
        return self.failure()


class VirtualLimit:
    """Rate limiter with a clock and a switch that the test sets.

    Args:
        rate: Bytes per second.
        workers: Number of workers.

    Attributes:
        clock: Clock of the limiter.
        is_wanted: Whether the limit is switched on.
        limiter: The limiter.
    """

    def __init__(self, rate: float, *, workers: int = 4) -> None:
        self.clock = VirtualClock()
        self.is_wanted = True
        self.limiter = RateLimiter(
            rate, workers=workers, is_wanted=lambda: self.is_wanted, now=self.clock
        )

    def admit(self, count: int, control: AttemptControl | None = None) -> float:
        """Wait until so many bytes may be read; return the seconds that it took."""
        began = self.clock.now
        self.limiter.admit(count, control=control or VirtualControl(self.clock))
        return self.clock.now - began


class Read(NamedTuple):
    """A read of one of several workers.

    Args:
        due: Seconds since the start at which it was due.
        worker: Number of the worker.
        size: Number of bytes.
    """

    due: float
    worker: int
    size: int


def shared_reads(
    schedule: RateSchedule, sizes: Sequence[int], *, seconds: float, pause: float = 0.0
) -> list[Read]:
    """Return the reads of workers that share a schedule, in order.

    Args:
        schedule: Schedule of the reads.
        sizes: Bytes of each read of each worker.
        seconds: Time after which no worker reads any more.
        pause: Seconds between a read and the next one of the same worker.
    """
    reads: list[Read] = []
    ready = [(0.0, worker) for worker in range(len(sizes))]
    while ready:
        now, worker = heapq.heappop(ready)
        size = sizes[worker]
        read = Read(max(now, schedule.add(size, now)), worker, size)
        if read.due < seconds:
            reads.append(read)
            heapq.heappush(ready, (read.due + pause, worker))
    return sorted(reads)
