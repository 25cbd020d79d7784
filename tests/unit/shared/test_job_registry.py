"""The registry: what it knows, what it tells, and that no thread can bring it into disorder."""

from __future__ import annotations

import collections
import logging
import random
import sys
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from url_downloader.shared.errors import TransitionError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    JobEvent,
    JobRecord,
    JobResult,
    JobStatus,
)

T = TypeVar("T")

PENDING, RUNNING, WAITING, SUCCESS, FAILED = (
    JobStatus.PENDING,
    JobStatus.RUNNING,
    JobStatus.RETRY_SCHEDULED,
    JobStatus.SUCCESS,
    JobStatus.FAILED,
)
GOOD = JobResult(http_status=200, size=5, path="a")
BAD = JobResult(kind=ErrorKind.SERVER_ERROR, message="HTTP 503", http_status=503)
WORSE = JobResult(kind=ErrorKind.CLIENT_ERROR, message="HTTP 404", http_status=404)
THREADS = 12
NONE_OF_EACH = dict.fromkeys(JobStatus, 0)


def job(number: int = 1) -> DownloadJob:
    """A job to register."""
    return DownloadJob(
        job_id=number, url=f"http://h/{number}", output=str(number), max_retries=4
    )


class Watched:
    """A registry whose clocks go when told to, and what it told its listeners."""

    def __init__(self) -> None:
        self.monotonic, self.wall = 1000.0, 5_000_000.0
        self.events: list[JobEvent] = []
        self.permits = 0
        self.registry = JobRegistry(
            listeners=[self.events.append],
            on_terminal=self.permit,
            now=lambda: self.monotonic,
            utc_now=lambda: self.wall,
        )

    def pass_by(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds

    def permit(self) -> None:
        self.permits += 1


@pytest.fixture
def watched() -> Watched:
    """A fresh one."""
    return Watched()


def test_the_life_of_a_job_that_needs_two_attempts(watched: Watched) -> None:
    """Attempts are counted at their start, times taken at each step, facts kept to the end."""
    registry = watched.registry
    pending = JobRecord(job=job(), status=PENDING, attempts=0, created_at=5_000_000, since=1000)
    assert registry.add(job()) == pending
    watched.pass_by(2)
    first = pending._replace(
        status=RUNNING, attempts=1, started_at=5_000_002, since=1002, waited=2
    )
    assert registry.start(1) == first
    watched.pass_by(3)
    waiting = first._replace(status=WAITING, since=1005, worked=3, due=1007.5, result=BAD)
    assert registry.schedule_retry(1, BAD, due=1007.5) == waiting
    watched.pass_by(4)
    second = waiting._replace(status=RUNNING, attempts=2, since=1009, waited=6, due=None)
    assert registry.start(1) == second
    watched.pass_by(5)
    done = second._replace(
        status=SUCCESS, finished_at=5_000_014, since=1014, worked=8, result=GOOD
    )
    assert registry.succeed(1, GOOD) == done == registry.get(1)


def test_durations_ignore_the_wall_clock(watched: Watched) -> None:
    """A wall clock that is set back changes times of day, never how long something took."""
    watched.registry.add(job())
    watched.registry.start(1)
    watched.monotonic += 7
    watched.wall -= 3600
    record = watched.registry.fail(1, WORSE)
    assert (record.worked, record.waited, record.finished_at) == (7, 0, 5_000_000 - 3600)


def test_get_snapshot_counts_with_status(watched: Watched) -> None:
    """The registry can be asked for one job, for all, for numbers, and for those in a state."""
    registry = watched.registry
    assert registry.snapshot() == []
    assert registry.counts() == NONE_OF_EACH
    for number in (1, 2, 3):
        registry.add(job(number))
    registry.start(2)
    registry.start(1)
    registry.fail(1, WORSE)
    assert [record.job.job_id for record in registry.snapshot()] == [1, 2, 3]
    assert [registry.get(number).status for number in (1, 2, 3)] == [FAILED, RUNNING, PENDING]
    assert registry.counts() == NONE_OF_EACH | {PENDING: 1, RUNNING: 1, FAILED: 1}
    assert [record.job.job_id for record in registry.with_status(PENDING)] == [3]
    assert registry.with_status(SUCCESS) == []
    for unknown in (0, -1, 4):
        with pytest.raises(KeyError):
            registry.get(unknown)


def test_an_answer_is_a_moment(watched: Watched) -> None:
    """What was asked earlier does not change afterwards."""
    watched.registry.add(job())
    snapshot, counts = watched.registry.snapshot(), watched.registry.counts()
    watched.registry.start(1)
    assert [record.status for record in snapshot] == [PENDING]
    assert counts == NONE_OF_EACH | {PENDING: 1}


def test_every_transition_is_told(watched: Watched) -> None:
    """An event has its place in the order, its time, the state before, and the new record."""
    registry = watched.registry
    records = [registry.add(job())]
    watched.pass_by(1)
    records += [registry.start(1), registry.schedule_retry(1, BAD, due=2.0)]
    watched.pass_by(1)
    records += [registry.start(1), registry.succeed(1, GOOD)]
    assert watched.events == [
        JobEvent(sequence=number, time=time, previous=previous, record=record)
        for number, time, previous, record in zip(
            (1, 2, 3, 4, 5),
            (1000, 1001, 1001, 1002, 1002),
            (None, PENDING, RUNNING, WAITING, RUNNING),
            records,
            strict=True,
        )
    ]


def test_a_terminal_state_is_told_once_and_last() -> None:
    """For each job that ends, whichever way, one permit comes, after all listeners."""
    story: list[str] = []
    registry = JobRegistry(
        listeners=[
            lambda event: story.append(f"first {event.record.status}"),
            lambda event: story.append(f"second {event.record.status}"),
        ],
        on_terminal=lambda: story.append("permit"),
    )
    for number, end in enumerate((registry.succeed, registry.fail), start=1):
        registry.add(job(number))
        registry.start(number)
        registry.schedule_retry(number, BAD, due=0)
        registry.start(number)
        story.clear()
        end(number, BAD)
        status = registry.get(number).status
        assert story == [f"first {status}", f"second {status}", "permit"]


@pytest.mark.timeout(20)
def test_a_listener_may_call_the_registry() -> None:
    """Listeners are called after the lock is released, and find the new state."""
    seen: list[object] = []

    def ask(event: JobEvent) -> None:
        number = event.record.job.job_id
        seen.append(registry.get(number) == registry.snapshot()[0] == event.record)
        seen.append(registry.counts()[event.record.status])
        if event.record.status is PENDING:
            registry.start(number)

    registry = JobRegistry(listeners=[ask], on_terminal=lambda: seen.append(registry.counts()))
    registry.add(job())
    registry.succeed(1, GOOD)
    assert seen == [True, 1, True, 1, True, 1, NONE_OF_EACH | {SUCCESS: 1}]


def test_a_listener_that_raises_is_dropped(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, kept and not called again; everyone else hears of all, as before."""
    monkeypatch.setattr(logging.getLogger("url_downloader"), "propagate", True)
    story: list[str] = []
    trouble = ValueError("listener's trouble")

    def raising(event: JobEvent) -> None:
        story.append(f"raising {event.record.status}")
        if event.record.status is SUCCESS:
            raise trouble

    registry = JobRegistry(
        listeners=[
            lambda event: story.append(f"before {event.record.status}"),
            raising,
            lambda event: story.append(f"after {event.record.status}"),
        ],
        on_terminal=lambda: story.append("permit"),
    )
    for number in (1, 2):
        registry.add(job(number))
        registry.start(number)
    errors = [registry.listener_error]

    story.clear()
    assert registry.succeed(1, GOOD).status is SUCCESS
    assert story == ["before success", "raising success", "after success", "permit"]
    assert [*errors, registry.listener_error] == [None, trouble]
    [message] = caplog.messages
    assert "raising, which is not called again: bug of this program: ValueError at" in message
    assert "trouble" not in message

    story.clear()
    registry.succeed(2, GOOD)
    assert story == ["before success", "after success", "permit"]


def test_even_an_interrupt_in_a_listener_leaves_the_permit() -> None:
    """What no listener should raise goes up, but the job's end is counted all the same."""
    permits: list[None] = []

    def interrupted(event: JobEvent) -> None:
        if event.record.status.is_terminal:
            raise KeyboardInterrupt

    registry = JobRegistry(listeners=[interrupted], on_terminal=lambda: permits.append(None))
    registry.add(job())
    registry.start(1)
    with pytest.raises(KeyboardInterrupt):
        registry.fail(1, BAD)
    assert registry.get(1).status is FAILED
    assert permits == [None]


def test_a_job_that_has_ended_takes_little() -> None:
    """A few hundred bytes are all that is kept of it: a list may have a million."""
    registry, count = JobRegistry(), 2000
    tracemalloc.start()
    try:
        for number in range(1, count + 1):
            registry.add(job(number))
            registry.start(number)
            registry.fail(number, WORSE)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / count < 300


LISTED = {
    RUNNING: {PENDING, WAITING},
    SUCCESS: {RUNNING},
    FAILED: {RUNNING},
    WAITING: {RUNNING},
}
NUMBERS = st.integers(1, 4)


class RegistryMachine(RuleBasedStateMachine):
    """Whatever is asked in whatever order, the registry does what a few numbers tell."""

    @initialize()
    def begin(self) -> None:
        self.watched = Watched()
        self.registry = self.watched.registry
        self.states: dict[int, JobStatus] = {}
        self.attempts: collections.Counter[int] = collections.Counter()
        self.waited: collections.Counter[int] = collections.Counter()
        self.worked: collections.Counter[int] = collections.Counter()
        self.told: list[tuple[int, JobStatus | None, JobStatus]] = []

    @rule(seconds=st.integers(1, 1000))
    def pass_by(self, seconds: int) -> None:
        self.watched.pass_by(seconds)
        for number, status in self.states.items():
            if status in (PENDING, WAITING):
                self.waited[number] += seconds
            elif status is RUNNING:
                self.worked[number] += seconds

    @rule(number=NUMBERS)
    def add(self, number: int) -> None:
        self._try(lambda: self.registry.add(job(number)), number, PENDING)

    @rule(number=NUMBERS)
    def start(self, number: int) -> None:
        if self._try(lambda: self.registry.start(number), number, RUNNING):
            self.attempts[number] += 1

    @rule(number=NUMBERS)
    def succeed(self, number: int) -> None:
        self._try(lambda: self.registry.succeed(number, GOOD), number, SUCCESS)

    @rule(number=NUMBERS)
    def fail(self, number: int) -> None:
        self._try(lambda: self.registry.fail(number, WORSE), number, FAILED)

    @rule(number=NUMBERS)
    def schedule_retry(self, number: int) -> None:
        def retry() -> JobRecord:
            return self.registry.schedule_retry(number, BAD, due=7.0)

        self._try(retry, number, WAITING)

    def _try(self, verb: Callable[[], JobRecord], number: int, wanted: JobStatus) -> bool:
        """Whether the registry did it, which it must if and only if the model can."""
        current = self.states.get(number)
        is_next = number == len(self.states) + 1
        is_listed = is_next if wanted is PENDING else current in LISTED[wanted]
        if not is_listed:
            with pytest.raises(TransitionError):
                verb()
            return False
        assert verb() == self.registry.get(number)
        self.states[number] = wanted
        self.told.append((number, current, wanted))
        return True

    @invariant()
    def the_records_are_the_models(self) -> None:
        records = self.registry.snapshot()
        assert [record.job.job_id for record in records] == list(self.states)
        for record in records:
            number = record.job.job_id
            assert record == self.registry.get(number)
            assert record.status is self.states[number]
            assert record.attempts == self.attempts[number]
            assert (record.due is not None) == (record.status is WAITING)
            assert (record.finished_at is not None) == record.status.is_terminal
            assert (record.started_at is not None) == (record.attempts > 0)
            spent = self.watched.monotonic - record.since
            is_running, is_over = record.status is RUNNING, record.status.is_terminal
            worked = record.worked + (spent if is_running else 0)
            waited = record.waited + (0 if is_running or is_over else spent)
            assert (worked, waited) == (self.worked[number], self.waited[number])

    @invariant()
    def the_counts_are_the_models(self) -> None:
        states = list(self.states.values())
        assert self.registry.counts() == {each: states.count(each) for each in JobStatus}
        for status in JobStatus:
            ids = [record.job.job_id for record in self.registry.with_status(status)]
            assert ids == [n for n, state in self.states.items() if state is status]

    @invariant()
    def exactly_what_happened_was_told(self) -> None:
        events = self.watched.events
        assert self.told == [(e.record.job.job_id, e.previous, e.record.status) for e in events]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert self.watched.permits == sum(s.is_terminal for s in self.states.values())


TestAnyOrder = RegistryMachine.TestCase


def hammer(act: Callable[[int], T], threads: int = THREADS) -> list[T]:
    """What `act(n)` returns in each thread n, all at once, with a switch every moment."""
    barrier = threading.Barrier(threads)

    def wait_and_act(number: int) -> T:
        barrier.wait(timeout=60)
        return act(number)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(wait_and_act, range(threads)))
    finally:
        sys.setswitchinterval(interval)


def wins(verb: Callable[[T], object], argument: T) -> bool:
    """Whether the registry did it."""
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
        added = [("add", n) for n in numbers if wins(registry.add, job(n))]
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
        registry.add(job(number))
        registry.start(number)

    verbs: list[tuple[JobStatus, Callable[[int], object]]] = [
        (SUCCESS, lambda n: registry.succeed(n, GOOD)),
        (FAILED, lambda n: registry.fail(n, WORSE)),
        (WAITING, lambda n: registry.schedule_retry(n, BAD, due=0)),
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
    """Many threads live many jobs: each ends once, nothing is lost, all is told in order."""
    jobs_each, numbers = 60, range(1, 60 * THREADS + 1)
    turns, adding = iter(numbers), threading.Lock()
    events: collections.deque[JobEvent] = collections.deque()
    permits: collections.deque[None] = collections.deque()
    registry = JobRegistry(listeners=[events.append], on_terminal=lambda: permits.append(None))

    def live(thread: int) -> bool:
        is_sound = True
        for _ in range(jobs_each):
            with adding:
                number = registry.add(job(next(turns))).job.job_id
            for _ in range(number % 3):
                registry.start(number)
                registry.schedule_retry(number, BAD, due=0)
            registry.start(number)
            registry.succeed(number, GOOD) if number % 2 else registry.fail(number, WORSE)
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
    """Of each job the events come in their order, from its first state to one end."""
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
        registry.succeed(thread + 1, GOOD)

    for number in range(1, THREADS + 1):
        registry.add(job(number))
    hammer(live)
    assert isinstance(registry.listener_error, RuntimeError)
    assert len(permits) == THREADS
    assert len(events) == 3 * THREADS
