"""The watchdog: the attempts that it ends, with a clock that the test sets."""

from __future__ import annotations

import pytest

from tests.support.jobs import make_job
from url_downloader.engine.watchdog import Watchdog
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.ports import Phase, Progress


class WatchedWorker:
    """A worker that gets bytes when the test says so, with the watchdog that checks it."""

    def __init__(self, **limits: float) -> None:
        self.now = 1000.0
        self.expired: list[tuple[int, str]] = []
        self._throttled = 0.0
        self.control = AttemptControl(now=lambda: self.now)
        self.job = make_job(limits=AttemptLimits(**limits))
        self.watchdog = Watchdog(
            [("worker-0", self)],
            on_crash=lambda error: None,
            now=lambda: self.now,
        )

    def begin(self, phase: Phase = Phase.REPLYING) -> None:
        """Begin an attempt in this phase."""
        self.control.begin(self.job)
        self.enter(phase)

    def enter(self, phase: Phase) -> None:
        """Enter a phase."""
        self.control.enter(phase)
        self._throttled = 0.0

    def progress(self) -> Progress | None:
        progress = self.control.progress()
        return progress and progress._replace(throttled=self._throttled)

    def expire(self, attempt: int, reason: str) -> None:
        self.expired.append((attempt, reason))

    def pass_time(self, seconds: float, *, rate: float = 0, throttled: float = 0) -> None:
        """Pass time in quarters of a second; bytes come and the watchdog looks in each.

        Args:
            seconds: Seconds that pass.
            rate: Bytes per second that come.
            throttled: Share of the time in which the attempt waits for the rate limit.
        """
        for _ in range(round(seconds * 4)):
            self.now += 0.25
            self._throttled += 0.25 * throttled
            self.control.add_bytes(round(rate / 4))
            self.watchdog.expire_late()


def test_an_attempt_within_its_limits_goes_on() -> None:
    """An attempt that is fast enough goes on, however long it takes."""
    worker = WatchedWorker(speed_limit=100, speed_time=30)
    worker.begin()
    worker.pass_time(3600, rate=120)
    assert worker.expired == []


def test_max_time_ends_the_attempt_by_its_number() -> None:
    """The late attempt is named by its number, so that no later attempt is ended."""
    worker = WatchedWorker(max_time=10)
    worker.begin()
    worker.control.end()
    worker.begin()
    worker.pass_time(9.75, rate=1e6)
    assert worker.expired == []
    worker.pass_time(0.25, rate=1e6)
    assert worker.expired == [(2, "not complete within --max-time 10 s")]


@pytest.mark.parametrize(("rate", "ends_after"), [(0, 30), (4, 30), (96, 30), (100, None)])
def test_too_slow_for_too_long(rate: float, ends_after: float | None) -> None:
    """An average below the limit over the speed time ends the attempt, and not earlier."""
    worker = WatchedWorker(speed_limit=100, speed_time=30)
    worker.begin()
    if ends_after is None:
        worker.pass_time(600, rate=rate)
        assert worker.expired == []
        return
    worker.pass_time(ends_after - 0.25, rate=rate)
    assert worker.expired == []
    worker.pass_time(0.25, rate=rate)
    assert [attempt for attempt, _ in worker.expired] == [1]


def test_silence_before_a_reply_is_not_slowness() -> None:
    """The time before a reply is for the timeout; the speed counts from its first byte."""
    worker = WatchedWorker(speed_limit=100, speed_time=30, timeout=300)
    worker.begin(Phase.WAITING)
    worker.pass_time(200)
    worker.enter(Phase.REPLYING)
    worker.pass_time(29.75, rate=4)
    assert worker.expired == []
    worker.enter(Phase.WAITING)
    worker.pass_time(200)
    worker.enter(Phase.REPLYING)
    worker.pass_time(29.75, rate=4)
    assert worker.expired == []
    worker.pass_time(0.25, rate=4)
    assert [attempt for attempt, _ in worker.expired] == [1]


def test_what_came_before_the_first_look_counts() -> None:
    """Bytes that come before the watchdog's first look count for the speed."""
    worker = WatchedWorker(speed_limit=100, speed_time=30)
    worker.begin()
    worker.control.add_bytes(3000)
    worker.pass_time(30)
    assert worker.expired == []
    worker.pass_time(0.25)
    assert [attempt for attempt, _ in worker.expired] == [1]


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
    """Connecting may take ten seconds, or the timeout if shorter, or its own limit."""
    worker = WatchedWorker(**limits)
    worker.begin(Phase.CONNECTING)
    worker.pass_time((ends_after or 600) - 0.25)
    assert worker.expired == []
    worker.pass_time(0.25)
    ends = [(1, f"no connection within --connect-timeout {ends_after} s")] if ends_after else []
    assert worker.expired == ends


def test_a_fast_start_does_not_pay_for_a_stall() -> None:
    """The speed is that of the last seconds: earlier bytes do not count."""
    worker = WatchedWorker(speed_limit=100, speed_time=30)
    worker.begin()
    worker.pass_time(60, rate=1e6)
    worker.pass_time(29.5)
    assert worker.expired == []
    worker.pass_time(1)
    assert worker.expired


def test_each_attempt_is_measured_for_itself() -> None:
    """A new attempt does not inherit the slowness of the one before."""
    worker = WatchedWorker(speed_limit=100, speed_time=30)
    for _ in range(5):
        worker.begin()
        worker.pass_time(20, rate=4)
        worker.control.end()
        worker.pass_time(20)
    assert worker.expired == []


def test_limits_can_be_turned_off() -> None:
    """With 0 for both limits, an attempt is never ended."""
    worker = WatchedWorker(speed_limit=0, max_time=0)
    worker.begin()
    worker.pass_time(7200)
    assert worker.expired == []


def test_the_rate_limit_is_not_slowness() -> None:
    """However few bytes the rate limit leaves to an attempt, its server is not slow."""
    worker = WatchedWorker(speed_limit=100, speed_time=30)
    worker.begin()
    worker.pass_time(7200, rate=4, throttled=1)
    worker.pass_time(7200, rate=4, throttled=0.99)
    assert worker.expired == []


def test_a_slow_server_is_slow_under_a_rate_limit() -> None:
    """What a server sends in the time that is its own has to be enough."""
    worker = WatchedWorker(speed_limit=100, speed_time=30)
    worker.begin()
    worker.pass_time(119.75, rate=24, throttled=0.75)
    assert worker.expired == []
    worker.pass_time(0.25, rate=24, throttled=0.75)
    assert [attempt for attempt, _ in worker.expired] == [1]


def test_a_rate_limit_that_has_ended_excuses_nothing() -> None:
    """After waits for the limit, a silent server is as late as any."""
    worker = WatchedWorker(speed_limit=100, speed_time=30)
    worker.begin()
    worker.pass_time(600, rate=4, throttled=1)
    worker.pass_time(29.75)
    assert worker.expired == []
    worker.pass_time(0.25)
    assert [attempt for attempt, _ in worker.expired] == [1]


def test_max_time_counts_the_rate_limit() -> None:
    """The limit of the whole time is one for the user: what the rate limit takes counts."""
    worker = WatchedWorker(max_time=10)
    worker.begin()
    worker.pass_time(10, throttled=1)
    assert [attempt for attempt, _ in worker.expired] == [1]


def test_hours_of_waits_need_no_memory() -> None:
    """The measurement of an attempt that the rate limit holds back does not grow."""
    worker = WatchedWorker(speed_limit=100, speed_time=30)
    worker.begin()
    sizes = []
    for _ in range(4):
        worker.pass_time(3600, rate=4, throttled=0.999)
        sizes.append(sum(len(window._samples) for *_, window in worker.watchdog._watched))
    assert max(sizes) < 200
