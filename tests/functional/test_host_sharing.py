"""Workers that many hosts share, in simulated runs: quick hosts, slow ones, long lists."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.host_simulation import (
    Answer,
    Ask,
    HostSimulation,
    Script,
    Setup,
    most_at_once,
    replies,
)
from tests.support.hosts import job_of, make_policy
from url_downloader.config.host_settings import HostLimits
from url_downloader.shared.contact import Trouble
from url_downloader.shared.models import DownloadJob, ErrorKind

EIGHT = Setup(workers=8)


def jobs_of(hosts: Sequence[str]) -> Iterator[DownloadJob]:
    """Yield a job for each of these hosts."""
    for number, host in enumerate(hosts, start=1):
        yield job_of(host, number)


def test_quick_hosts_do_not_wait_for_a_slow_one() -> None:
    """400 quick and 40 slow URLs, mixed, with 8 workers: the quick ones take under 2 s."""
    run = HostSimulation({"q": replies(0.01), "s": replies(2.0)}, EIGHT)
    run.run(jobs_of(("q" * 10 + "s") * 40))
    assert run.last_end("q") < 2.0
    assert run.last_end("s") <= 14.0


@pytest.mark.parametrize("line_seconds", [0.0, 0.0005])
def test_a_slow_half_of_the_list_costs_the_quick_half_little(line_seconds: float) -> None:
    """One host at 5 s with half of 2,000 lines: 50 quick hosts take 1.15 times their time."""
    quick = [f"q{n % 50}" for n in range(1000)]
    mixed = [host for each in quick for host in ("s", each)]
    random.Random(1).shuffle(mixed)
    setup = Setup(workers=16, line_seconds=line_seconds)
    times = []
    for hosts in (quick, mixed):
        scripts = dict.fromkeys(quick, replies(0.2)) | {"s": replies(5.0)}
        run = HostSimulation(scripts, setup)
        run.run(jobs_of(hosts), seconds=400.0)
        ends = [end.time for number, end in run.ends.items() if hosts[number - 1] != "s"]
        assert len(ends) == 1000
        times.append(max(ends))
    assert times[1] <= 1.15 * times[0]


def test_a_host_at_the_end_of_the_list_starts_when_it_is_read() -> None:
    """10,000 lines of one host, then 10 of another: these start within a second."""
    read_at = 0.0

    def listed(run: HostSimulation) -> Iterator[DownloadJob]:
        nonlocal read_at
        for job in jobs_of("a" * 10_000 + "b" * 10):
            if job.job_id == 10_001:
                read_at = run.elapsed()
            yield job

    run = HostSimulation({"a": replies(0.1), "b": replies(0.1)}, EIGHT)
    run.run(listed(run))
    assert 1.0 < read_at <= run.begins("b")[0] < read_at + 1.0
    assert run.last_end("b") < read_at + 2.0


def test_a_look_ahead_full_of_one_host_stops_no_other() -> None:
    """A slow host fills the look-ahead: another one, once read, gets its share at once."""
    hosts = "a" * 200 + "b" * 20
    run = HostSimulation(
        {"a": replies(10.0), "b": replies(0.1)}, Setup(workers=8, look_ahead=100)
    )
    run.run(jobs_of(hosts))
    begins = run.begins("b")
    assert begins[-1] - begins[0] <= 10.5
    assert run.last_end() <= 260.0


def test_a_slow_list_keeps_all_workers_busy() -> None:
    """With a line every 20 ms, a host gets all workers but one, when nothing else is there."""
    run = HostSimulation(
        {"a": replies(1.0), "b": replies(1.0)}, Setup(workers=8, line_seconds=0.02)
    )
    run.run(jobs_of("a" * 300 + "b"))
    middle = [each for each in run.log["a"] if 1.0 < each.begin < 5.0]
    assert most_at_once(middle) == 8
    assert run.last_end("a") < 300 / 7 + 3.0


def test_many_hosts_with_one_url_each() -> None:
    """20,000 hosts: all workers are busy up to the end, and no host is known afterwards."""
    run = HostSimulation(lambda _: replies(0.1), Setup(workers=64))
    run.run(job_of(f"h{number}", number) for number in range(1, 20_001))
    assert run.last_end() == pytest.approx(20_000 / 64 * 0.1, rel=0.02)
    assert len(run.tasks._order._table.hosts) <= 64 / 0.1 + 64


def test_the_order_of_a_host_is_that_of_the_list() -> None:
    """One worker asks hosts by turns, and the URLs of each host in the order of the list."""
    run = HostSimulation({each: replies(0.1) for each in "abc"}, Setup(workers=1))
    run.run(jobs_of("aaabbbccc" * 20))
    for host in "abc":
        numbers = [each.job for each in run.log[host]]
        assert numbers == sorted(numbers)


REPLIES = [
    Answer(seconds, status, retry_after, body_seconds=body_seconds)
    for seconds in (0.0, 0.1, 2.0)
    for status in (200, 404, 429, 500, 503)
    for retry_after in (None, 1.0, 20.0, 700.0)
    for body_seconds in (0.0, 5.0)
]
REDIRECTS = [Answer(seconds, 302, location=host) for seconds in (0.0, 0.1) for host in "abcd"]
FAILURES = [
    Answer(seconds, error=kind, trouble=trouble)
    for seconds in (0.0, 0.1, 30.0)
    for kind, trouble in (
        (ErrorKind.CONNECT, None),
        (ErrorKind.TIMEOUT, Trouble.SILENCE),
        (ErrorKind.TRUNCATED, None),
        (ErrorKind.DNS, Trouble.NO_NAME),
    )
]
GOOD = [Answer()]
ANSWERS = st.sampled_from([GOOD, REPLIES, REDIRECTS, FAILURES]).flatmap(st.sampled_from)


def follows(answers: Sequence[Answer]) -> Script:
    """Return the script of a host that gives these answers by turns."""

    def script(ask: Ask) -> Answer:
        answer = answers[ask.number % len(answers)]
        # Not for ever: a real attempt gives up after some redirects.
        return Answer() if answer.location and ask.number > 100 else answer

    return script


@settings(max_examples=50)
@given(
    scripts=st.fixed_dictionaries({each: st.lists(ANSWERS, min_size=1) for each in "abcd"}),
    hosts=st.lists(st.sampled_from("abcd"), max_size=40),
    workers=st.integers(1, 9),
    look_ahead=st.sampled_from([3, 20, 4000]),
    cap=st.integers(0, 3),
    interval=st.sampled_from([0.0, 0.5]),
)
def test_any_run_ends(
    scripts: dict[str, list[Answer]], hosts: list[str], **numbers: float
) -> None:
    """Whatever hosts do: all jobs end, caps and rates hold, and no worker idles busily."""
    cap, interval = int(numbers["cap"]), numbers["interval"]
    setup = Setup(
        workers=int(numbers["workers"]),
        look_ahead=int(numbers["look_ahead"]),
        queue_size=2,
        policy=make_policy(HostLimits(connections=cap, interval=interval)),
    )
    run = HostSimulation({host: follows(each) for host, each in scripts.items()}, setup)
    run.run(jobs_of(hosts))
    requests = sum(len(log) for log in run.log.values())
    assert run.time.waits < 500 + 40 * (requests + len(hosts)) + 25 * run.elapsed()
    # The redirects of one attempt come without a delay; what comes later waits for them.
    is_even = not any(each.location for answers in scripts.values() for each in answers)
    for host in scripts:
        assert not cap or run.most_at_once(host) <= cap
        begins = run.begins(host)
        gaps = [late - early for early, late in zip(begins, begins[10:], strict=False)]
        assert not is_even or min(gaps, default=inf) >= 0.95 * 10 * interval
    order = run.tasks._order
    redirected = order._redirected
    assert (order.listed, order.retries) == (0, 0)
    assert (redirected._visited, redirected._reserved) == ({}, {})
    assert all(host.running == 0 for host in order._table.hosts.values())
