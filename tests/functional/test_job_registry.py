"""The registry of jobs under threads that all use it at the same time."""

from __future__ import annotations

import collections
import random
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from tests.support.jobs import BUSY, NOT_FOUND, OK, make_job
from tests.support.racing import race
from url_downloader.shared.errors import TransitionError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import JobEvent, JobStatus

T = TypeVar("T")

RUNNING, WAITING, SUCCESS, FAILED = (
    JobStatus.RUNNING,
    JobStatus.RETRY_SCHEDULED,
    JobStatus.SUCCESS,
    JobStatus.FAILED,
)
THREADS = 12
NONE_OF_EACH = dict.fromkeys(JobStatus, 0)
hammer = partial(race, threads=THREADS)


def wins(verb: Callable[[T], object], argument: T) -> bool:
    """Return whether the registry made the transition."""
    try:
        verb(argument)
    except TransitionError:
        return False
    return True


def test_of_many_who_add_or_start_a_job_one_does() -> None:
    """Of concurrent equal transitions exactly one is made; all others raise."""
    registry = JobRegistry()
    numbers = range(1, 201)

    def add_and_start(thread: int) -> list[tuple[str, int]]:
        added = [("add", n) for n in numbers if wins(registry.add, make_job(n))]
        order = random.Random(thread).sample(numbers, len(numbers))
        return added + [("start", n) for n in order if wins(registry.start, n)]

    won = sorted(each for wins_of_one in hammer(add_and_start) for each in wins_of_one)
    assert won == [(verb, n) for verb in ("add", "start") for n in numbers]
    assert registry.counts() == NONE_OF_EACH | {RUNNING: 200}
    assert {record.attempts for record in registry.snapshot()} == {1}


def test_of_many_who_end_a_job_one_does() -> None:
    """Success, failure and retry race for running jobs; each job takes the winner's state."""
    permits: collections.deque[None] = collections.deque()
    registry = JobRegistry(on_terminal=lambda: permits.append(None))
    numbers = range(1, 201)
    for number in numbers:
        registry.add(make_job(number))
        registry.start(number)

    verbs: list[tuple[JobStatus, Callable[[int], object]]] = [
        (SUCCESS, lambda n: registry.succeed(n, OK)),
        (FAILED, lambda n: registry.fail(n, NOT_FOUND)),
        (WAITING, lambda n: registry.schedule_retry(n, BUSY, due=0)),
    ]

    def end(thread: int) -> dict[int, JobStatus]:
        status, verb = verbs[thread % len(verbs)]
        return {n: status for n in numbers if wins(verb, n)}

    winners = collections.defaultdict(list)
    for won in hammer(end):
        for number, status in won.items():
            winners[number].append(status)
    assert dict(winners) == {n: [registry.get(n).status] for n in numbers}
    counts = collections.Counter(status for [status] in winners.values())
    assert registry.counts() == NONE_OF_EACH | counts
    assert len(permits) == counts[SUCCESS] + counts[FAILED]


def test_whole_lives_at_once() -> None:
    """Jobs that many threads handle end once each, none is lost, and events come in order."""
    jobs_each, numbers = 60, range(1, 60 * THREADS + 1)
    turns, adding = iter(numbers), threading.Lock()
    events: collections.deque[JobEvent] = collections.deque()
    permits: collections.deque[None] = collections.deque()
    registry = JobRegistry(listeners=[events.append], on_terminal=lambda: permits.append(None))

    def live(thread: int) -> bool:
        is_sound = True
        for _ in range(jobs_each):
            with adding:
                number = registry.add(make_job(next(turns))).job.job_id
            for _ in range(number % 3):
                registry.start(number)
                registry.schedule_retry(number, BUSY, due=0)
            registry.start(number)
            registry.succeed(number, OK) if number % 2 else registry.fail(number, NOT_FOUND)
            counts = registry.counts()
            # Each thread has one job under way at most.
            unfinished = sum(n for status, n in counts.items() if not status.is_terminal)
            is_sound &= 0 <= unfinished < THREADS and min(counts.values()) >= 0
        return is_sound

    assert hammer(live) == [True] * THREADS
    total = jobs_each * THREADS
    assert registry.counts() == NONE_OF_EACH | {SUCCESS: total // 2, FAILED: total // 2}
    assert [record.job.job_id for record in registry.snapshot()] == list(numbers)
    assert all(r.attempts == r.job.job_id % 3 + 1 for r in registry.snapshot())
    assert len(permits) == total
    assert sorted(event.sequence for event in events) == list(range(1, len(events) + 1))
    assert_each_story_is_whole(events)


def assert_each_story_is_whole(events: collections.deque[JobEvent]) -> None:
    """Check that the events of each job come in order, from its first state to one end."""
    last: dict[int, JobEvent] = {}
    ends: collections.Counter[int] = collections.Counter()
    for event in events:
        number = event.record.job.job_id
        before = last.get(number)
        assert event.previous is (before.record.status if before else None)
        assert before is None or before.sequence < event.sequence
        last[number] = event
        ends[number] += event.record.status.is_terminal
    assert set(ends.values()) == {1}


def test_one_trouble_among_many_threads_is_kept() -> None:
    """A listener that raises in all threads at once costs no permit and no other listener."""
    events: collections.deque[JobEvent] = collections.deque()
    permits: collections.deque[None] = collections.deque()

    def raising(event: JobEvent) -> None:
        raise RuntimeError(event.sequence)

    registry = JobRegistry(
        listeners=[raising, events.append], on_terminal=lambda: permits.append(None)
    )

    def live(thread: int) -> None:
        registry.start(thread + 1)
        registry.succeed(thread + 1, OK)

    for number in range(1, THREADS + 1):
        registry.add(make_job(number))
    hammer(live)
    assert isinstance(registry.listener_error, RuntimeError)
    assert len(permits) == THREADS
    assert len(events) == 3 * THREADS
