"""The circuit breaker: when it opens, when it is probed, and when its host counts as down."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import pytest

from url_downloader.engine.circuit_breaker import CircuitBreaker, Patience

DEFAULTS = Patience(outage_wait=600.0, retry_seconds=7.5)
NO_WAIT = Patience(outage_wait=0.0, retry_seconds=7.5)


def opened(
    *, has_answered: bool, patience: Patience = DEFAULTS, now: float = 0.0
) -> CircuitBreaker:
    """Return a breaker that has opened at a time."""
    breaker = CircuitBreaker(patience)
    for _ in range(5):
        breaker.note_failure(now, has_answered=has_answered)
    return breaker


def probe_times(
    breaker: CircuitBreaker, *, seconds: float = 0.0, count: int, has_no_name: bool = False
) -> list[float]:
    """Return the times of the next probes, which fail after these seconds."""
    times = []
    for _ in range(count):
        times.append(breaker.probe_at)
        breaker.note_failed_probe(breaker.probe_at + seconds, has_no_name=has_no_name)
    return times


@pytest.mark.parametrize("has_answered", [True, False])
def test_five_failures_open_the_breaker(has_answered: bool) -> None:
    """The fifth failure in a row opens it, none before."""
    breaker = CircuitBreaker(DEFAULTS)
    opens = [breaker.note_failure(0.0, has_answered=has_answered) for _ in range(5)]
    assert opens == [False, False, False, False, True]
    assert breaker.is_open


@pytest.mark.parametrize("failures", range(5))
def test_a_closed_breaker_plans_nothing(failures: int) -> None:
    """With fewer failures there is no probe, and the host does not count as down."""
    breaker = CircuitBreaker(DEFAULTS)
    for _ in range(failures):
        breaker.note_failure(9.0, has_answered=False)
    assert (breaker.is_open, breaker.probe_at, breaker.down_at) == (False, -inf, inf)


@pytest.mark.parametrize(
    ("seconds", "times", "down_at"),
    [
        (0.0, [2.0, 7.0], 7.5),
        (0.2, [2.0, 7.2], 7.5),
        (0.25, [2.0, 7.25], 7.5),
        (0.3, [2.0, 7.3], 7.6),
        (30.0, [2.0, 37.0], 67.0),
    ],
)
def test_a_host_that_never_answered(
    seconds: float, times: Sequence[float], down_at: float
) -> None:
    """It is probed 2 s later and 5 s after that, and is down after the retries' mean time."""
    breaker = opened(has_answered=False)
    assert probe_times(breaker, seconds=seconds, count=2) == pytest.approx(times)
    assert breaker.down_at == pytest.approx(down_at)
    assert breaker.probe_at == pytest.approx(down_at + 60.0)


@pytest.mark.parametrize(
    ("retry_seconds", "down_at"), [(0.0, 7.0), (7.0, 7.0), (7.1, 7.1), (100.0, 100.0)]
)
def test_a_host_that_never_answered_gets_the_time_of_the_retries(
    retry_seconds: float, down_at: float
) -> None:
    """It is not down before the mean delay of the run's retries has passed."""
    patience = Patience(outage_wait=600.0, retry_seconds=retry_seconds)
    breaker = opened(has_answered=False, patience=patience)
    probe_times(breaker, count=2)
    assert breaker.down_at == down_at


@pytest.mark.parametrize(
    ("retry_seconds", "times"),
    [(17.0, [2.0, 7.0, 77.0]), (17.1, [2.0, 7.0, 17.0, 77.1]), (60.0, [2.0, 7.0, 17.0, 37.0])],
)
def test_probes_go_on_while_retries_are_due(
    retry_seconds: float, times: Sequence[float]
) -> None:
    """With many retries, a host that never answered is probed at growing intervals, too."""
    patience = Patience(outage_wait=600.0, retry_seconds=retry_seconds)
    breaker = opened(has_answered=False, patience=patience)
    assert probe_times(breaker, count=len(times)) == pytest.approx(times)


def test_the_first_probe_alone_decides_nothing() -> None:
    """A name that exists is not given up after one probe."""
    breaker = opened(has_answered=False)
    probe_times(breaker, count=1)
    assert breaker.down_at == inf


@pytest.mark.parametrize(("seconds", "down_at"), [(0.0, 2.0), (0.5, 2.5)])
def test_a_name_that_does_not_exist(seconds: float, down_at: float) -> None:
    """One probe after 2 s is enough; the time of the retries does not matter."""
    breaker = opened(has_answered=False)
    probe_times(breaker, seconds=seconds, count=1, has_no_name=True)
    assert (breaker.down_at, breaker.probe_at) == (down_at, down_at + 60.0)


def test_a_name_that_is_missing_in_the_second_probe() -> None:
    """A name that goes between two probes is not down before the second one."""
    breaker = opened(has_answered=False)
    breaker.note_failed_probe(2.0, has_no_name=False)
    breaker.note_failed_probe(7.0, has_no_name=True)
    assert breaker.down_at == 7.0


@pytest.mark.parametrize("has_no_name", [True, False])
def test_a_host_that_has_answered(has_no_name: bool) -> None:
    """Its probes come after 5, 10, 20 and 40 s, then each minute; it is down after 600 s."""
    breaker = opened(has_answered=True)
    assert breaker.down_at == 600.0
    times = probe_times(breaker, count=6, has_no_name=has_no_name)
    assert times == [5.0, 15.0, 35.0, 75.0, 135.0, 195.0]
    assert breaker.down_at == 600.0


def test_each_interval_counts_from_the_end_of_a_probe() -> None:
    """A probe that takes long delays the next one."""
    times = probe_times(opened(has_answered=True), seconds=30.0, count=4)
    assert times == [5.0, 45.0, 95.0, 165.0]


@pytest.mark.parametrize(("now", "interval"), [(599.9, 10.0), (600.0, 60.0)])
def test_probes_go_on_once_a_minute(now: float, interval: float) -> None:
    """From the time at which the host is down, a probe a minute goes on."""
    breaker = opened(has_answered=True)
    breaker.note_failed_probe(now, has_no_name=False)
    assert breaker.probe_at == now + interval


def test_with_no_patience_no_host_is_waited_for() -> None:
    """With an outage wait of 0, a host that has answered is like one that has not."""
    breaker = opened(has_answered=True, patience=NO_WAIT)
    assert probe_times(breaker, count=2) == [2.0, 7.0]
    assert breaker.down_at == 7.5


def test_times_count_from_the_opening() -> None:
    """The times are those after the failure that has opened the breaker."""
    known, unknown = (opened(has_answered=each, now=100.0) for each in (True, False))
    assert (known.probe_at, known.down_at) == (105.0, 700.0)
    assert (unknown.probe_at, unknown.down_at) == (102.0, inf)
