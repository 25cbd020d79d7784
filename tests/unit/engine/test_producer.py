"""The producer: its compute turns, the end of the list, and its wait for room on the queue."""

from __future__ import annotations

import itertools
import queue
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from tests.support.hosts import POLICY
from tests.support.jobs import make_job, make_jobs
from url_downloader.config.settings import RunSettings
from url_downloader.engine import producer
from url_downloader.engine.host_queue import HostQueue
from url_downloader.engine.producer import JOBS_PER_TURN, Producer, put_interruptibly
from url_downloader.engine.run_limits import RunLimits
from url_downloader.shared.compute_turn import ComputeTurn
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import DownloadJob


class CrowdedQueue(HostQueue):
    """A queue whose put raises Full at once where it would wait for room.

    Args:
        on_full: Function that is called with the number of each such put, from 1.
    """

    def __init__(self, on_full: Callable[[int], object]) -> None:
        super().__init__(1, look_ahead=0, workers=1, policy=POLICY)
        self._on_full = on_full
        self._vain = itertools.count(1)

    def put(
        self, item: DownloadJob | None, block: bool = True, timeout: float | None = None
    ) -> None:
        assert timeout is not None, "a put without a timeout can't be stopped"
        try:
            super().put(item, block=False)
        except queue.Full:
            self._on_full(next(self._vain))
            raise


def never() -> bool:
    """Tell that the run goes on."""
    return False


def test_with_room_the_job_is_put() -> None:
    """With room, the job is put once, and the result is True."""
    tasks = CrowdedQueue(print)
    assert put_interruptibly(tasks, make_job(1), should_stop=never)
    assert (tasks.qsize(), tasks.get_nowait()) == (1, make_job(1))


def test_a_put_waits_for_room() -> None:
    """If the queue is full, the job is put once there is room."""
    tasks = CrowdedQueue(lambda vain: tasks.get_nowait() if vain == 3 else None)
    for job_id in (1, 2):
        assert put_interruptibly(tasks, make_job(job_id), should_stop=never)
    assert (tasks.qsize(), tasks.get_nowait()) == (1, make_job(2))


def test_a_stop_ends_the_wait() -> None:
    """If the run stops during the wait, the job is not put, and the result is False."""
    vain: list[int] = []
    tasks = CrowdedQueue(vain.append)
    assert put_interruptibly(tasks, make_job(1), should_stop=never)
    assert not put_interruptibly(tasks, make_job(2), should_stop=lambda: len(vain) == 2)
    assert (vain, tasks.qsize(), tasks.get_nowait()) == ([1, 2], 1, make_job(1))


def test_a_stop_comes_first() -> None:
    """If `should_stop` is true already, nothing is put, even with room."""
    tasks = CrowdedQueue(print)
    assert not put_interruptibly(tasks, make_job(1), should_stop=lambda: True)
    with pytest.raises(queue.Empty):
        tasks.get_nowait()


def make_producer(tasks: HostQueue, must_stop: Callable[[], bool]) -> Producer:
    """Return a producer that starts no workers."""
    workers: Any = mock.Mock(has_unstarted=False)
    return Producer(
        registry=JobRegistry(),
        tasks=tasks,
        workers=workers,
        limits=RunLimits(RunSettings(), now=lambda: 0.0),
        must_stop=must_stop,
        stop_observers=print,
    )


def test_a_compute_turn_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a long list fills the queue, other threads get turns, even without a None in it."""
    turns: list[int] = []

    class CountedTurn(ComputeTurn):
        def release(self) -> None:
            super().release()
            turns.append(done.registered)

    monkeypatch.setattr(producer, "COMPUTE_TURN", CountedTurn())
    done = make_producer(HostQueue(10, look_ahead=1000, workers=1, policy=POLICY), never)
    done.produce(make_jobs(500))
    assert done.registered == 500
    assert max(b - a for a, b in itertools.pairwise([0, *turns])) <= JOBS_PER_TURN


@pytest.mark.parametrize("is_stopped", [False, True])
def test_the_queue_learns_the_end_of_the_list(is_stopped: bool) -> None:
    """At the end of the list one host may get all workers; a stop is no such end."""
    tasks = HostQueue(10, look_ahead=100, workers=8, now=lambda: 0.0, policy=POLICY)
    stops: list[bool] = []

    def listed() -> Iterator[DownloadJob]:
        yield from make_jobs(8)
        stops.append(is_stopped)
        yield make_job(9)

    make_producer(tasks, lambda: any(stops)).produce(listed())
    assert tasks.get_nowait() == make_job(1)
    if is_stopped:
        with pytest.raises(queue.Empty):
            tasks.get_nowait()
    else:
        assert tasks.get_nowait() == make_job(2)
