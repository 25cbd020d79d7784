"""The watch for a lost network: the signs, and whom it holds back, excuses and tells."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.hosts import job_of, name_of, unreached
from url_downloader.engine.outage import (
    TRY_SECONDS,
    NetworkView,
    Outage,
    Signs,
    Verdict,
    verdict,
)
from url_downloader.shared.contact import Trouble
from url_downloader.shared.models import ErrorKind, JobResult

SILENT = unreached(Trouble.SILENCE, kind=ErrorKind.TIMEOUT)
NO_NETWORK = unreached(Trouble.NO_NETWORK)
USUAL = Signs(
    trouble=Trouble.SILENCE,
    silent_for=10.0,
    waited=0.0,
    failed_hosts=5,
    asked_hosts=5,
    is_unreachable=True,
)


@pytest.mark.parametrize(
    ("signs", "wanted"),
    [
        (USUAL, Verdict.OUTAGE),
        (USUAL._replace(silent_for=9.9), Verdict.UNKNOWN),
        (USUAL._replace(waited=99.0), Verdict.OUTAGE),
        (USUAL._replace(is_unreachable=False), Verdict.TRY),
        (USUAL._replace(is_unreachable=False, silent_for=0.0), Verdict.TRY),
        (USUAL._replace(failed_hosts=4), Verdict.UNKNOWN),
        (USUAL._replace(failed_hosts=4, waited=9.9), Verdict.UNKNOWN),
        (USUAL._replace(failed_hosts=4, waited=10.0), Verdict.NO_OUTAGE),
        (USUAL._replace(failed_hosts=4, asked_hosts=4), Verdict.NO_OUTAGE),
        (USUAL._replace(failed_hosts=1, asked_hosts=1), Verdict.NO_OUTAGE),
    ],
)
@pytest.mark.parametrize("trouble", [Trouble.SILENCE, Trouble.NO_NETWORK])
def test_verdicts(signs: Signs, wanted: Verdict, trouble: Trouble) -> None:
    """Five silent hosts or an error of this machine suggest an outage; then 10 s decide."""
    if trouble is Trouble.NO_NETWORK and signs.failed_hosts < 5:
        wanted = Verdict.OUTAGE
    assert verdict(signs._replace(trouble=trouble)) is wanted


class OutageBench:
    """A watch without threads: its waits take virtual time, and have what happens meanwhile.

    Args:
        outage_wait: Seconds to wait for the network.

    Attributes:
        now: Time in seconds; the last byte came at 100.
        signs: Number of life signs.
        asked: Letters of the hosts that are being asked.
        is_reachable: Whether a bare connection works.
        tries: Times of the bare connections.
        calls: Calls of the callbacks.
    """

    def __init__(self, outage_wait: float = 600.0) -> None:
        self.now = 0.0
        self.signs = 0
        self.asked = ""
        self.is_reachable = False
        self.is_cancelled = False
        self.tries: list[float] = []
        self.calls: list[str] = []
        self._script: list[tuple[float, Callable[[], object]]] = []
        view = NetworkView(
            life_signs=lambda: self.signs,
            asked_hosts=lambda: {name_of(each) for each in self.asked},
            is_reachable=self._try,
            is_cancelled=lambda: self.is_cancelled,
        )
        self.outage = Outage(
            view,
            on_begin=lambda: self.calls.append("begin"),
            on_end=lambda: self.calls.append("end"),
            on_too_long=lambda: self.calls.append("too long"),
            outage_wait=outage_wait,
            now=lambda: self.now,
        )
        changed: Any = self.outage._changed
        changed.wait = self._wait
        self.hear(100.0)

    def at(self, time: float, act: Callable[[], object]) -> None:
        """Have the act happen at this time, while a judgement waits."""
        self._script.append((time, act))
        self._script.sort(key=lambda each: each[0])

    def hear(self, now: float) -> None:
        """Have a byte come at a time, at which the watchdog looks."""
        self.now = now
        self.signs += 1
        self.outage.check()

    def check_until(self, now: float) -> None:
        """Have the watchdog look each second, until a time."""
        while self.now < now - 1.0:
            self.now += 1.0
            self.outage.check()
        self.now = now
        self.outage.check()

    def judge(self, host: str = "a", result: JobResult = SILENT) -> JobResult:
        """Judge the result of an attempt at a host."""
        return self.outage.judge(job_of(host), result)

    def is_excused(self, host: str = "a", result: JobResult = SILENT) -> bool:
        """Judge a result; tell whether it is excused."""
        return self.judge(host, result).is_excused

    def begin(self) -> None:
        """Have an outage begin at 110."""
        self.now = 110.0
        assert self.is_excused(result=NO_NETWORK)

    def _try(self) -> bool:
        self.tries.append(self.now)
        return self.is_reachable

    def _wait(self, timeout: float) -> bool:
        self.now = round(self.now + timeout, 6)
        while self._script and self._script[0][0] <= self.now:
            _, act = self._script.pop(0)
            act()
        return True


@pytest.mark.parametrize(
    "result",
    [
        JobResult(),
        JobResult(kind=ErrorKind.LOCAL),
        unreached(),
        unreached(Trouble.NO_NAME, kind=ErrorKind.DNS),
        unreached(kind=ErrorKind.TLS),
    ],
)
def test_other_failures_are_no_sign(result: JobResult) -> None:
    """A refused connection, a missing name and a TLS failure are always the host's."""
    bench = OutageBench()
    bench.begin()
    assert bench.judge(result=result) is result


@pytest.mark.parametrize("result", [SILENT, NO_NETWORK])
def test_before_the_first_byte_there_is_no_outage(result: JobResult) -> None:
    """If nothing has been reached in this run, failures count from the first one on."""
    bench = OutageBench()
    bench.outage._heard = bench.signs = 0
    bench.now = 500.0
    assert bench.judge(result=result) is result
    assert bench.now == 500.0


def test_an_error_of_this_machine_is_held_back_for_ten_seconds() -> None:
    """The failure waits until 10 s after the last byte; then it is excused."""
    bench = OutageBench()
    bench.now = 101.0
    result = bench.judge(result=NO_NETWORK)
    assert (result.kind, result.contact) == (ErrorKind.NO_NETWORK, NO_NETWORK.contact)
    assert NO_NETWORK.message in result.message
    assert 110.0 <= bench.now <= 110.5
    assert (bench.calls, bench.outage.is_on) == (["begin"], True)


def test_five_silent_hosts_are_an_outage() -> None:
    """The fifth host that fails settles it for all of them, from the first one on."""
    bench = OutageBench()
    bench.asked = "abcde"
    excused: list[bool] = []

    def judge(host: str) -> None:
        excused.append(bench.is_excused(host))

    for number, host in enumerate("bcde", start=1):
        bench.at(103.0 + number, functools.partial(judge, host))
    bench.now = 103.0
    judge("a")
    assert (excused, bench.calls) == ([True] * 5, ["begin"])
    assert 110.0 <= bench.now <= 110.5


@pytest.mark.parametrize("asked", ["abcd", "a"])
def test_a_few_silent_hosts_are_down(asked: str) -> None:
    """With fewer than five hosts their silence is theirs, at once."""
    bench = OutageBench()
    bench.asked = asked
    bench.now = 200.0
    for host in asked:
        assert not bench.is_excused(host)
    assert (bench.now, bench.tries, bench.calls) == (200.0, [], [])


def test_hosts_that_failed_before_a_byte_do_not_count() -> None:
    """A byte shows that the network is there, so the silence before was that of the hosts."""
    bench = OutageBench()
    for host in "abcd":
        assert not bench.is_excused(host)
    bench.hear(150.0)
    bench.now = 170.0
    assert not bench.is_excused("e")
    assert (bench.now, bench.tries) == (170.0, [])


def test_one_silent_host_of_many_waits_for_the_others() -> None:
    """While others are asked, a failure is held back; after 10 s it is the host's."""
    bench = OutageBench()
    bench.asked = "abcdefgh"
    bench.now = 103.0
    assert not bench.is_excused()
    assert 113.0 <= bench.now <= 113.5


@pytest.mark.parametrize("result", [SILENT, NO_NETWORK])
def test_a_byte_from_any_host_refutes_it(result: JobResult) -> None:
    """A byte that comes while a failure is held back makes it the host's."""
    bench = OutageBench()
    bench.asked = "abcdefgh"

    def hear() -> None:
        bench.signs += 1

    bench.at(105.0, hear)
    bench.now = 103.0
    assert bench.judge(result=result) is result
    assert 105.0 <= bench.now <= 105.5
    assert bench.calls == []


def test_a_bare_connection_refutes_it() -> None:
    """If the address that answered last can be reached, the failure is the host's."""
    bench = OutageBench()
    bench.is_reachable = True
    bench.now = 150.0
    assert not bench.is_excused(result=NO_NETWORK)
    assert (bench.now, bench.tries, bench.calls) == (150.0, [150.0], [])
    bench.now = 150.1
    assert not bench.is_excused("b", NO_NETWORK)
    assert len(bench.tries) == 1
    bench.now = 150.25
    assert not bench.is_excused("c", NO_NETWORK)
    assert len(bench.tries) == 2


def test_bare_connections_are_rare() -> None:
    """While failures are held back, one a second is tried, for all of them together."""
    bench = OutageBench()
    bench.at(102.0, lambda: bench.is_excused("b", NO_NETWORK))
    bench.now = 101.0
    assert bench.is_excused(result=NO_NETWORK)
    gaps = [later - early for early, later in zip(bench.tries, bench.tries[1:], strict=False)]
    assert 9 <= len(bench.tries) <= 11
    assert min(gaps) >= TRY_SECONDS


def test_in_an_outage_failures_are_excused_at_once() -> None:
    """Further failures wait for nothing, and begin nothing."""
    bench = OutageBench()
    bench.begin()
    assert bench.is_excused("b")
    assert bench.is_excused("c", NO_NETWORK)
    assert (bench.now, bench.calls) == (110.0, ["begin"])


def test_a_run_that_is_ended_holds_nothing_back() -> None:
    """If the run is cancelled meanwhile, the job counts as not ended."""
    bench = OutageBench()

    def cancel() -> None:
        bench.is_cancelled = True

    bench.at(103.0, cancel)
    bench.now = 102.0
    assert bench.is_excused(result=NO_NETWORK)
    assert 103.0 <= bench.now <= 103.5
    assert bench.calls == []


def test_a_byte_ends_the_outage() -> None:
    """The watchdog's next look tells it, once."""
    bench = OutageBench()
    bench.begin()
    bench.outage.check()
    bench.hear(140.0)
    bench.outage.check()
    assert (bench.calls, bench.outage.is_on) == (["begin", "end"], False)


def test_a_worker_that_sees_the_end_first_hides_it_from_nobody() -> None:
    """If a judgement notices the byte before the watchdog, the end is told all the same."""
    bench = OutageBench()
    bench.begin()
    bench.now, bench.signs = 140.0, bench.signs + 1
    assert not bench.is_excused("b")
    assert not bench.outage.is_on
    bench.outage.check()
    bench.outage.check()
    assert bench.calls == ["begin", "end"]


def test_an_end_while_the_begin_is_told() -> None:
    """However a byte and the begin of the outage cross, the end is told after the begin."""
    bench = OutageBench()
    tell = bench.outage._on_begin

    def hear_first() -> None:
        bench.hear(111.0)
        tell()

    bench.outage._on_begin = hear_first
    bench.begin()
    bench.outage.check()
    assert (bench.calls, bench.outage.is_on) == (["begin", "end"], False)


def test_a_second_outage_begins_anew() -> None:
    """After a byte, the ten seconds and the hosts count from the beginning."""
    bench = OutageBench()
    bench.begin()
    bench.hear(140.0)
    bench.now = 141.0
    assert bench.is_excused(result=NO_NETWORK)
    assert 150.0 <= bench.now <= 150.5
    assert bench.calls == ["begin", "end", "begin"]


@pytest.mark.parametrize(("outage_wait", "now"), [(600.0, 700.0), (60.0, 160.0)])
def test_an_outage_that_lasts_too_long(outage_wait: float, now: float) -> None:
    """The run ends when nothing has come for the outage wait, counted from the last byte."""
    bench = OutageBench(outage_wait)
    bench.check_until(109.0)
    bench.begin()
    bench.check_until(now - 0.1)
    assert bench.calls == ["begin"]
    bench.check_until(now)
    assert bench.calls == ["begin", "too long"]


def test_a_process_that_was_stopped_has_not_waited() -> None:
    """The time of a SIGSTOP, or of a machine that slept, is no part of the outage wait."""
    bench = OutageBench(60.0)
    bench.check_until(109.0)
    bench.begin()
    bench.check_until(120.0)
    bench.check_until(bench.now + 0.5)
    bench.now = 1120.5
    bench.outage.check()
    bench.check_until(1159.5)
    assert bench.calls == ["begin"]
    bench.check_until(1160.0)
    assert bench.calls == ["begin", "too long"]


def test_silence_alone_never_ends_a_run() -> None:
    """Without a failure that shows an outage, the watch does nothing, however long it takes."""
    bench = OutageBench()
    bench.now = 10_000.0
    bench.outage.check()
    assert bench.calls == []
