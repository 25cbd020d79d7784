"""Caps and rates in simulated runs: the log of the hosts is the judge."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.host_simulation import (
    Answer,
    Ask,
    HostSimulation,
    Script,
    Setup,
    redirects,
    replies,
)
from tests.support.hosts import job_of, make_policy
from url_downloader.config.host_settings import HostLimits
from url_downloader.config.settings import RetrySettings
from url_downloader.shared.models import DownloadJob


def jobs_of(hosts: Sequence[str]) -> list[DownloadJob]:
    """Return a job for each of these hosts."""
    return [job_of(host, number) for number, host in enumerate(hosts, start=1)]


def limited(limits: HostLimits, workers: int = 32) -> Setup:
    """Return the settings of a run with these limits for each host."""
    return Setup(workers=workers, policy=make_policy(limits))


def mixed(ask: Ask) -> Answer:
    """Reply in various times, and fail now and then."""
    seconds = 0.05 * (1 + ask.number % 7)
    return Answer(seconds, 500 if ask.number % 11 == 0 else 200, body_seconds=seconds)


@pytest.mark.parametrize(("workers", "cap"), [(8, 1), (32, 4), (1000, 50)])
def test_a_cap_is_never_exceeded(workers: int, cap: int) -> None:
    """However many workers there are, no host gets more attempts at once, and all get some."""
    limits = HostLimits(connections=cap)
    run = HostSimulation({"a": mixed, "b": mixed, "c": mixed}, limited(limits, workers))
    run.run(jobs_of("aaabbc" * 200))
    assert run.failed() == {}
    assert {host: run.most_at_once(host) for host in "abc"} == dict.fromkeys("abc", cap)


@pytest.mark.parametrize("cap", [1, 3])
def test_a_cap_holds_for_redirects(cap: int) -> None:
    """Attempts that other hosts lead to a capped host count there, too."""
    scripts: dict[str, Script] = {each: redirects("z", 0.01) for each in "abcd"}
    run = HostSimulation(scripts | {"z": mixed}, limited(HostLimits(connections=cap)))
    run.run(jobs_of("abcdz" * 60))
    assert run.failed() == {}
    assert run.most_at_once("z") == cap
    assert max(run.most_at_once(host) for host in "abcd") <= cap
    # An attempt that finds no room is made again: but not much more than once for a URL.
    assert sum(len(run.log[host]) for host in "abcd") <= 2.5 * 240


def test_two_capped_hosts_that_lead_to_each_other() -> None:
    """Attempts that hold one place and need another one do not wait for each other."""
    scripts = {"a": redirects("y", 0.01), "b": redirects("x", 0.01), "x": mixed, "y": mixed}
    scripts |= {"c": redirects("a", 0.01), "d": redirects("b", 0.01)}
    run = HostSimulation(scripts, limited(HostLimits(connections=1)))
    run.run(jobs_of("abcdxy" * 30))
    assert run.failed() == {}
    assert {host: run.most_at_once(host) for host in "abcdxy"} == dict.fromkeys("abcdxy", 1)


@pytest.mark.parametrize(("interval", "jobs"), [(0.01, 1000), (0.1, 300), (2.0, 50)])
@pytest.mark.parametrize("seconds", [0.001, 0.5])
def test_a_rate_is_kept(interval: float, jobs: int, seconds: float) -> None:
    """Requests come at the wanted rate, within 5 %, wherever one begins to count."""
    setup = limited(HostLimits(interval=interval), workers=64)
    run = HostSimulation({"a": replies(seconds)}, setup)
    run.run(jobs_of("a" * jobs))
    begins = run.begins("a")
    assert begins[-1] == pytest.approx(interval * (jobs - 1), rel=0.05)
    window = max(jobs // 4, 20)
    for early, late in zip(begins, begins[window:], strict=False):
        assert late - early >= 0.95 * interval * window


def test_a_rate_is_kept_through_redirects() -> None:
    """Requests after redirects count for the host that they go to, and retries count."""
    setup = limited(HostLimits(interval=0.1), workers=64)
    scripts: dict[str, Script] = {each: redirects("z", 0.01) for each in "abcd"}
    run = HostSimulation(scripts | {"z": mixed}, setup)
    run.run(jobs_of("abcdz" * 60))
    assert run.failed() == {}
    begins = run.begins("z")
    assert len(begins) > 300
    assert begins[-1] == pytest.approx(0.1 * len(begins), rel=0.1)
    for early, late in zip(begins, begins[50:], strict=False):
        assert late - early >= 0.95 * 5.0


def test_a_redirect_within_a_host_counts_for_its_rate() -> None:
    """With two requests for each URL, the host gets half as many URLs."""
    answers = [Answer(0.01), Answer(0.01, status=302, location="a")]
    run = HostSimulation(
        {"a": lambda ask: answers[ask.number % 2]}, limited(HostLimits(interval=0.1))
    )
    run.run(jobs_of("a" * 100))
    assert len(run.log["a"]) == 200
    assert run.begins("a")[-1] == pytest.approx(20.0, rel=0.05)


def test_a_slow_rate_delays_no_other_host() -> None:
    """A host with a rate waits; the others go on as if it was not there."""
    policy = make_policy(HostLimits(interval=1.0))
    run = HostSimulation(
        {"a": replies(0.01), "b": replies(0.01)}, Setup(workers=4, policy=policy)
    )
    run.run(jobs_of("a" * 30 + "b" * 30))
    assert run.last_end("b") <= 30.1
    assert run.last_end("a") <= 30.1
    assert run.time.waits < 300


def test_without_retries_a_redirected_job_still_waits() -> None:
    """Waiting for a second host is no attempt: it needs no retry."""
    setup = Setup(
        workers=16,
        policy=make_policy(HostLimits(connections=1)),
        retry=RetrySettings(max_retries=0),
    )
    run = HostSimulation({"a": redirects("z", 0.01), "z": replies(0.1)}, setup)
    run.run([job._replace(max_retries=0) for job in jobs_of("az" * 40)])
    assert run.failed() == {}
