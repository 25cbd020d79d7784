"""The registry of jobs: its records, its events, and its transitions in any order."""

from __future__ import annotations

import collections
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.jobs import BUSY, NOT_FOUND, OK, make_job
from url_downloader.shared.errors import TransitionError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import JobEvent, JobRecord, JobStatus, PassedOver

PENDING, RUNNING, WAITING, SUCCESS, FAILED = (
    JobStatus.PENDING,
    JobStatus.RUNNING,
    JobStatus.RETRY_SCHEDULED,
    JobStatus.SUCCESS,
    JobStatus.FAILED,
)
NONE_OF_EACH = dict.fromkeys(JobStatus, 0)


class WatchedRegistry:
    """A registry with clocks that the test moves, and the events that it has reported."""

    def __init__(self) -> None:
        self.monotonic, self.wall = 1000.0, 5_000_000.0
        self.events: list[JobEvent] = []
        self.permits = 0
        self.passed_over: list[int] = []
        self.registry = JobRegistry(
            listeners=[self.events.append],
            on_terminal=self.permit,
            on_passed_over=[self.passed_over.append],
            now=lambda: self.monotonic,
            utc_now=lambda: self.wall,
        )

    def pass_by(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds

    def permit(self) -> None:
        self.permits += 1


@pytest.fixture
def watched() -> WatchedRegistry:
    """Return a registry without jobs."""
    return WatchedRegistry()


def test_the_life_of_a_job_that_needs_two_attempts(watched: WatchedRegistry) -> None:
    """Attempts are counted when they start, each step has its time, and no fact is lost."""
    registry = watched.registry
    pending = JobRecord(
        job=make_job(), status=PENDING, attempts=0, created_at=5_000_000, since=1000
    )
    assert registry.add(make_job()) == pending
    watched.pass_by(2)
    first = pending._replace(
        status=RUNNING, attempts=1, started_at=5_000_002, since=1002, waited=2
    )
    assert registry.start(1) == first
    watched.pass_by(3)
    waiting = first._replace(status=WAITING, since=1005, worked=3, due=1007.5, result=BUSY)
    assert registry.schedule_retry(1, BUSY, due=1007.5) == waiting
    watched.pass_by(4)
    second = waiting._replace(status=RUNNING, attempts=2, since=1009, waited=6, due=None)
    assert registry.start(1) == second
    watched.pass_by(5)
    done = second._replace(
        status=SUCCESS, finished_at=5_000_014, since=1014, worked=8, result=OK
    )
    assert registry.succeed(1, OK) == done == registry.get(1)


def test_durations_ignore_the_wall_clock(watched: WatchedRegistry) -> None:
    """A wall clock that is set back changes times of day; durations stay right."""
    watched.registry.add(make_job())
    watched.registry.start(1)
    watched.monotonic += 7
    watched.wall -= 3600
    record = watched.registry.fail(1, NOT_FOUND)
    assert (record.worked, record.waited, record.finished_at) == (7, 0, 5_000_000 - 3600)


def test_get_snapshot_counts_with_status(watched: WatchedRegistry) -> None:
    """The registry returns one job, all jobs, counts by state, and the jobs in a state."""
    registry = watched.registry
    assert registry.snapshot() == []
    assert registry.counts() == NONE_OF_EACH
    for number in (1, 2, 3):
        registry.add(make_job(number))
    registry.start(2)
    registry.start(1)
    registry.fail(1, NOT_FOUND)
    assert [record.job.job_id for record in registry.snapshot()] == [1, 2, 3]
    assert [registry.get(number).status for number in (1, 2, 3)] == [FAILED, RUNNING, PENDING]
    assert registry.counts() == NONE_OF_EACH | {PENDING: 1, RUNNING: 1, FAILED: 1}
    assert [record.job.job_id for record in registry.with_status(PENDING)] == [3]
    assert registry.with_status(SUCCESS) == []
    for unknown in (0, -1, 4):
        with pytest.raises(KeyError):
            registry.get(unknown)


def test_an_answer_is_a_moment(watched: WatchedRegistry) -> None:
    """A snapshot does not change after it was taken."""
    watched.registry.add(make_job())
    snapshot, counts = watched.registry.snapshot(), watched.registry.counts()
    watched.registry.start(1)
    assert [record.status for record in snapshot] == [PENDING]
    assert counts == NONE_OF_EACH | {PENDING: 1}


def test_every_transition_is_told(watched: WatchedRegistry) -> None:
    """An event has its place in the order, its time, the state before, and the new record."""
    registry = watched.registry
    records = [registry.add(make_job())]
    watched.pass_by(1)
    records += [registry.start(1), registry.schedule_retry(1, BUSY, due=2.0)]
    watched.pass_by(1)
    records += [registry.start(1), registry.succeed(1, OK)]
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
    """For each job that ends, in either state, one permit comes, after all listeners."""
    story: list[str] = []
    registry = JobRegistry(
        listeners=[
            lambda event: story.append(f"first {event.record.status}"),
            lambda event: story.append(f"second {event.record.status}"),
        ],
        on_terminal=lambda: story.append("permit"),
    )
    for number, end in enumerate((registry.succeed, registry.fail), start=1):
        registry.add(make_job(number))
        registry.start(number)
        registry.schedule_retry(number, BUSY, due=0)
        registry.start(number)
        story.clear()
        end(number, BUSY)
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
    registry.add(make_job())
    registry.succeed(1, OK)
    assert seen == [True, 1, True, 1, True, 1, NONE_OF_EACH | {SUCCESS: 1}]


def test_a_listener_that_raises_is_dropped(package_log: pytest.LogCaptureFixture) -> None:
    """Its error is logged and kept, and it is not called again; other listeners still are."""
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
        registry.add(make_job(number))
        registry.start(number)
    errors = [registry.listener_error]

    story.clear()
    assert registry.succeed(1, OK).status is SUCCESS
    assert story == ["before success", "raising success", "after success", "permit"]
    assert [*errors, registry.listener_error] == [None, trouble]
    [message] = package_log.messages
    assert "raising, which is not called again: bug of this program: ValueError at" in message
    assert "trouble" not in message

    story.clear()
    registry.succeed(2, OK)
    assert story == ["before success", "after success", "permit"]


def test_even_an_interrupt_in_a_listener_leaves_the_permit() -> None:
    """KeyboardInterrupt in a listener propagates, but the end of the job is counted."""
    permits: list[None] = []

    def interrupted(event: JobEvent) -> None:
        if event.record.status.is_terminal:
            raise KeyboardInterrupt

    registry = JobRegistry(listeners=[interrupted], on_terminal=lambda: permits.append(None))
    registry.add(make_job())
    registry.start(1)
    with pytest.raises(KeyboardInterrupt):
        registry.fail(1, BUSY)
    assert registry.get(1).status is FAILED
    assert permits == [None]


def test_a_job_that_has_ended_takes_little() -> None:
    """An ended job takes at most 300 bytes, as a list may have a million jobs."""
    registry, count = JobRegistry(), 2000
    short = NOT_FOUND._replace(message="HTTP 404")
    tracemalloc.start()
    try:
        for number in range(1, count + 1):
            registry.add(make_job(number))
            registry.start(number)
            registry.fail(number, short)
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
    """A model of the registry that makes random transitions and compares."""

    @initialize()
    def begin(self) -> None:
        self.watched = WatchedRegistry()
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
        self._try(lambda: self.registry.add(make_job(number)), number, PENDING)

    @rule(number=NUMBERS)
    def start(self, number: int) -> None:
        if self._try(lambda: self.registry.start(number), number, RUNNING):
            self.attempts[number] += 1

    @rule(number=NUMBERS)
    def succeed(self, number: int) -> None:
        self._try(lambda: self.registry.succeed(number, OK), number, SUCCESS)

    @rule(number=NUMBERS)
    def fail(self, number: int) -> None:
        self._try(lambda: self.registry.fail(number, NOT_FOUND), number, FAILED)

    @rule(number=NUMBERS)
    def schedule_retry(self, number: int) -> None:
        def retry() -> JobRecord:
            return self.registry.schedule_retry(number, BUSY, due=7.0)

        self._try(retry, number, WAITING)

    def _try(self, verb: Callable[[], JobRecord], number: int, wanted: JobStatus) -> bool:
        """Make the transition, if the model allows it; return whether it was made."""
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


def test_urls_that_are_passed_over(watched: WatchedRegistry) -> None:
    """They count as successes and take numbers; only those with results have events."""
    registry, counted = watched.registry, watched.passed_over
    registry.pass_over(PassedOver(3))
    registry.add(make_job(4))
    registry.pass_over(PassedOver(2, [(make_job(5), OK), (make_job(6), OK)]))
    registry.add(make_job(7))
    assert registry.counts() == NONE_OF_EACH | {SUCCESS: 5, PENDING: 2}
    assert counted == [3]
    ended = [event.record for event in watched.events if event.record.status is SUCCESS]
    assert [(record.job.job_id, record.attempts) for record in ended] == [(5, 0), (6, 0)]
    assert [event.sequence for event in watched.events] == [1, 2, 3, 4]
    assert watched.permits == 0
    assert [record.job.job_id for record in registry.snapshot()] == [4, 7]
    for number in (1, 3, 5, 6, 8):
        with pytest.raises(KeyError):
            registry.get(number)
