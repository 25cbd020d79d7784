"""Hosts that ask for a pause, fail or die, in simulated runs: their logs are the judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.support.host_simulation import (
    Answer,
    Ask,
    HostSimulation,
    Script,
    Setup,
    dies,
    has_no_name,
    is_silent,
    most_at_once,
    redirects,
    refuses,
    replies,
)
from tests.support.hosts import job_of, make_policy
from url_downloader.config.settings import RetrySettings
from url_downloader.shared.models import DownloadJob, ErrorKind

WORKERS = 32
MANY = Setup(workers=WORKERS)


def jobs_of(hosts: Sequence[str]) -> Iterator[DownloadJob]:
    """Yield a job for each of these hosts."""
    for number, host in enumerate(hosts, start=1):
        yield job_of(host, number)


def run_of(
    scripts: dict[str, Script], hosts: Sequence[str], setup: Setup = MANY
) -> HostSimulation:
    """Return a run of a job for each of these hosts, after its end."""
    run = HostSimulation(scripts, setup)
    run.run(jobs_of(hosts))
    return run


# Pauses.


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("is_redirected", [False, True])
def test_a_retry_after_is_silence_and_then_one_probe(status: int, is_redirected: bool) -> None:
    """One of 32 parallel replies says 3 s: nothing more comes for 3 s, then one request."""

    def script(ask: Ask) -> Answer:
        if ask.number == 7:
            return Answer(0.2, status, retry_after=3.0)
        return Answer(1.0 + ask.number / 100)

    scripts = {"a": script, "b": redirects("a", 0.0)}
    setup = Setup(workers=WORKERS, retry=RetrySettings(retry_on=frozenset({429})))
    run = run_of(scripts, ("b" if is_redirected else "a") * 40, setup)
    assert run.failed() == {}
    begins = run.begins("a")
    assert begins[:32] == [0.0] * 32
    assert begins[32] == pytest.approx(3.2)
    assert begins[33] > 4.2
    assert len(begins) == 41


def test_pauses_grow_slowly_back_to_the_old_number() -> None:
    """After a pause the number of parallel requests grows by one with each success."""
    answers = {7: Answer(0.2, 503, retry_after=3.0)}
    run = run_of({"a": lambda ask: answers.get(ask.number, Answer(1.0))}, "a" * 400)
    begins = [begin for begin in run.begins("a") if begin >= 3.0]
    assert [begins.count(begin) for begin in sorted(set(begins))[:5]] == [1, 2, 4, 8, 16]
    assert run.most_at_once("a") == WORKERS


def test_a_storm_is_one_incident() -> None:
    """32 replies 429 at the same time: one pause of 5 s, one probe, then one of 10 s."""
    script = dies(0.0, 5.15, script=replies(0.1), failure=replies(0.1, status=429))
    run = run_of({"a": script}, "a" * 100)
    begins = [begin for begin in run.begins("a") if begin > 0.2]
    assert begins[:2] == pytest.approx([5.1, 15.2])
    assert begins[2] > 15.2
    # The replies of one moment end one by one: before the fifth, four more requests were sent.
    assert len(run.log["a"]) - len(begins) == WORKERS + 4


def is_paused_once(seconds: float) -> Script:
    """Return the script of a host whose first reply asks for a pause."""
    first = Answer(0.1, 503, retry_after=seconds)
    return lambda ask: first if ask.number == 1 else Answer(0.1)


def test_the_ends_of_many_pauses_start_all() -> None:
    """50 hosts whose pauses end at the same time: each is asked in that moment."""
    hosts = [f"h{n}" for n in range(50)]
    run = run_of(dict.fromkeys(hosts, is_paused_once(30.0)), hosts * 4, Setup(workers=50))
    assert run.failed() == {}
    for host in hosts:
        assert next(begin for begin in run.begins(host) if begin > 0.2) == pytest.approx(30.1)


def test_waiting_for_paused_hosts_takes_no_work() -> None:
    """While all hosts are paused, no worker looks for a job again and again."""
    hosts = [f"h{n}" for n in range(50)]
    run = HostSimulation(dict.fromkeys(hosts, is_paused_once(500.0)), Setup(workers=50))
    run.run(jobs_of(hosts * 4), seconds=499.0)
    assert run.time.waits < 4 * 50
    assert max(run.begins(host)[-1] for host in hosts) < 0.3
    assert len(run.ends) < 100


def busy_for_a_minute(_: Ask) -> Answer:
    """Ask for a pause of a minute."""
    return Answer(0.1, 503, retry_after=60.0)


def test_a_full_queue_of_paused_hosts_is_no_deadlock() -> None:
    """Producer blocked, all hosts paused, and retries due: all goes on afterwards."""
    script = dies(0.0, 0.5, script=replies(0.1), failure=busy_for_a_minute)
    setup = Setup(workers=8, look_ahead=20, queue_size=1)
    run = run_of({"a": script, "b": script, "c": script}, "abc" * 100, setup)
    assert run.failed() == {}
    assert len(run.ends) == 300


def test_a_tenth_of_busy_replies_slows_nothing() -> None:
    """503 without Retry-After for a tenth of the URLs: no pause, and as quick as without."""
    good = run_of({"a": replies(0.1)}, "a" * 2000)
    busy = run_of(
        {"a": lambda ask: Answer(0.1, 503 if ask.number % 10 == 0 else 200)}, "a" * 2000
    )
    assert busy.failed() == {}
    requests = len(busy.log["a"])
    assert requests == pytest.approx(2000 / 0.9, rel=0.01)
    early, late = (sorted(end.time for end in run.ends.values())[1900] for run in (good, busy))
    assert late <= 1.15 * early


@pytest.mark.parametrize(
    ("answer", "seconds", "kind"),
    [
        (Answer(0.1, 503), 640.0, ErrorKind.HOST_THROTTLED),
        (Answer(0.1, 429), 640.0, ErrorKind.HOST_THROTTLED),
        (Answer(0.1, 503, retry_after=30.0), 633.0, ErrorKind.HOST_THROTTLED),
        (Answer(0.1, 429, retry_after=500.0), 1001.0, ErrorKind.HOST_THROTTLED),
        (Answer(0.1, 503, retry_after=601.0), 0.2, ErrorKind.RETRY_AFTER),
    ],
)
@pytest.mark.parametrize("jobs", [40, 6000])
def test_a_host_that_is_only_busy(
    answer: Answer, seconds: float, kind: ErrorKind, jobs: int
) -> None:
    """When nothing else has come for ten minutes, all jobs fail: every run ends."""
    run = run_of({"a": lambda _: answer}, "a" * jobs)
    assert len(run.ends) == jobs
    assert run.last_end() <= seconds
    assert run.failed().get(kind, 0) >= jobs - WORKERS - 21
    assert len(run.log["a"]) < 100


def test_a_throttled_host_is_tried_once_a_minute() -> None:
    """When it works again, the jobs that are read then are downloaded."""
    script = dies(0.0, 800.0, script=replies(0.1), failure=replies(0.1, status=503))
    setup = Setup(workers=8, line_seconds=1.0)
    run = run_of({"a": script}, "a" * 1000, setup)
    begins = [each.begin for each in run.log["a"] if 650.0 < each.begin < 850.0]
    assert 2 <= sum(begin < 800.0 for begin in begins) <= 3
    assert len(run.ends) - sum(run.failed().values()) >= 130


# Hosts that are down.


@pytest.mark.parametrize(
    ("script", "requests", "seconds"),
    [(has_no_name, 21, 2.6), (refuses, 22, 7.6), (is_silent, 22, 98.0)],
)
def test_a_dead_host_costs_few_requests(script: Script, requests: int, seconds: float) -> None:
    """Of 6,000 URLs of a host that is down, all fail after a few requests."""
    run = run_of({"a": script}, "a" * 6000, Setup(workers=16))
    assert len(run.log["a"]) <= requests
    assert run.last_end() <= seconds
    assert run.failed() == {ErrorKind.HOST_DOWN: 6000}


@pytest.mark.parametrize("script", [has_no_name, refuses, is_silent])
def test_a_dead_host_does_not_delay_others(script: Script) -> None:
    """The URLs of other hosts are done as if the dead one was not there."""
    run = run_of({"a": script, "b": replies(0.1)}, "ab" * 500, Setup(workers=8))
    assert run.last_end("b") <= 13.0
    assert all(end.result.kind is None for n, end in run.ends.items() if n % 2 == 0)


@pytest.mark.parametrize("failure", [refuses, is_silent, replies(0.1, status=503)])
def test_a_host_that_dies_for_a_minute_fails_nothing(failure: Script) -> None:
    """A host that is down from 10 s to 70 s: all its URLs are downloaded in the end."""
    script = dies(10.0, 70.0, script=replies(0.1), failure=failure)
    run = run_of({"a": script}, "a" * 8000)
    assert run.failed() == {}
    assert run.last_end() < 300.0


def test_a_busy_host_that_goes_for_a_minute_fails_nothing() -> None:
    """A server that says 503, is gone for a minute, and comes back: a usual update."""
    gone = dies(5.0, 65.0, script=replies(0.1), failure=refuses)
    script = dies(0.0, 5.0, script=gone, failure=replies(0.1, status=503))
    run = run_of({"a": script}, "a" * 300)
    assert run.failed() == {}


def is_silent_for(seconds: float) -> Script:
    """Return the script of a host that accepts the connection, and sends nothing."""
    answer = Answer(seconds, error=ErrorKind.TIMEOUT)
    return lambda _: answer


def test_a_few_dead_hosts_among_many() -> None:
    """2,000 hosts of which 3 % are silent: less than half of the time without a breaker."""
    silent, good = is_silent_for(10.0), replies(0.2)

    def script_of(host: str) -> Script:
        return silent if int(host) % 33 == 0 else good

    hosts = [str(n) for n in range(2000)] * 4
    times = []
    for look_ahead in (4000, 0):
        run = HostSimulation(script_of, Setup(workers=64, look_ahead=look_ahead))
        run.run(jobs_of(hosts))
        assert len(run.ends) == 8000
        assert sum(run.failed().values()) == 4 * 61
        times.append(run.last_end())
    assert times[0] < times[1] / 2


def test_a_dead_host_with_few_urls_is_found() -> None:
    """Three URLs of a dead host take five or six failures and two probes, not 15 attempts."""
    run = run_of({"a": refuses}, "aaa", Setup(workers=8))
    assert run.failed() == {ErrorKind.HOST_DOWN: 3}
    assert len(run.log["a"]) <= 8


def test_a_flaky_host_opens_no_breaker() -> None:
    """A host that refuses a tenth of the connections is never held back."""
    run = run_of(
        {"a": lambda ask: refuses(ask) if ask.number % 10 == 0 else Answer(0.1)}, "a" * 2000
    )
    assert run.failed() == {}
    assert run.last_end() < 2000 / 0.9 * 0.1 / WORKERS + 3.0


def test_the_probes_of_a_dead_host_come_one_by_one() -> None:
    """From the fifth failure on, requests never overlap."""
    run = run_of({"a": dies(5.0, 200.0, script=replies(0.1), failure=is_silent)}, "a" * 5000)
    probes = [each for each in run.log["a"] if 40.0 < each.begin < 200.0]
    assert 1 <= len(probes) <= 5
    assert most_at_once(probes) == 1
    assert run.failed() == {}


def test_outage_wait_of_zero_waits_for_no_host() -> None:
    """With --outage-wait 0, a host that was there is given up as one that never was."""
    setup = Setup(workers=8, policy=make_policy(outage_wait=0.0))
    run = run_of({"a": dies(1.0, 1e9, script=replies(0.1))}, "a" * 1000, setup)
    assert run.last_end() < 10.0
    assert run.failed()[ErrorKind.HOST_DOWN] > 900
