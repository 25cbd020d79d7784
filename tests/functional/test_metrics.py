"""The metrics of a run under threads that all count at the same time."""

from __future__ import annotations

from functools import partial

from tests.support.jobs import BUSY, NOT_FOUND, OK, make_event, make_record
from tests.support.racing import race
from url_downloader.metrics import Metrics
from url_downloader.shared.models import JobEvent, JobResult, JobStatus

PENDING, RUNNING, WAITING, SUCCESS, FAILED = (
    JobStatus.PENDING,
    JobStatus.RUNNING,
    JobStatus.RETRY_SCHEDULED,
    JobStatus.SUCCESS,
    JobStatus.FAILED,
)
THREADS = 8
hammer = partial(race, threads=THREADS)


def event(previous: JobStatus, status: JobStatus, result: JobResult | None = None) -> JobEvent:
    """Return the event of this transition."""
    return make_event(make_record(status, result=result), previous)


def test_many_threads_count_bytes_at_once() -> None:
    """No byte is lost, neither from the sums nor from the rate."""
    now = 0.0
    metrics = Metrics(now=lambda: now)
    now = 1.0

    def count(_: int) -> None:
        for _ in range(2000):
            metrics.on_bytes(3)

    hammer(count)
    snapshot = metrics.snapshot()
    assert snapshot.received == snapshot.rate == THREADS * 2000 * 3


def test_every_snapshot_has_each_attempt_once() -> None:
    """In every snapshot an attempt that ends is in exactly one of the counters."""
    metrics = Metrics()
    rounds = 500
    attempts = THREADS * rounds
    for _ in range(attempts):
        metrics.on_event(event(PENDING, RUNNING))

    def end(thread: int) -> bool:
        is_sound = True
        for turn in range(rounds):
            match (thread + turn) % 3:
                case 0:
                    metrics.on_event(event(RUNNING, SUCCESS, OK))
                case 1:
                    metrics.on_event(event(RUNNING, WAITING, BUSY))
                case 2:
                    metrics.on_event(event(RUNNING, FAILED, NOT_FOUND))
            snapshot = metrics.snapshot()
            ended = sum(snapshot.http_statuses.values())
            is_sound &= snapshot.in_flight + ended == attempts
            failures = sum(snapshot.failures.values())
            is_sound &= snapshot.successes + snapshot.retries + failures == ended
        return is_sound

    assert hammer(end) == [True] * THREADS
    assert metrics.snapshot().in_flight == 0
