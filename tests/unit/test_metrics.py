"""The counters of a run: counts, current rate, sums of snapshots, many threads."""

from __future__ import annotations

import functools
import operator
import pickle
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.metrics import RATE_WINDOW, Metrics, MetricsSnapshot
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    JobEvent,
    JobRecord,
    JobResult,
    JobStatus,
)

T = TypeVar("T")

PENDING, RUNNING, WAITING, SUCCESS, FAILED = (
    JobStatus.PENDING,
    JobStatus.RUNNING,
    JobStatus.RETRY_SCHEDULED,
    JobStatus.SUCCESS,
    JobStatus.FAILED,
)
JOB = DownloadJob(job_id=1, url="http://h/", output="a", max_retries=4)
GOOD = JobResult(http_status=200)
BUSY = JobResult(kind=ErrorKind.SERVER_ERROR, http_status=503)
MISSING = JobResult(kind=ErrorKind.CLIENT_ERROR, http_status=404)
REFUSED = JobResult(kind=ErrorKind.CONNECT)
THREADS = 8

COUNTS = st.integers(0, 10**15)
SNAPSHOTS = st.builds(
    MetricsSnapshot,
    seconds=COUNTS,
    received=COUNTS,
    kept=COUNTS,
    rate=COUNTS,
    in_flight=COUNTS,
    successes=COUNTS,
    retries=COUNTS,
    failures=st.dictionaries(st.sampled_from(["dns", "tls", "http-404"]), st.integers(1, 99)),
    http_statuses=st.dictionaries(st.sampled_from([200, 404, 503]), st.integers(1, 99)),
)


class Counted:
    """Metrics with a manual clock, and short calls for events."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.metrics = Metrics(now=lambda: self.now)

    def event(
        self, previous: JobStatus | None, status: JobStatus, result: JobResult | None = None
    ) -> None:
        record = JobRecord(
            job=JOB, status=status, attempts=1, created_at=0, since=0, result=result
        )
        self.metrics.on_event(JobEvent(sequence=1, time=0, previous=previous, record=record))

    def bytes_at(self, now: float, count: int) -> None:
        self.now = now
        self.metrics.on_bytes(count)

    def rate_at(self, now: float) -> float:
        self.now = now
        return self.metrics.snapshot().rate


@pytest.fixture
def counted() -> Counted:
    """Return metrics without counts, which began at 0."""
    return Counted()


def test_at_the_beginning() -> None:
    """All counters begin at zero, and rates are zero, too."""
    counted = Counted(now=50.0)
    assert counted.metrics.snapshot() == MetricsSnapshot()
    assert counted.metrics.snapshot().mean_rate == 0


def test_a_run_is_counted_by_its_events(counted: Counted) -> None:
    """Attempts in flight, failures by cause, retries and statuses follow from the events."""
    for previous, status, result in [
        (None, PENDING, None),
        (PENDING, RUNNING, None),
        (PENDING, RUNNING, None),
        (PENDING, RUNNING, None),
        (PENDING, RUNNING, None),
        (RUNNING, SUCCESS, GOOD),
        (RUNNING, WAITING, BUSY),
        (RUNNING, WAITING, REFUSED),
        (RUNNING, FAILED, MISSING),
        # A record keeps the result of its last attempt during the next one.
        (WAITING, RUNNING, BUSY),
        (RUNNING, FAILED, BUSY),
        (WAITING, RUNNING, REFUSED),
        (RUNNING, FAILED, REFUSED),
        (PENDING, RUNNING, None),
    ]:
        counted.event(previous, status, result)
    assert counted.metrics.snapshot() == MetricsSnapshot(
        in_flight=1,
        successes=1,
        retries=2,
        failures={"http-404": 1, "http-503": 1, "connect": 1},
        http_statuses={200: 1, 404: 1, 503: 2},
    )


@pytest.mark.parametrize(
    ("counts", "received", "kept"),
    [
        ([], 0, 0),
        ([100], 100, 100),
        ([100, 0, 50], 150, 150),
        ([100, 50, -150], 150, 0),
        ([100, -100, 100], 200, 100),
        ([100, 0, -0], 100, 100),
    ],
)
def test_bytes(counted: Counted, counts: list[int], received: int, kept: int) -> None:
    """Discarded bytes count as received, but not as kept."""
    for count in counts:
        counted.metrics.on_bytes(count)
    snapshot = counted.metrics.snapshot()
    assert (snapshot.received, snapshot.kept) == (received, kept)


def test_mean_rate() -> None:
    """The mean rate is that of the whole time since the metrics began."""
    counted = Counted(now=1000.0)
    counted.bytes_at(1001.0, 300)
    counted.bytes_at(1099.0, 700)
    counted.bytes_at(1099.0, -500)
    counted.now = 1100.0
    assert counted.metrics.snapshot().seconds == 100
    assert counted.metrics.snapshot().mean_rate == 10


def test_the_rate_is_of_the_last_seconds(counted: Counted) -> None:
    """The rate is the mean so far until the window is full; then old bytes drop out."""
    counted.bytes_at(0.5, 1000)
    assert counted.rate_at(1.0) == 1000
    assert counted.rate_at(2.0) == 500
    counted.bytes_at(2.0, 3000)
    assert counted.rate_at(4.0) == 1000
    assert counted.rate_at(5.0) == 800
    assert counted.rate_at(6.0) == 600
    assert counted.rate_at(7.0) == 600
    assert counted.rate_at(8.0) == 0
    assert counted.rate_at(1e9) == 0


@pytest.mark.parametrize("began", [0.0, 0.5, 0.99, 12345.678])
@pytest.mark.parametrize("after", [1.0, 4.9, 5.0, 5.5, 6.3, 60.0])
def test_a_steady_stream_has_its_rate(began: float, after: float) -> None:
    """With equal bytes every tenth of a second, the current rate is close to theirs."""
    counted = Counted(began)
    for tenth in range(1, round(after * 10) + 1):
        counted.bytes_at(began + tenth / 10, 100)
    assert counted.rate_at(began + after) == pytest.approx(1000, rel=0.12)


def test_discarded_bytes_do_not_lower_the_rate(counted: Counted) -> None:
    """Discarded bytes do not reduce the rate, because they were received."""
    counted.bytes_at(1.0, 1000)
    counted.bytes_at(1.5, -1000)
    assert counted.rate_at(2.0) == 500


def test_late_threads_lose_no_bytes(counted: Counted) -> None:
    """No bytes are lost if a thread counts after another that read the clock later."""
    for second in (1, 2, 3, 4, 5):
        counted.bytes_at(second, 100)
    for _ in range(RATE_WINDOW):
        counted.bytes_at(5.0, 100)
        counted.bytes_at(4.99, 100)
    assert counted.rate_at(5.0) == (5 + 2 * RATE_WINDOW) * 100 / 5


@given(st.lists(SNAPSHOTS, min_size=1, max_size=5))
def test_snapshots_add_up(snapshots: list[MetricsSnapshot]) -> None:
    """A sum of snapshots has the sum of each counter, and the longest time."""
    total = functools.reduce(operator.add, snapshots)
    for name in ("received", "kept", "rate", "in_flight", "successes", "retries"):
        assert getattr(total, name) == sum(getattr(each, name) for each in snapshots)
    assert total.seconds == max(each.seconds for each in snapshots)
    for cause in ("dns", "tls", "http-404"):
        assert total.failures.get(cause, 0) == sum(s.failures.get(cause, 0) for s in snapshots)
    for status in (200, 404, 503):
        expected = sum(each.http_statuses.get(status, 0) for each in snapshots)
        assert total.http_statuses.get(status, 0) == expected
    assert snapshots[0] + MetricsSnapshot() == snapshots[0]


def test_a_snapshot_is_a_value(counted: Counted) -> None:
    """A snapshot does not change with later counts, and can be pickled."""
    counted.event(PENDING, RUNNING)
    counted.event(RUNNING, FAILED, MISSING)
    snapshot = counted.metrics.snapshot()
    counted.event(PENDING, RUNNING)
    counted.event(RUNNING, FAILED, MISSING)
    assert (snapshot.failures, snapshot.http_statuses) == ({"http-404": 1}, {404: 1})
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot


def hammer(act: Callable[[int], T]) -> list[T]:
    """Call `act(n)` in threads n at once, with frequent switches; return the results."""
    barrier = threading.Barrier(THREADS)

    def wait_and_act(number: int) -> T:
        barrier.wait(timeout=60)
        return act(number)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(wait_and_act, range(THREADS)))
    finally:
        sys.setswitchinterval(interval)


def test_many_threads_count_bytes_at_once(counted: Counted) -> None:
    """Sums and rate have all bytes that many threads count at once."""
    counted.now = 1.0

    def count(_: int) -> None:
        for _ in range(2000):
            counted.metrics.on_bytes(3)
            counted.metrics.on_bytes(-1)

    hammer(count)
    snapshot = counted.metrics.snapshot()
    assert snapshot.received == snapshot.rate == THREADS * 2000 * 3
    assert snapshot.kept == THREADS * 2000 * 2


def test_every_snapshot_has_each_attempt_once(counted: Counted) -> None:
    """In each snapshot, an attempt is either in flight or in a counter of ended attempts."""
    rounds = 500
    attempts = THREADS * rounds
    for _ in range(attempts):
        counted.event(PENDING, RUNNING)

    def end(thread: int) -> bool:
        is_sound = True
        for turn in range(rounds):
            match (thread + turn) % 3:
                case 0:
                    counted.event(RUNNING, SUCCESS, GOOD)
                case 1:
                    counted.event(RUNNING, WAITING, BUSY)
                case 2:
                    counted.event(RUNNING, FAILED, MISSING)
            snapshot = counted.metrics.snapshot()
            ended = sum(snapshot.http_statuses.values())
            is_sound &= snapshot.in_flight + ended == attempts
            failures = sum(snapshot.failures.values())
            is_sound &= snapshot.successes + snapshot.retries + failures == ended
        return is_sound

    assert hammer(end) == [True] * THREADS
    assert counted.metrics.snapshot().in_flight == 0
