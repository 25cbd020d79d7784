"""The gate of one host: limits of the user, pauses, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import pytest

from tests.support.gate_bench import GateBench
from tests.support.hosts import busy, good, make_policy, unreached
from url_downloader.config.host_settings import HostLimits
from url_downloader.config.settings import RetrySettings
from url_downloader.engine.host_gate import SLACK
from url_downloader.engine.host_state import HostPhase
from url_downloader.shared.models import ErrorKind

# Limits of the user.


@pytest.mark.parametrize("connections", [1, 2, 7])
def test_a_cap_holds(connections: int) -> None:
    """No more attempts run than the user allows; each end allows one more."""
    bench = GateBench(limits=HostLimits(connections=connections))
    begun = bench.begin_all()
    assert (len(begun), bench.opens_in) == (connections, inf)
    bench.end(begun[0], good())
    assert len(bench.begin_all()) == 1


def test_a_rate_holds() -> None:
    """Attempts begin at the user's rate; a host that had a rest may not catch up."""
    bench = GateBench(limits=HostLimits(interval=0.5))
    begins = []
    for _ in range(21):
        bench.now += bench.opens_in
        begins.append(bench.now)
        bench.begin()
    assert begins[-1] - begins[0] == pytest.approx(20 * 0.5, abs=SLACK)
    bench.now += 100.0
    assert len(bench.begin_all()) == 1


def test_a_rate_catches_up_with_a_late_thread() -> None:
    """Attempts that begin a little late do not lower the rate; long delays are not made up."""
    bench = GateBench(limits=HostLimits(interval=0.5))
    bench.begin()
    start = bench.now
    for _ in range(100):
        bench.now += bench.opens_in + SLACK / 2
        bench.begin()
    assert 100 * 0.5 - SLACK <= bench.now - start <= 100 * 0.5 + SLACK
    start = bench.now
    for _ in range(100):
        bench.now += bench.opens_in + 0.1
        bench.begin()
    assert bench.now - start == pytest.approx(100 * 0.6, rel=0.05)


def test_more_requests_of_an_attempt_count_for_the_rate() -> None:
    """An attempt with a redirect takes the time of two requests."""
    bench = GateBench(limits=HostLimits(interval=2.0))
    bench.begin()
    bench.gate.charge(bench.now)
    assert bench.opens_in == pytest.approx(4.0, abs=2 * SLACK)


# Pauses.


def test_a_retry_after_is_silence_and_then_one_probe() -> None:
    """32 attempts run, one is told to wait: then nothing begins, and after that one attempt."""
    bench = GateBench()
    begun = [bench.begin() for _ in range(32)]
    bench.end(begun[0], busy(3.0))
    assert (bench.opens_in, bench.phase()) == (3.0, HostPhase.PAUSED)
    for number in begun[1:]:
        bench.end(number, good())
    assert bench.opens_in == 3.0
    bench.now += 2.999
    assert bench.opens_in > 0
    bench.now += 0.001
    assert len(bench.begin_all()) == 1


def test_each_success_allows_one_more_up_to_the_old_number() -> None:
    """After a pause the number of attempts grows by one with each success, then ends."""
    bench = GateBench()
    begun = [bench.begin() for _ in range(5)]
    bench.end(begun[0], busy(3.0))
    for number in begun[1:]:
        bench.end(number, good())
    bench.now += 3.0
    running: list[int] = []
    allowed = []
    for _ in range(5):
        running += bench.begin_all()
        allowed.append(len(running))
        bench.end(running.pop(0), good())
    assert allowed == [1, 2, 3, 4, 53]
    assert not bench.gate.awaits_replies


def test_the_head_of_a_reply_is_a_success() -> None:
    """A probe whose body is long allows one more attempt at its reply, and not again later."""
    bench = GateBench()
    begun = [bench.begin() for _ in range(5)]
    bench.end(begun[0], busy(3.0))
    bench.now += 3.0
    [probe] = bench.begin_all()
    assert bench.opens_in == inf
    bench.gate.note_reply(probe, 200)
    assert len(bench.begin_all()) == 1
    assert bench.opens_in == inf


def test_old_attempts_do_not_count_after_a_pause() -> None:
    """A transfer that began before the pause blocks no probe, and its end allows none more."""
    bench = GateBench()
    begun = [bench.begin() for _ in range(10)]
    bench.end(begun[0], busy(3.0))
    bench.now += 3.0
    assert len(bench.begin_all()) == 1
    for number in begun[1:]:
        bench.end(number, good())
    assert bench.begin_all() == []


def test_a_storm_is_one_incident() -> None:
    """32 replies 429 at the same time pause the host once, and the next pause is the second."""
    bench = GateBench()
    begun = [bench.begin() for _ in range(32)]
    for number in begun:
        bench.end(number, busy(status=429))
    assert bench.opens_in == 5.0
    bench.now += 5.0
    [probe] = bench.begin_all()
    bench.end(probe, busy(status=429))
    assert bench.opens_in == 10.0


def test_a_failed_probe_keeps_the_old_number() -> None:
    """However many probes fail, the number of attempts grows up to the one of the beginning."""
    bench = GateBench()
    begun = [bench.begin() for _ in range(4)]
    for number in begun:
        bench.end(number, busy(1.0))
    for _ in range(3):
        bench.now += 1.0
        bench.attempt(busy(1.0))
    bench.now += 1.0
    allowed = []
    for _ in range(3):
        running = bench.begin_all()
        allowed.append(len(running))
        for number in running[1:]:
            bench.end(number, unreached(kind=ErrorKind.PROXY))
        bench.end(running[0], good())
    assert allowed == [1, 2, 3]
    assert len(bench.begin_all()) == 50


@pytest.mark.parametrize(("retry_after", "seconds"), [(2.0, 4.0), (10.0, 10.0), (None, 4.0)])
def test_an_old_attempt_only_lengthens_the_pause(
    retry_after: float | None, seconds: float
) -> None:
    """A busy reply to an attempt from before the pause may lengthen it, and begins none."""
    bench = GateBench()
    first, second = bench.begin(), bench.begin()
    bench.end(first, busy(5.0))
    bench.now += 1.0
    bench.end(second, busy(retry_after))
    assert bench.opens_in == seconds


def test_an_old_attempt_does_not_stop_the_probe() -> None:
    """A busy reply to an old attempt, while the probe runs, does not take its success away."""
    bench = GateBench()
    first, second, third = (bench.begin() for _ in range(3))
    bench.end(first, busy(3.0))
    bench.now += 3.0
    probe = bench.begin()
    bench.end(second, busy())
    bench.gate.note_reply(probe, 200)
    assert len(bench.begin_all()) == 1
    bench.end(third, good())


def test_a_tenth_of_busy_replies_pauses_nothing() -> None:
    """A host of whose replies a tenth are 503, without Retry-After, is never held back."""
    bench = GateBench()
    for n in range(500):
        bench.attempt(busy() if n % 10 == 0 else good())
        assert bench.opens_in == 0.0


@pytest.mark.parametrize(("status", "is_pause"), [(403, True), (520, True), (404, False)])
def test_the_user_adds_codes_that_pause(status: int, is_pause: bool) -> None:
    """With --backoff-on, these codes are as 429 and 503."""
    policy = make_policy(backoff_on=frozenset({403, 520}))
    bench = GateBench(policy)
    bench.attempt(busy(7.0, status=status))
    assert bench.opens_in == (7.0 if is_pause else 0.0)


# Waits that are longer than allowed.


@pytest.mark.parametrize(("seconds", "is_refused"), [(600.0, False), (600.5, True)])
def test_a_wait_longer_than_allowed_is_no_pause(seconds: float, is_refused: bool) -> None:
    """Then the host's other jobs fail at once, with the same cause, until it is over."""
    bench = GateBench()
    bench.attempt(busy(seconds))
    assert bench.opens_in == (0.0 if is_refused else seconds)
    if not is_refused:
        return
    bench.now += seconds - 0.1
    refusal = bench.refusal()
    assert refusal is not None
    assert (refusal.kind, refusal.contact) == (ErrorKind.RETRY_AFTER, None)
    assert "--max-retry-after" in refusal.message
    bench.now += 0.1
    assert len(bench.begin_all()) == 1


def test_without_a_limit_every_wait_is_a_pause() -> None:
    """With --max-retry-after 0, a host is paused for as long as it asks."""
    bench = GateBench(make_policy(retry=RetrySettings(max_retry_after=0.0)))
    bench.attempt(busy(1e6))
    assert bench.opens_in == 1e6


def test_an_old_attempt_does_not_shorten_a_long_wait() -> None:
    """A shorter wait that an attempt from before is told does not end the longer one."""
    bench = GateBench()
    first, second = bench.begin(), bench.begin()
    bench.end(first, busy(7200.0))
    bench.end(second, busy(900.0))
    bench.now += 7199.0
    assert bench.refusal() is not None


# Hosts that only ask to come back later.


def test_a_host_that_only_throttles() -> None:
    """After ten minutes of nothing but busy replies, its jobs fail at once; probes go on."""
    bench = GateBench()
    start, probes = bench.now, 0
    while not bench.is_refused():
        bench.now += bench.opens_in
        bench.attempt(busy(30.0))
        probes += 1
    assert bench.now - start == 600.0
    assert probes == 21
    refusal = bench.refusal()
    assert refusal is not None
    assert refusal.kind is ErrorKind.HOST_THROTTLED
    assert bench.phase() is HostPhase.THROTTLED
    bench.now += 60.0
    bench.attempt(busy(30.0))
    assert bench.refusal() is not None
    bench.now += 60.0
    bench.attempt(good())
    assert not bench.is_refused()
    assert bench.opens_in == 0.0


def test_a_good_reply_in_between_starts_the_count_anew() -> None:
    """Ten minutes with one good reply are not nothing but busy ones."""
    bench = GateBench()
    bench.attempt(busy(500.0))
    bench.now += 500.0
    bench.attempt(good())
    bench.attempt(busy(500.0))
    bench.now += 500.0
    bench.attempt(busy(500.0))
    assert not bench.is_refused()
    bench.now += 500.0
    bench.attempt(busy(500.0))
    assert bench.is_refused()


def test_a_refused_host_keeps_its_rate() -> None:
    """The probe of a host that is refused waits for the user's rate, too."""
    bench = GateBench(limits=HostLimits(interval=600.0))
    bench.attempt(busy(900.0))
    bench.gate.charge(bench.now)
    bench.now += 1000.0
    assert bench.refusal() is not None
    bench.now += 200.0
    assert bench.begin()


# Memory.


@pytest.mark.parametrize(
    ("act", "is_remembered"),
    [
        (lambda bench: bench.attempt(good()), False),
        (lambda bench: bench.fail(1), True),
        (lambda bench: bench.fail(5), True),
        (lambda bench: (bench.fail(4), bench.attempt(good())), False),
        (lambda bench: bench.attempt(busy()), True),
        (lambda bench: (bench.attempt(busy()), bench.attempt(good())), False),
        (lambda bench: bench.attempt(busy(3.0)), True),
        (lambda bench: bench.attempt(busy(7200.0)), True),
    ],
)
def test_a_host_in_trouble_is_remembered(
    act: Callable[[GateBench], object], is_remembered: bool
) -> None:
    """A host whose last attempts failed is not forgotten between two of its jobs."""
    bench = GateBench()
    act(bench)
    assert bench.gate.remembers(bench.now) is is_remembered


def test_a_rate_is_remembered() -> None:
    """A host with a rate is remembered until its next request is due."""
    bench = GateBench(limits=HostLimits(interval=10.0))
    bench.begin()
    assert bench.gate.remembers(bench.now + 9.9)
    assert not bench.gate.remembers(bench.now + 10.0)
