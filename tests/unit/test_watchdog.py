"""The watchdog's judgement, stepped through with a clock that is set by hand."""

from __future__ import annotations

import pytest

from url_downloader.attempt_meter import AttemptMeter, Progress
from url_downloader.config import TransferSettings
from url_downloader.watchdog import Watchdog


class Bench:
    """One worker that gets bytes when the test says so, and the watchdog that looks at it."""

    name = "worker-0"

    def __init__(self, **limits: float) -> None:
        self.now = 1000.0
        self.expired: list[tuple[int, str]] = []
        self.meter = AttemptMeter(now=lambda: self.now)
        self.watchdog = Watchdog(
            workers=[self],
            limits=TransferSettings(**limits),  # type: ignore[arg-type]
            on_crash=lambda error: None,
            now=lambda: self.now,
        )

    def progress(self) -> Progress | None:
        return self.meter.progress()

    def expire(self, attempt: int, reason: str) -> None:
        self.expired.append((attempt, reason))

    def pass_time(self, seconds: float, *, rate: float = 0) -> None:
        """Let quarters of a second go by, each with its share of bytes and a look."""
        for _ in range(round(seconds * 4)):
            self.now += 0.25
            self.meter.add(round(rate / 4))
            self.watchdog.look()


def test_an_attempt_within_its_limits_goes_on() -> None:
    """Nobody is disturbed who is fast enough, however long it takes."""
    bench = Bench(speed_limit=100, speed_time=30)
    bench.meter.begin(timeout=30)
    bench.pass_time(3600, rate=120)
    assert bench.expired == []


def test_max_time_ends_the_attempt_by_its_number() -> None:
    """The attempt that is late is named, so that no later one is hit."""
    bench = Bench(max_time=10)
    bench.meter.begin(timeout=30)
    bench.meter.end()
    bench.meter.begin(timeout=30)
    bench.pass_time(9.75, rate=1e6)
    assert bench.expired == []
    bench.pass_time(0.25, rate=1e6)
    assert bench.expired == [(2, "not complete within --max-time 10 s")]


@pytest.mark.parametrize(
    ("timeout", "rate", "ends_after"),
    [
        # Nothing at all comes: silence is allowed up to the timeout, and at least so long.
        (10, 0, 30),
        (60, 0, 60),
        # No limit on silence before the body is no limit.
        (0, 0, None),
        # A trickle: the speed is measured over the speed time, whatever the timeout.
        (60, 4, 30),
        (60, 96, 30),
        (0, 4, 30),
        (60, 100, None),
    ],
)
def test_too_slow_for_too_long(timeout: float, rate: float, ends_after: float | None) -> None:
    """An average below the limit over the speed time ends the attempt, and not before."""
    bench = Bench(speed_limit=100, speed_time=30)
    bench.meter.begin(timeout=timeout)
    if ends_after is None:
        bench.pass_time(600, rate=rate)
        assert bench.expired == []
        return
    bench.pass_time(ends_after - 0.25, rate=rate)
    assert bench.expired == []
    bench.pass_time(0.25, rate=rate)
    assert [attempt for attempt, _ in bench.expired] == [1]


def test_a_fast_start_does_not_pay_for_a_stall() -> None:
    """The window slides: what came long ago does not count."""
    bench = Bench(speed_limit=100, speed_time=30)
    bench.meter.begin(timeout=600)
    bench.pass_time(60, rate=1e6)
    bench.pass_time(29.5)
    assert bench.expired == []
    bench.pass_time(1)
    assert bench.expired


def test_each_attempt_is_measured_for_itself() -> None:
    """A new attempt does not inherit the slowness of the one before."""
    bench = Bench(speed_limit=100, speed_time=30)
    for _ in range(5):
        bench.meter.begin(timeout=600)
        bench.pass_time(20, rate=4)
        bench.meter.end()
        bench.pass_time(20)
    assert bench.expired == []


def test_limits_can_be_turned_off() -> None:
    """With 0 for both, an attempt may take for ever."""
    bench = Bench(speed_limit=0, max_time=0)
    bench.meter.begin(timeout=30)
    bench.pass_time(7200)
    assert bench.expired == []
