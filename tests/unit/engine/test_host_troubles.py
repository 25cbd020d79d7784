"""Hosts in trouble, as observers see them: which ones, in which order, and their texts."""

from __future__ import annotations

from math import inf

import pytest

from tests.support.hosts import REFUSED, busy, good, job_of, name_of
from tests.support.virtual_queue import VirtualQueue
from url_downloader.engine.circuit_breaker import MAX_FAILURES
from url_downloader.engine.host_state import HostPhase, HostState
from url_downloader.engine.host_troubles import MAX_STATES, HostTroubles, state_text
from url_downloader.shared.models import ErrorKind, JobResult

PAUSED, FAILING, DOWN = HostPhase.PAUSED, HostPhase.FAILING, HostPhase.DOWN


@pytest.fixture
def bench() -> VirtualQueue:
    """Return a queue with a worker for each job, which knows its hosts."""
    bench = VirtualQueue(100, look_ahead=1000)
    bench.know_hosts()
    return bench


def end(bench: VirtualQueue, host: str, result: JobResult) -> None:
    """Let the attempt of a job that was taken end."""
    bench.queue.done(job_of(host), result)


def fail(bench: VirtualQueue, host: str, attempts: int = MAX_FAILURES) -> None:
    """Let attempts at a host fail before the first byte of a reply."""
    bench.put(host * attempts)
    bench.take_all()
    for _ in range(attempts):
        end(bench, host, REFUSED)


def pause(bench: VirtualQueue, host: str, seconds: float) -> None:
    """Let a host ask for a pause."""
    bench.put(host)
    bench.take_all()
    end(bench, host, busy(seconds))


def test_a_host_without_trouble(bench: VirtualQueue) -> None:
    """Neither a new host, nor one that works, nor one with a few failures is in trouble."""
    bench.put("ab")
    bench.take_all()
    end(bench, "a", good())
    fail(bench, "c", MAX_FAILURES - 1)
    assert bench.queue.host_troubles() == HostTroubles()


def test_each_phase(bench: VirtualQueue) -> None:
    """A host has its phase, the reason, the time of its next request, and its waiting jobs."""
    now = bench.clock
    pause(bench, "a", 30.0)
    fail(bench, "b")
    bench.put("aab")
    troubles = bench.queue.host_troubles()
    assert troubles.states == (
        HostState(PAUSED, "HTTP 503", now + 30.0, name_of("a"), 2),
        HostState(FAILING, "connection refused", now + 2.0, name_of("b"), 1),
    )
    assert troubles.phases == troubles.begun == {PAUSED: 1, FAILING: 1}
    assert str(troubles) == "1 paused, 1 failing"
    assert troubles.others == 0


def test_a_host_that_is_down(bench: VirtualQueue) -> None:
    """Its jobs fail at once, and get no time; that of the host is the next probe's."""
    fail(bench, "a")
    bench.put("aaa")
    for _ in range(2):
        bench.clock += 6.0
        assert bench.take_all() == "a"
        end(bench, "a", REFUSED)
    assert bench.take_all() == "a"
    [state] = bench.queue.host_troubles().states
    assert (state.phase, state.until) == (DOWN, bench.clock + 60.0)
    assert state.reason == "the host is down: connection refused"
    assert bench.queue.host_troubles().begun == {FAILING: 1, DOWN: 1}
    [result] = bench.queue.refusals.values()
    assert (result.kind, result.retry_after) == (ErrorKind.HOST_DOWN, None)


def test_a_pause_that_is_over(bench: VirtualQueue) -> None:
    """It is seen no more, even if no job comes; but it was counted."""
    pause(bench, "a", 30.0)
    bench.clock += 30.0
    troubles = bench.queue.host_troubles()
    assert (troubles.states, troubles.phases, troubles.begun) == ((), {}, {PAUSED: 1})


def test_a_host_that_nobody_needs(bench: VirtualQueue) -> None:
    """A host is left out when its probe is due, but no job waits for it."""
    fail(bench, "a")
    assert bench.queue.host_troubles().phases == {FAILING: 1}
    bench.clock += 2.0
    assert bench.queue.host_troubles().phases == {}
    bench.put("a")
    assert bench.queue.host_troubles().phases == {FAILING: 1}
    assert bench.take_all() == "a"
    assert bench.queue.host_troubles().phases == {FAILING: 1}


def test_the_order(bench: VirtualQueue) -> None:
    """The host with the most waiting jobs comes first; among equals, the one that is due."""
    for host, seconds in (("a", 9.0), ("b", 20.0), ("c", 5.0), ("d", 7.0)):
        pause(bench, host, seconds)
    bench.put("bbac")
    found = [state.host[-1] for state in bench.queue.host_troubles().states]
    assert found == ["b", "c", "a", "d"]


def test_many_hosts(bench: VirtualQueue) -> None:
    """All are counted; the states are those of some of them, unless all are wanted."""
    for number in range(30):
        bench.queue.put_nowait(job_of(f"h{number}"))
    bench.take_all()
    for number in range(30):
        end(bench, f"h{number}", busy(10.0 + number))
    troubles = bench.queue.host_troubles()
    assert troubles.phases == {PAUSED: 30}
    assert [state.host for state in troubles.states] == [
        name_of(f"h{number}") for number in range(MAX_STATES)
    ]
    assert troubles.others == 30 - MAX_STATES
    assert len(bench.queue.host_troubles(None).states) == 30


def test_another_clock(bench: VirtualQueue) -> None:
    """The times can be told by another clock; nothing else changes."""
    pause(bench, "a", 30.0)
    troubles = bench.queue.host_troubles()
    [state] = troubles.states
    moved = troubles.shifted(1000.0)
    assert moved.states == (state._replace(until=state.until + 1000.0),)
    assert (moved.phases, moved.begun) == (troubles.phases, troubles.begun)


def test_a_refused_job_knows_how_long(bench: VirtualQueue) -> None:
    """After a Retry-After that is too long, a refused job has the rest of that time."""
    pause(bench, "a", 4000.0)
    bench.clock += 1000.0
    bench.put("a")
    assert bench.take() == "a"
    [result] = bench.queue.refusals.values()
    assert (result.kind, result.retry_after) == (ErrorKind.RETRY_AFTER, 3000.0)


@pytest.mark.parametrize(
    ("until", "waiting", "text"),
    [
        (112.0, 0, "http://h: paused, next request in 12.0 s: HTTP 429"),
        (112.0, 1, "http://h: paused, next request in 12.0 s, 1 URL waits: HTTP 429"),
        (700.0, 30, "http://h: paused, next request in 10m00s, 30 URLs wait: HTTP 429"),
        (100.0, 2, "http://h: paused, next request now, 2 URLs wait: HTTP 429"),
        (-inf, 0, "http://h: paused, next request now: HTTP 429"),
        (1e12, 0, "http://h: paused, next request in over 99h00m00s: HTTP 429"),
        (inf, 0, "http://h: paused, next request in over 99h00m00s: HTTP 429"),
    ],
)
def test_the_text(until: float, waiting: int, text: str) -> None:
    """A host's line says why, until when, and how many jobs wait, whatever the host asked."""
    assert state_text(HostState(PAUSED, "HTTP 429", until, "http://h", waiting), 100.0) == text
