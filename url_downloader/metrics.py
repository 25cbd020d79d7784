"""Counters of a run behind one lock, and frozen snapshots of them that can be merged.

The counters follow from events and bytes alone; no queue and no registry is read. A few
examples of failed jobs belong to them.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from url_downloader.shared.failure_examples import FailureCollector, FailureExamples
from url_downloader.shared.models import (
    ErrorKind,
    JobEvent,
    JobRecord,
    JobResult,
    JobStatus,
    Outcome,
)
from url_downloader.shared.url_parts import origin_text

RATE_WINDOW = 5
"""Seconds over which the current rate is averaged."""
MAX_REFUSALS = 10_000
"""Pairs of host and reason whose refused jobs are counted; they take about 3 MB."""
OTHER_HOST = ""
"""Host, without a reason, of the other refused jobs: of more hosts, or after a redirect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSnapshot:
    """Values of all counters at one moment. `a + b` is the snapshot of two runs together.

    Args:
        seconds: Seconds since the metrics began.
        received: Bytes of files that were received, before any decoding.
        rate: Bytes per second over the last RATE_WINDOW seconds.
        in_flight: Number of attempts that are going on.
        successes: Number of jobs that have succeeded.
        skipped: Number of these whose files were complete before the run.
        retries: Number of retries that were scheduled.
        failures: Numbers of failed jobs by cause.
        http_statuses: Numbers of final replies of attempts by status code.
        refusals: Numbers of jobs that were given up without a request, because their host was
            in trouble, by host and reason.
        examples: Some of the failed jobs.
    """

    seconds: float = 0.0
    received: int = 0
    rate: float = 0.0
    in_flight: int = 0
    successes: int = 0
    skipped: int = 0
    retries: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    http_statuses: Mapping[int, int] = field(default_factory=dict)
    refusals: Mapping[tuple[str, str], int] = field(default_factory=dict)
    examples: FailureExamples = field(default_factory=FailureExamples)

    @property
    def mean_rate(self) -> float:
        """Return the bytes per second that were received over the whole time."""
        return self.received / self.seconds if self.seconds > 0 else 0.0

    def __add__(self, other: MetricsSnapshot) -> MetricsSnapshot:
        return MetricsSnapshot(
            seconds=max(self.seconds, other.seconds),
            received=self.received + other.received,
            rate=self.rate + other.rate,
            in_flight=self.in_flight + other.in_flight,
            successes=self.successes + other.successes,
            skipped=self.skipped + other.skipped,
            retries=self.retries + other.retries,
            failures=Counter(self.failures) + Counter(other.failures),
            http_statuses=Counter(self.http_statuses) + Counter(other.http_statuses),
            refusals=Counter(self.refusals) + Counter(other.refusals),
            examples=self.examples + other.examples,
        )


class Metrics:
    """Counters of a run, which follow the events of the registry and the bytes of attempts.

    Args:
        now: Monotonic clock, seconds.

    Threads: any.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began = now()
        # Guards all fields below.
        self._lock = threading.Lock()
        self._received = 0
        self._in_flight = 0
        self._successes = 0
        self._skipped = 0
        self._retries = 0
        self._failures: Counter[str] = Counter()
        self._http_statuses: Counter[int] = Counter()
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._examples = FailureCollector()
        self._recent: deque[tuple[int, int]] = deque(maxlen=RATE_WINDOW + 1)

    def on_bytes(self, count: int) -> None:
        """Count bytes of a file that were received."""
        second = int(self._now())
        with self._lock:
            self._received += count
            # A thread that waited for the lock may have read the clock a second earlier.
            if self._recent and self._recent[-1][0] >= second:
                second, earlier = self._recent.pop()
                count += earlier
            self._recent.append((second, count))

    def on_event(self, event: JobEvent) -> None:
        """Count a transition of a job."""
        record = event.record
        with self._lock:
            if record.status is JobStatus.RUNNING:
                self._in_flight += 1
            elif event.previous is JobStatus.RUNNING:
                self._in_flight -= 1
                self._count_end(record)
            elif record.status is JobStatus.SUCCESS:
                # A URL that was passed over had no attempt.
                self._count_end(record)

    def count_passed_over(self, number: int) -> None:
        """Count URLs that need no attempt and have no events."""
        with self._lock:
            self._successes += number
            self._skipped += number

    def snapshot(self) -> MetricsSnapshot:
        """Return the counters at this moment."""
        now = self._now()
        with self._lock:
            return MetricsSnapshot(
                seconds=now - self._began,
                received=self._received,
                rate=self._rate(now),
                in_flight=self._in_flight,
                successes=self._successes,
                skipped=self._skipped,
                retries=self._retries,
                failures=self._failures.copy(),
                http_statuses=self._http_statuses.copy(),
                refusals=self._refusals.copy(),
                examples=self._examples.examples(),
            )

    def _count_end(self, record: JobRecord) -> None:
        """Count an attempt that ended. The caller holds the lock."""
        status, result = record.status, record.result
        if status is JobStatus.SUCCESS:
            self._successes += 1
            self._skipped += result is not None and result.outcome is Outcome.SKIPPED
        elif status is JobStatus.RETRY_SCHEDULED:
            # A job that has to wait for a host has not failed.
            self._retries += result is None or result.kind is not ErrorKind.HOST_BUSY
        elif result is not None:
            cause = result.cause
            self._failures[cause] += 1
            self._examples.add(record.job, result, cause=cause)
            if result.is_refused:
                self._count_refusal(record, result)
        if result is not None and result.http_status is not None:
            self._http_statuses[result.http_status] += 1

    def _count_refusal(self, record: JobRecord, result: JobResult) -> None:
        """Count a job that was refused. The caller holds the lock."""
        other = pair = (OTHER_HOST, "")
        # A job that was redirected to the refused host has a contact: the host that it asked.
        if result.contact is None:
            pair = (origin_text(record.job.url), result.message)
        if pair not in self._refusals and len(self._refusals) >= MAX_REFUSALS:
            pair = other
        self._refusals[pair] += 1

    def _rate(self, now: float) -> float:
        """Return the mean rate of the window that ends now. The caller holds the lock."""
        start = max(now - RATE_WINDOW, self._began)
        recent = sum(count for second, count in self._recent if second >= int(start))
        span = now - max(int(start), self._began)
        return recent / span if span > 0 else 0.0
