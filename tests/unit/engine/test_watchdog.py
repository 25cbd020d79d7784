"""The watchdog's judgement, stepped through with a clock that is set by hand."""

from __future__ import annotations

import pytest

from url_downloader.engine.watchdog import Watchdog
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.models import AttemptLimits, DownloadJob
from url_downloader.shared.ports import Phase, Progress


class Bench:
    """One worker that gets bytes when the test says so, and the watchdog that looks at it."""

    def __init__(self, **limits: float) -> None:
        self.now = 1000.0
        self.expired: list[tuple[int, str]] = []
        self.control = AttemptControl(now=lambda: self.now)
        self.job = DownloadJob(
            job_id=1,
            url="http://h/",
            output="a",
            max_retries=0,
            limits=AttemptLimits(**limits),
        )
        self.watchdog = Watchdog(
            [("worker-0", self)],
            on_crash=lambda error: None,
            now=lambda: self.now,
        )

    def begin(self, phase: Phase = Phase.REPLYING) -> None:
        """Begin an attempt, and come to that phase at once."""
        self.control.begin(self.job)
        self.enter(phase)

    def enter(self, phase: Phase) -> None:
        """Come to another phase."""
        self.control.enter(phase)

    def progress(self) -> Progress | None:
        return self.control.progress()

    def expire(self, attempt: int, reason: str) -> None:
        self.expired.append((attempt, reason))

    def pass_time(self, seconds: float, *, rate: float = 0) -> None:
        """Let quarters of a second go by, each with its share of bytes and a look."""
        for _ in range(round(seconds * 4)):
            self.now += 0.25
            self.control.add_bytes(round(rate / 4))
            self.watchdog.expire_late()


def test_an_attempt_within_its_limits_goes_on() -> None:
    """Nobody is disturbed who is fast enough, however long it takes."""
    bench = Bench(speed_limit=100, speed_time=30)
    bench.begin()
    bench.pass_time(3600, rate=120)
    assert bench.expired == []


def test_max_time_ends_the_attempt_by_its_number() -> None:
    """The attempt that is late is named, so that no later one is hit."""
    bench = Bench(max_time=10)
    bench.begin()
    bench.control.end()
    bench.begin()
    bench.pass_time(9.75, rate=1e6)
    assert bench.expired == []
    bench.pass_time(0.25, rate=1e6)
    assert bench.expired == [(2, "not complete within --max-time 10 s")]


@pytest.mark.parametrize(("rate", "ends_after"), [(0, 30), (4, 30), (96, 30), (100, None)])
def test_too_slow_for_too_long(rate: float, ends_after: float | None) -> None:
    """An average below the limit over the speed time ends the attempt, and not before."""
    bench = Bench(speed_limit=100, speed_time=30)
    bench.begin()
    if ends_after is None:
        bench.pass_time(600, rate=rate)
        assert bench.expired == []
        return
    bench.pass_time(ends_after - 0.25, rate=rate)
    assert bench.expired == []
    bench.pass_time(0.25, rate=rate)
    assert [attempt for attempt, _ in bench.expired] == [1]


def test_silence_before_a_reply_is_not_slowness() -> None:
    """The timeout is for that; the speed is measured from the first byte of each reply."""
    bench = Bench(speed_limit=100, speed_time=30, timeout=300)
    bench.begin(Phase.WAITING)
    bench.pass_time(200)
    bench.enter(Phase.REPLYING)
    bench.pass_time(29.75, rate=4)
    assert bench.expired == []
    bench.enter(Phase.WAITING)
    bench.pass_time(200)
    bench.enter(Phase.REPLYING)
    bench.pass_time(29.75, rate=4)
    assert bench.expired == []
    bench.pass_time(0.25, rate=4)
    assert [attempt for attempt, _ in bench.expired] == [1]


def test_what_came_before_the_first_look_counts() -> None:
    """A reply that comes in one burst and then slowly has its burst counted."""
    bench = Bench(speed_limit=100, speed_time=30)
    bench.begin()
    bench.control.add_bytes(3000)
    bench.pass_time(30)
    assert bench.expired == []
    bench.pass_time(0.25)
    assert [attempt for attempt, _ in bench.expired] == [1]


@pytest.mark.parametrize(
    ("limits", "ends_after"),
    [
        ({}, 10),
        ({"timeout": 3}, 3),
        ({"timeout": 300}, 10),
        ({"timeout": 0}, 10),
        ({"timeout": 3, "connect_timeout": 20}, 20),
        ({"connect_timeout": 0}, None),
    ],
)
def test_connecting_has_its_own_limit(
    limits: dict[str, float], ends_after: float | None
) -> None:
    """Ten seconds, or the timeout where that is less, unless there is a limit of its own."""
    bench = Bench(**limits)
    bench.begin(Phase.CONNECTING)
    bench.pass_time((ends_after or 600) - 0.25)
    assert bench.expired == []
    bench.pass_time(0.25)
    ends = [(1, f"no connection within --connect-timeout {ends_after} s")] if ends_after else []
    assert bench.expired == ends


def test_a_fast_start_does_not_pay_for_a_stall() -> None:
    """The window slides: what came long ago does not count."""
    bench = Bench(speed_limit=100, speed_time=30)
    bench.begin()
    bench.pass_time(60, rate=1e6)
    bench.pass_time(29.5)
    assert bench.expired == []
    bench.pass_time(1)
    assert bench.expired


def test_each_attempt_is_measured_for_itself() -> None:
    """A new attempt does not inherit the slowness of the one before."""
    bench = Bench(speed_limit=100, speed_time=30)
    for _ in range(5):
        bench.begin()
        bench.pass_time(20, rate=4)
        bench.control.end()
        bench.pass_time(20)
    assert bench.expired == []


def test_limits_can_be_turned_off() -> None:
    """With 0 for both, an attempt may take for ever."""
    bench = Bench(speed_limit=0, max_time=0)
    bench.begin()
    bench.pass_time(7200)
    assert bench.expired == []
