"""Idle workers: who wakes by itself, who is woken, and who may exceed a share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from url_downloader.engine.fair_share import IDLE_SECONDS
from url_downloader.engine.idle_workers import IdleWorkers


class IdleBench:
    """Idle workers of which each waits inside of the wait of the one before.

    Attributes:
        now: Time in seconds.
        free_at: Time from which a worker may take something.
        next_time: Time that the queue plans.
        timeouts: Timeout of each wait.
        notified: Number of workers that were woken.
        meanwhile: Acts that happen in the next waits, in order.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.free_at = self.next_time = inf
        self.timeouts: list[float | None] = []
        self.notified = 0
        self.meanwhile: list[Callable[[], object]] = []
        condition: Any = threading.Condition()
        condition.wait, condition.notify = self._wait, self._notify
        self.workers = IdleWorkers(
            condition,
            may_take=lambda now: now >= self.free_at,
            next_time=lambda _: self.next_time,
            now=lambda: self.now,
        )

    def wait(self, end: float = inf, *, exceeds_share: bool = False) -> bool:
        """Wait as a worker, and leave."""
        may_take = self.workers.wait(end)
        self.workers.leave(exceeds_share=exceeds_share)
        return may_take

    def free(self, now: float) -> None:
        """Have something be there at a time."""
        self.now = self.free_at = now

    def _notify(self) -> None:
        self.notified += 1

    def _wait(self, timeout: float | None) -> None:
        self.timeouts.append(timeout)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        else:
            assert timeout is not None
            self.now += timeout


def test_nothing_to_wait_for() -> None:
    """A worker that may take something does not wait, and nobody else is woken."""
    bench = IdleBench()
    bench.free_at = 0.0
    assert bench.wait()
    bench.workers.wake()
    assert (bench.timeouts, bench.notified) == ([], 0)


@pytest.mark.parametrize(
    ("next_time", "end", "timeout", "may_take"),
    [(3.0, inf, 3.0, True), (3.0, 2.0, 2.0, False), (3.0, 3.0, 3.0, True)],
)
def test_a_worker_wakes_by_itself(
    next_time: float, end: float, timeout: float, may_take: bool
) -> None:
    """It sleeps up to the next time or up to its own end, whichever comes first."""
    bench = IdleBench()
    bench.next_time = bench.free_at = next_time
    assert bench.wait(end) is may_take
    assert bench.timeouts == [timeout]


def test_one_worker_keeps_the_time() -> None:
    """The second one that waits sleeps until it is told, or until its own end."""
    bench = IdleBench()
    bench.next_time = bench.free_at = 3.0
    bench.meanwhile = [lambda: bench.wait(1.0)]
    assert bench.wait()
    assert bench.timeouts == [3.0, 1.0, 2.0]


def test_an_earlier_time_is_kept_by_the_next_worker() -> None:
    """A worker that begins to wait later takes the time over if it has become earlier."""
    bench = IdleBench()
    bench.next_time, ends = 9.0, []

    def second() -> None:
        bench.next_time = bench.free_at = 4.0
        ends.append((bench.wait(), bench.now))

    bench.meanwhile = [second]
    assert bench.wait()
    assert (ends, bench.timeouts) == ([(True, 4.0)], [9.0, 4.0])


@pytest.mark.parametrize(
    ("next_time", "free_at", "notified"),
    [(9.0, inf, 0), (8.0, inf, 1), (inf, inf, 0), (9.0, 0.0, 1)],
)
def test_a_call_wakes_only_if_it_changes_something(
    next_time: float, free_at: float, notified: int
) -> None:
    """A worker is woken if it may take something, or must wake earlier than it has planned."""
    bench = IdleBench()
    bench.next_time = 9.0

    def change() -> None:
        bench.next_time, bench.free_at = next_time, free_at
        bench.workers.wake()
        bench.free(1.0)

    bench.meanwhile = [change]
    assert bench.wait()
    assert bench.notified == notified


def test_the_last_idle_worker_exceeds_no_share() -> None:
    """With two idle ones, it is 50 ms after the first one's begin; with one, never."""
    bench = IdleBench()
    seen = [bench.workers.exceed_at]

    def second() -> None:
        seen.append(bench.workers.exceed_at)
        bench.now = 1.0
        bench.meanwhile = [third]
        bench.wait()

    def third() -> None:
        seen.append(bench.workers.exceed_at)
        bench.free(2.0)

    bench.meanwhile = [second]
    assert bench.wait()
    assert seen == [inf, inf, IDLE_SECONDS]
    assert bench.workers.exceed_at == inf


@pytest.mark.parametrize(("exceeds_share", "left"), [(True, [2.0]), (False, [1.0])])
def test_the_oldest_worker_leaves_last(exceeds_share: bool, left: list[float]) -> None:
    """A job within its share takes the youngest worker; one above it takes the oldest."""
    bench = IdleBench()
    bench.workers.since.extend([1.0, 2.0])
    bench.workers.leave(exceeds_share=exceeds_share)
    assert list(bench.workers.since) == left
