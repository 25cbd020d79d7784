"""The metrics of a run: counters, the current rate, and sums of snapshots."""

from __future__ import annotations

import functools
import operator
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.jobs import BUSY, NOT_FOUND, OK, make_event, make_job, make_record
from url_downloader import metrics as metrics_module
from url_downloader.metrics import OTHER_HOST, RATE_WINDOW, Metrics, MetricsSnapshot
from url_downloader.shared.contact import Contact
from url_downloader.shared.failure_examples import FailedJob, FailureExamples
from url_downloader.shared.models import ErrorKind, JobResult, JobStatus, Outcome

PENDING, RUNNING, WAITING, SUCCESS, FAILED = (
    JobStatus.PENDING,
    JobStatus.RUNNING,
    JobStatus.RETRY_SCHEDULED,
    JobStatus.SUCCESS,
    JobStatus.FAILED,
)
REFUSED = JobResult(kind=ErrorKind.CONNECT)

COUNTS = st.integers(0, 10**15)
SNAPSHOTS = st.builds(
    MetricsSnapshot,
    seconds=COUNTS,
    received=COUNTS,
    rate=COUNTS,
    in_flight=COUNTS,
    successes=COUNTS,
    skipped=COUNTS,
    retries=COUNTS,
    failures=st.dictionaries(st.sampled_from(["dns", "tls", "http-404"]), st.integers(1, 99)),
    http_statuses=st.dictionaries(st.sampled_from([200, 404, 503]), st.integers(1, 99)),
    refusals=st.dictionaries(
        st.sampled_from([("http://a", "down"), ("http://b", "down")]), st.integers(1, 99)
    ),
)


class ClockedMetrics:
    """Metrics with a clock that the test sets, and short calls for events and bytes."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.metrics = Metrics(now=lambda: self.now)

    def event(
        self, previous: JobStatus | None, status: JobStatus, result: JobResult | None = None
    ) -> None:
        self.metrics.on_event(make_event(make_record(status, result=result), previous))

    def fail(self, number: int, result: JobResult) -> None:
        record = make_record(FAILED, make_job(number), result=result)
        self.metrics.on_event(make_event(record, RUNNING))

    def refuse(self, url: str, result: JobResult) -> None:
        record = make_record(FAILED, make_job(url=url), result=result)
        self.metrics.on_event(make_event(record, RUNNING))

    def refusals(self) -> dict[tuple[str, str], int]:
        return dict(self.metrics.snapshot().refusals)

    def bytes_at(self, now: float, count: int) -> None:
        self.now = now
        self.metrics.on_bytes(count)

    def rate_at(self, now: float) -> float:
        self.now = now
        return self.metrics.snapshot().rate


@pytest.fixture
def counted() -> ClockedMetrics:
    """Return metrics that began at time 0."""
    return ClockedMetrics()


def test_nothing_yet() -> None:
    """New metrics are all 0, also the mean rate, for which no time has passed."""
    counted = ClockedMetrics(now=50.0)
    assert counted.metrics.snapshot() == MetricsSnapshot()
    assert counted.metrics.snapshot().mean_rate == 0


def test_a_run_is_counted_by_its_events(counted: ClockedMetrics) -> None:
    """Running attempts, results by cause, retries and statuses follow from the events alone."""
    for previous, status, result in [
        (None, PENDING, None),
        (PENDING, RUNNING, None),
        (PENDING, RUNNING, None),
        (PENDING, RUNNING, None),
        (PENDING, RUNNING, None),
        (RUNNING, SUCCESS, OK),
        (RUNNING, WAITING, BUSY),
        (RUNNING, WAITING, REFUSED),
        (RUNNING, FAILED, NOT_FOUND),
        # A record keeps the result of its last attempt while the next one is under way.
        (WAITING, RUNNING, BUSY),
        (RUNNING, FAILED, BUSY),
        (WAITING, RUNNING, REFUSED),
        (RUNNING, FAILED, REFUSED),
        (PENDING, RUNNING, None),
    ]:
        counted.event(previous, status, result)
    snapshot = counted.metrics.snapshot()
    assert snapshot == MetricsSnapshot(
        in_flight=1,
        successes=1,
        retries=2,
        failures={"http-404": 1, "http-503": 1, "connect": 1},
        http_statuses={200: 1, 404: 1, 503: 2},
        examples=snapshot.examples,
    )


def test_skipped_files_are_successes(counted: ClockedMetrics) -> None:
    """A file that was complete counts as skipped, whether its URL had an attempt or not."""
    skipped = JobResult(path="1", outcome=Outcome.SKIPPED)
    counted.event(PENDING, RUNNING)
    counted.event(RUNNING, SUCCESS, skipped)
    counted.event(None, SUCCESS, skipped)
    counted.event(PENDING, RUNNING)
    counted.event(RUNNING, SUCCESS, OK)
    counted.metrics.count_passed_over(10)
    assert counted.metrics.snapshot() == MetricsSnapshot(
        successes=13, skipped=12, http_statuses={200: 1}
    )


def test_a_snapshot_has_examples_of_failed_jobs(counted: ClockedMetrics) -> None:
    """A job that fails for good is an example of its cause; a retry and a success are none."""
    counted.event(RUNNING, WAITING, BUSY)
    counted.event(RUNNING, SUCCESS, OK)
    counted.fail(7, NOT_FOUND)
    job = FailedJob(7, "http://h/7", "HTTP 404 Not Found")
    examples = FailureExamples(first=(job,), by_cause={"http-404": job})
    assert counted.metrics.snapshot().examples == examples


DOWN = JobResult(kind=ErrorKind.HOST_DOWN, message="the host is down: refused")


def test_refused_jobs_are_counted_by_host(counted: ClockedMetrics) -> None:
    """Jobs that failed without a request are counted by host and reason, without a login."""
    late = JobResult(kind=ErrorKind.RETRY_AFTER, message="HTTP 429; too long")
    for url, result in [
        ("http://a/1", DOWN),
        ("http://user:secret@a/2", DOWN),
        ("https://a/", DOWN),
        ("http://a/3", late),
        # The server was asked: it gave this reply.
        ("http://a/4", late._replace(http_status=429)),
        ("http://a/5", NOT_FOUND),
    ]:
        counted.refuse(url, result)
    assert counted.refusals() == {
        ("http://a", "the host is down: refused"): 2,
        ("https://a", "the host is down: refused"): 1,
        ("http://a", "HTTP 429; too long"): 1,
    }


def test_a_redirect_to_a_refused_host(counted: ClockedMetrics) -> None:
    """It does not count for the host of the URL, which works."""
    counted.refuse("http://good/1", DOWN._replace(contact=Contact()))
    assert counted.refusals() == {(OTHER_HOST, ""): 1}


def test_refusals_are_bounded(counted: ClockedMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many hosts, the jobs of further hosts are counted together."""
    monkeypatch.setattr(metrics_module, "MAX_REFUSALS", 2)
    for host in "abcdab":
        counted.refuse(f"http://{host}/", DOWN)
    reason = DOWN.message
    assert counted.refusals() == {
        ("http://a", reason): 2,
        ("http://b", reason): 2,
        (OTHER_HOST, ""): 2,
    }


@pytest.mark.parametrize(("counts", "received"), [([], 0), ([100], 100), ([100, 0, 50], 150)])
def test_bytes(counted: ClockedMetrics, counts: list[int], received: int) -> None:
    """All bytes that came are received, whatever becomes of them."""
    for count in counts:
        counted.metrics.on_bytes(count)
    assert counted.metrics.snapshot().received == received


def test_mean_rate() -> None:
    """The mean rate is that of the whole time since the metrics began."""
    counted = ClockedMetrics(now=1000.0)
    counted.bytes_at(1001.0, 300)
    counted.bytes_at(1099.0, 700)
    counted.now = 1100.0
    assert counted.metrics.snapshot().seconds == 100
    assert counted.metrics.snapshot().mean_rate == 10


def test_the_rate_is_of_the_last_seconds(counted: ClockedMetrics) -> None:
    """The rate is the mean until the window is full; later, old bytes leave the window."""
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
    """With equal bytes every tenth of a second, the current rate is close to their rate."""
    counted = ClockedMetrics(began)
    for tenth in range(1, round(after * 10) + 1):
        counted.bytes_at(began + tenth / 10, 100)
    assert counted.rate_at(began + after) == pytest.approx(1000, rel=0.12)


def test_threads_that_are_late_at_the_turn_of_a_second_lose_no_bytes(
    counted: ClockedMetrics,
) -> None:
    """Bytes whose time is earlier than that of the bytes counted before them still count."""
    for second in (1, 2, 3, 4, 5):
        counted.bytes_at(second, 100)
    for _ in range(RATE_WINDOW):
        counted.bytes_at(5.0, 100)
        counted.bytes_at(4.99, 100)
    assert counted.rate_at(5.0) == (5 + 2 * RATE_WINDOW) * 100 / 5


@given(st.lists(SNAPSHOTS, min_size=1, max_size=5))
def test_snapshots_add_up(snapshots: list[MetricsSnapshot]) -> None:
    """The sum of snapshots has the sum of each counter, and the longest time."""
    total = functools.reduce(operator.add, snapshots)
    for name in ("received", "rate", "in_flight", "successes", "skipped", "retries"):
        assert getattr(total, name) == sum(getattr(each, name) for each in snapshots)
    assert total.seconds == max(each.seconds for each in snapshots)
    for cause in ("dns", "tls", "http-404"):
        assert total.failures.get(cause, 0) == sum(s.failures.get(cause, 0) for s in snapshots)
    for status in (200, 404, 503):
        expected = sum(each.http_statuses.get(status, 0) for each in snapshots)
        assert total.http_statuses.get(status, 0) == expected
    every = [count for each in snapshots for count in each.refusals.values()]
    assert sum(total.refusals.values()) == sum(every)
    assert snapshots[0] + MetricsSnapshot() == snapshots[0]


def test_a_snapshot_is_a_moment_and_travels(counted: ClockedMetrics) -> None:
    """A snapshot does not change after it was taken, and pickles."""
    counted.event(PENDING, RUNNING)
    counted.event(RUNNING, FAILED, NOT_FOUND)
    snapshot = counted.metrics.snapshot()
    counted.event(PENDING, RUNNING)
    counted.event(RUNNING, FAILED, NOT_FOUND)
    assert (snapshot.failures, snapshot.http_statuses) == ({"http-404": 1}, {404: 1})
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot


def test_waiting_for_a_limited_host_is_no_retry() -> None:
    """A redirect to a host that has to wait is not counted, unlike a failure."""
    clocked = ClockedMetrics()
    for kind in (ErrorKind.HOST_BUSY, ErrorKind.TIMEOUT, ErrorKind.HOST_BUSY):
        clocked.event(PENDING, RUNNING)
        clocked.event(RUNNING, WAITING, JobResult(kind=kind))
    assert clocked.metrics.snapshot().retries == 1
