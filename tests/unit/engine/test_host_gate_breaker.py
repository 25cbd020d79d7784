"""The gate of a host that fails: its breaker, its probes, and jobs that fail at once."""

from __future__ import annotations

from math import inf

import pytest

from tests.support.gate_bench import GateBench
from tests.support.hosts import NO_NAME, REFUSED, busy, good, make_policy, unreached
from url_downloader.config.host_settings import HostLimits
from url_downloader.engine.host_state import HostPhase
from url_downloader.shared.models import ErrorKind, JobResult


@pytest.mark.parametrize("failures", [4, 5])
def test_five_failures_in_a_row(failures: int) -> None:
    """The fifth failure in a row before the first byte stops the attempts; no other does."""
    bench = GateBench()
    bench.fail(failures)
    assert bench.opens_in == (2.0 if failures == 5 else 0.0)
    assert bench.phase() is (HostPhase.FAILING if failures == 5 else None)


@pytest.mark.parametrize(
    "answer",
    [
        good(),
        busy(),
        busy(status=404),
        JobResult(kind=ErrorKind.NOT_HTTP, contact=good().contact),
        JobResult(kind=ErrorKind.TRUNCATED, http_status=200, contact=good().contact),
        JobResult(kind=ErrorKind.RESET, contact=good().contact),
    ],
)
def test_any_answer_ends_the_row(answer: JobResult) -> None:
    """Four failures, a byte, and four more do not open the breaker."""
    bench = GateBench()
    for _ in range(3):
        bench.fail(4)
        bench.attempt(answer)
    assert bench.opens_in == 0.0
    bench.fail(4)
    assert bench.opens_in == 0.0
    bench.fail(1)
    assert bench.opens_in > 0.0


@pytest.mark.parametrize(
    "kind",
    [ErrorKind.DNS, ErrorKind.CONNECT, ErrorKind.TLS, ErrorKind.TIMEOUT, ErrorKind.RESET],
)
def test_failures_before_the_first_byte_count(kind: ErrorKind) -> None:
    """Look-up, connection, TLS, and the time-out of the head count."""
    bench = GateBench()
    bench.fail(5, unreached(kind=kind))
    assert bench.opens_in == 2.0


@pytest.mark.parametrize(
    "kind",
    [
        *(ErrorKind.PROXY, ErrorKind.NO_NETWORK, ErrorKind.NO_MEMORY, ErrorKind.INTERRUPTED),
        *(ErrorKind.NO_DESCRIPTORS, ErrorKind.FORBIDDEN_ADDRESS, ErrorKind.CERTIFICATE),
    ],
)
def test_other_failures_do_not_count(kind: ErrorKind) -> None:
    """A failure of the proxy, of this machine or of its network says nothing of the host."""
    bench = GateBench()
    bench.fail(20, unreached(kind=kind))
    assert bench.opens_in == 0.0


def test_an_open_breaker_lets_one_probe_through() -> None:
    """Only one attempt runs at a time, whatever ran before."""
    bench = GateBench()
    old = [bench.begin() for _ in range(20)]
    for number in old[:8]:
        bench.end(number, REFUSED)
    bench.now += 2.0
    assert len(bench.begin_all()) == 1
    for number in old[8:]:
        bench.end(number, REFUSED)
    assert bench.opens_in == inf


@pytest.mark.parametrize("closing", ["probe", "old attempt", "bytes without a reply"])
def test_any_byte_closes_the_breaker(closing: str) -> None:
    """A reply to the probe or to an old attempt, and bytes that are no reply, close it."""
    bench = GateBench()
    old = bench.begin()
    bench.fail(5)
    if closing == "old attempt":
        bench.gate.note_reply(old, 200)
    else:
        bench.now += 2.0
        answer = busy() if closing == "probe" else good()._replace(kind=ErrorKind.NOT_HTTP)
        bench.attempt(answer if closing == "probe" else answer._replace(http_status=None))
    assert (bench.opens_in, bench.phase()) == (0.0, None)
    assert len(bench.begin_all()) == 50
    assert not bench.gate.awaits_replies


@pytest.mark.parametrize(
    ("result", "seconds"), [(REFUSED, 7.5), (NO_NAME, 2.0), (unreached(), 7.5)]
)
def test_a_host_that_never_answered_is_down_soon(result: JobResult, seconds: float) -> None:
    """After its probes its jobs fail at once: after 7.5 s, or 2 s without a name."""
    bench = GateBench()
    bench.fail(5, result)
    start = bench.now
    bench.fail(1 if result is NO_NAME else 2, result)
    bench.now = start + seconds
    refusal = bench.refusal()
    assert refusal is not None
    assert (refusal.kind, refusal.contact) == (ErrorKind.HOST_DOWN, None)
    assert result.message in refusal.message
    assert bench.phase() is HostPhase.DOWN


@pytest.mark.parametrize("result", [REFUSED, NO_NAME])
def test_before_that_time_no_job_fails(result: JobResult) -> None:
    """Until a host that never answered counts as down, its jobs wait."""
    bench = GateBench()
    bench.fail(5, result)
    start = bench.now
    if result is REFUSED:
        bench.fail(2, result)
        bench.now = start + 7.49
    else:
        bench.now = start + 1.99
    assert bench.opens_in == pytest.approx(0.01)


def test_a_host_that_has_answered_gets_the_outage_wait() -> None:
    """Its probes fail for ten minutes, then its jobs fail at once."""
    bench = GateBench(good_replies=1)
    bench.fail(5)
    start, probes = bench.now, []
    while not bench.is_refused():
        bench.now += bench.opens_in
        if not bench.is_refused():
            probes.append(bench.now - start)
            bench.attempt(REFUSED)
    assert probes[:4] == [5.0, 15.0, 35.0, 75.0]
    assert bench.now - start == 600.0
    assert bench.refusal() is not None


@pytest.mark.parametrize("answer", [busy(), busy(1.0), busy(status=404), busy(7200.0)])
def test_a_busy_reply_is_an_answer(answer: JobResult) -> None:
    """A host that has only said 503 or 404, and is gone then, gets the outage wait, too."""
    bench = GateBench()
    bench.attempt(answer)
    bench.now += 10_000.0
    bench.fail(5)
    assert bench.opens_in == 5.0


def test_one_probe_a_minute_goes_on() -> None:
    """Of a host that is down, one job a minute is tried; all others fail at once."""
    bench = GateBench()
    bench.fail(7)
    bench.now += 0.5
    for _ in range(3):
        assert bench.refusal() is not None
        bench.now += 59.9
        assert bench.refusal() is not None
        bench.now += 0.1
        probe = bench.begin()
        assert probe
        assert bench.refusal() is not None
        bench.now += 10.0
        bench.end(probe, REFUSED)


@pytest.mark.parametrize("answer", [good(), busy()])
def test_a_host_that_is_back_is_like_all_others(answer: JobResult) -> None:
    """A byte for the probe of a host that was down ends the refusal."""
    bench = GateBench()
    bench.fail(7)
    bench.now += 0.5
    assert bench.refusal() is not None
    bench.now += 60.0
    bench.attempt(answer)
    assert (bench.opens_in, bench.is_refused(), bench.phase()) == (0.0, False, None)
    bench.fail(4)
    assert bench.opens_in == 0.0


def test_a_host_that_was_not_asked_is_asked_before_its_jobs_fail() -> None:
    """If no job came while the probes were due, the first one that comes is the probe."""
    bench = GateBench(good_replies=1)
    bench.fail(5)
    bench.now += 1000.0
    assert bench.begin()


# Two troubles at the same time.


def test_a_breaker_in_a_pause() -> None:
    """A host that is paused, then fails, then is back, begins as after a pause."""
    bench = GateBench()
    begun = [bench.begin() for _ in range(20)]
    bench.end(begun[0], busy(3.0))
    for number in begun[1:]:
        bench.end(number, REFUSED)
    bench.now += 5.0
    [probe] = bench.begin_all()
    bench.end(probe, good())
    assert len(bench.begin_all()) == 2


def test_a_throttled_host_that_goes_and_comes_back() -> None:
    """A reply after both troubles ends both, and the limits of the user hold."""
    bench = GateBench(make_policy(outage_wait=60.0), limits=HostLimits(connections=3))
    bench.fail(3, busy(30.0))
    assert bench.is_refused()
    for _ in range(6):
        bench.now += 60.0
        bench.attempt(REFUSED)
    bench.now += 60.0
    bench.attempt(good())
    assert not bench.is_refused()
    assert len(bench.begin_all()) == 3


def test_a_running_probe_is_waited_for() -> None:
    """A host does not count as down while a probe runs, even if its time is over."""
    bench = GateBench(good_replies=1)
    bench.fail(5)
    bench.now += 599.0
    probe = bench.begin()
    bench.now += 10.0
    assert (bench.opens_in, bench.is_refused()) == (inf, False)
    bench.end(probe, REFUSED)
    assert bench.refusal() is not None
