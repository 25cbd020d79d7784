"""The retry scheduler, called step by step: due times, their order, and no lost wake-up."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import NoReturn

import pytest

from tests.support.hosts import POLICY
from tests.support.jobs import make_job
from url_downloader.engine import retry_scheduler
from url_downloader.engine.host_queue import HostQueue
from url_downloader.engine.retry_scheduler import (
    RetryEntry,
    RetryQueue,
    RetryScheduler,
)
from url_downloader.shared.models import DownloadJob


class StepEvent(threading.Event):
    """An event that never waits, and notes for each wait its state and its timeout."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[tuple[bool, float | None]] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append((self.is_set(), timeout))
        return self.is_set()


class SchedulerBench:
    """A scheduler whose thread is not started, with its queues and a clock."""

    def __init__(self) -> None:
        self.clock = 100.0
        self.on_look: Callable[[], object] = lambda: None
        self.crashes: list[BaseException] = []
        self.tasks = HostQueue(1, look_ahead=0, workers=1, policy=POLICY)
        self.retries: RetryQueue = queue.PriorityQueue()
        self.scheduler = RetryScheduler(
            retries=self.retries,
            tasks=self.tasks,
            now=self._now,
            on_crash=self.crashes.append,
        )

    def schedule(self, *dues: float) -> None:
        """Schedule the jobs 1, 2, 3 ... at these times."""
        for job_id, due in enumerate(dues, start=1):
            self.scheduler.schedule(make_job(job_id), due)

    def released(self) -> list[int]:
        """Return the ids of the jobs that came back since the last call."""
        taken = []
        for _ in range(self.tasks.parked()):
            job = self.tasks.get_nowait()
            assert job is not None
            taken.append(job.job_id)
        return taken

    def _now(self) -> float:
        self.on_look()
        return self.clock


@pytest.fixture
def wake(monkeypatch: pytest.MonkeyPatch) -> StepEvent:
    """Return the event that the scheduler waits on; its waits return at once."""
    event = StepEvent()
    monkeypatch.setattr(retry_scheduler, "threading", SimpleNamespace(Event=lambda: event))
    return event


@pytest.mark.parametrize(
    ("dues", "released", "remaining"),
    [
        ([], [], None),
        ([100.5], [], 0.5),
        ([100.0], [1], None),  # due now is due
        ([99.0], [1], None),
        ([103.0, 101.0, 102.0], [], 1.0),
        ([100.0, 98.0, 99.0], [2, 3, 1], None),
        ([99.0, 107.25, 98.0], [3, 1], 7.25),
        ([50.0, 50.0, 50.0], [1, 2, 3], None),  # the same time: in order of arrival
    ],
)
def test_what_is_due_is_released(
    dues: list[float], released: list[int], remaining: float | None
) -> None:
    """Due jobs come back by due time, then by arrival; the return value is the time left."""
    bench = SchedulerBench()
    bench.schedule(*dues)
    assert bench.scheduler.release_due() == remaining
    assert bench.released() == released
    assert bench.retries.qsize() == len(dues) - len(released)


def test_each_job_comes_at_its_time() -> None:
    """As the clock advances, each job comes back once, at its due time and not before."""
    bench = SchedulerBench()
    dues = [100.0 + n for n in range(1, 40)]
    shuffled = random.Random(1).sample(dues, len(dues))
    bench.schedule(*shuffled)
    for due in dues:
        bench.clock = due - 0.001
        bench.scheduler.release_due()
        assert bench.released() == []
        bench.clock = due
        bench.scheduler.release_due()
        assert [shuffled[job_id - 1] for job_id in bench.released()] == [due]


class Incomparable(DownloadJob):
    """A job that raises when it is compared."""

    def __eq__(self, other: object) -> NoReturn:
        raise AssertionError("compared")

    __lt__ = __gt__ = __le__ = __ge__ = __eq__
    __hash__ = None  # type: ignore[assignment]


def test_jobs_are_never_compared() -> None:
    """Entries are ordered by due time and arrival alone, also where both are equal."""
    jobs = [
        Incomparable(job_id=n, url="http://h/", output="f", max_retries=1) for n in range(2)
    ]
    one, other = (RetryEntry(1.0, 0, each) for each in jobs)
    assert one == other
    assert not one < other
    assert RetryEntry(1.0, 1, jobs[0]) > other
    assert RetryEntry(0.5, 9, jobs[0]) < other


@pytest.mark.parametrize(
    ("dues", "sleep"), [([], None), ([160.0, 130.0], 30.0), ([90.0], None)]
)
def test_a_turn_sleeps_until_the_next_is_due(
    dues: list[float], sleep: float | None, wake: StepEvent
) -> None:
    """A turn waits until the next job is due, or without a timeout where no job waits."""
    bench = SchedulerBench()
    bench.schedule(*dues)
    assert bench.scheduler.run_once()
    assert wake.waits == [(False, sleep)]


@pytest.mark.parametrize("due", [90.0, 110.0, 500.0])
def test_a_wake_up_is_never_lost(due: float, wake: StepEvent) -> None:
    """A job that is scheduled after the look and before the wait ends that wait at once."""
    bench = SchedulerBench()

    def schedule_once() -> None:
        bench.on_look = lambda: None
        bench.scheduler.schedule(make_job(2), due)

    bench.schedule(200.0)
    bench.on_look = schedule_once
    bench.scheduler.run_once()
    assert wake.waits == [(True, 100.0)]
    bench.clock = due
    bench.scheduler.run_once()
    assert 2 in bench.released()


def test_the_scheduled_job_is_there_when_the_wake_up_comes(wake: StepEvent) -> None:
    """The job is in the queue before the scheduler is woken."""
    bench = SchedulerBench()
    found: list[int] = []
    original = wake.set

    def look_at_once() -> None:
        found.append(bench.retries.qsize())
        original()

    wake.set = look_at_once  # type: ignore[method-assign]
    bench.schedule(100.0)
    assert found == [1]


def test_a_stop_during_the_look_is_not_slept_over(wake: StepEvent) -> None:
    """A scheduler that is stopped between look and wait ends without waiting."""
    bench = SchedulerBench()
    bench.schedule(200.0)
    bench.on_look = bench.scheduler.stop
    bench.scheduler.run()
    assert all(was_set for was_set, _ in wake.waits)
    assert bench.crashes == []


def test_a_stopped_scheduler_releases_nothing(wake: StepEvent) -> None:
    """After stop() no job comes back, not even a due one; stop() may be called twice."""
    bench = SchedulerBench()
    bench.schedule(90.0, 95.0)
    bench.scheduler.stop()
    bench.scheduler.stop()
    bench.scheduler.run()
    assert (bench.released(), wake.waits) == ([], [])


def test_a_full_queue_is_no_obstacle() -> None:
    """Due jobs come back at once, even if the task queue is full."""
    bench = SchedulerBench()
    bench.tasks.put_nowait(make_job(100))
    with pytest.raises(queue.Full):
        bench.tasks.put_nowait(make_job(101))
    bench.schedule(99.0, 98.0)
    assert bench.scheduler.release_due() is None
    assert bench.released() == [2, 1]
