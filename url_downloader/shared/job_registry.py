"""The registry of all jobs of a run: records, transitions that are checked, and events.

Independent of queues, threads and files.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from url_downloader.shared.errors import TransitionError
from url_downloader.shared.history import RunLedger
from url_downloader.shared.models import (
    TRANSITIONS,
    DownloadJob,
    EventListener,
    JobEvent,
    JobRecord,
    JobResult,
    JobStatus,
    PassedOver,
)
from url_downloader.shared.record_changes import added, moved, passed_over
from url_downloader.shared.record_packing import StoredRecord, packed, status_of, unpacked
from url_downloader.shared.records import Records, Released
from url_downloader.shared.unexpected import log_unexpected

log = logging.getLogger(__package__)

MAX_KEPT_FAILURES = 1000
"""Records of failed jobs that stay in memory although the ledger has them; about 400 kB."""


class JobRegistry:
    """Registry with one frozen record per job, which each transition replaces.

    The record of an ended job is packed into bytes, to save memory. With a ledger, it leaves
    memory when the ledger has it, and is read from there.

    Args:
        listeners: Callables that are called with each event, in the thread that made the
            transition, after the lock is released. If a listener raises, that is logged, and
            this listener is not called again.
        on_terminal: Called last for each event that ends a job, even if a listener raises.
        on_passed_over: Called with the number of URLs that are passed over without events.
        ledger: Ledger, which is the last listener, and has the records that `release` has
            removed; None without one.
        now: Monotonic clock, seconds.
        utc_now: Wall clock, seconds since the epoch.

    Attributes:
        listener_error: Last exception that a listener raised; None if no listener did.

    Threads: all methods from any thread. The events of one job arrive in order. The events of
    different jobs may overtake each other; `JobEvent.sequence` is the order of transitions.
    """

    def __init__(
        self,
        *,
        listeners: Sequence[EventListener] = (),
        on_terminal: Callable[[], object] = lambda: None,
        on_passed_over: Sequence[Callable[[int], None]] = (),
        ledger: RunLedger | None = None,
        now: Callable[[], float] = time.monotonic,
        utc_now: Callable[[], float] = time.time,
    ) -> None:
        self.listener_error: Exception | None = None
        # The ledger is the last, because a record may leave memory once the ledger has it.
        self._listeners = (*listeners, *([ledger.on_event] if ledger else []))
        self._on_terminal = on_terminal
        self._on_passed_over = on_passed_over
        self._now = now
        self._utc_now = utc_now
        self._ledger = ledger
        # Guards all fields below, _listeners and listener_error. _listeners is replaced, never
        # changed, so that _publish reads it without the lock.
        self._lock = threading.Lock()
        # The records of jobs that have not ended, by number of the job, in list order.
        self._live: dict[int, JobRecord] = {}
        # The records of ended jobs that have not left memory.
        self._ended: dict[int, StoredRecord] = {}
        self._last = 0
        self._passed_over = 0
        self._released_failures = 0
        self._counts = dict.fromkeys(JobStatus, 0)
        self._sequence = 0

    def add(self, job: DownloadJob) -> JobRecord:
        """Register a new job as PENDING.

        Raises:
            TransitionError: The job's number is not the next one.
        """
        now = self._now()
        record = added(job, now=now, utc_now=self._utc_now())
        with self._lock:
            if job.job_id != self._last + 1:
                raise self._refusal(job.job_id, JobStatus.PENDING)
            self._last = job.job_id
            event = self._store(record, previous=None, now=now)
        self._publish(event)
        return record

    def pass_over(self, passed: PassedOver) -> None:
        """Count URLs of the list that need no attempt, and publish an event for each result.

        Each URL takes the number of a job, but has no record.
        """
        now, utc_now = self._now(), self._utc_now()
        with self._lock:
            self._last += passed.number
            self._passed_over += passed.number
            self._counts[JobStatus.SUCCESS] += passed.number
            events = [
                self._event(passed_over(job, result, now=now, utc_now=utc_now), None, now=now)
                for job, result in passed.results
            ]
        for event in events:
            self._call_listeners(event)
        for count in self._on_passed_over if not events else ():
            count(passed.number)

    def release(self, job_ids: Iterable[int]) -> None:
        """Remove the records of ended jobs from memory, because the ledger has them now.

        The first MAX_KEPT_FAILURES failures stay, so that most runs need no ledger for them.
        """
        with self._lock:
            for job_id in job_ids:
                stored = self._ended.pop(job_id, None)
                is_failure = isinstance(stored, JobRecord) and stored.status is JobStatus.FAILED
                if isinstance(stored, JobRecord) and is_failure and self._may_keep():
                    self._ended[job_id] = packed(stored)

    def start(self, job_id: int) -> JobRecord:
        """Begin an attempt of a job and count it; the job is RUNNING.

        Raises:
            TransitionError: The job is unknown, running or ended.
        """
        return self._move(job_id, JobStatus.RUNNING)

    def succeed(self, job_id: int, result: JobResult) -> JobRecord:
        """End a running job as SUCCESS; the caller must publish the file first.

        Raises:
            TransitionError: The job is not running.
        """
        return self._move(job_id, JobStatus.SUCCESS, result=result)

    def fail(self, job_id: int, result: JobResult) -> JobRecord:
        """End a running job as FAILED.

        Raises:
            TransitionError: The job is not running.
        """
        return self._move(job_id, JobStatus.FAILED, result=result)

    def schedule_retry(self, job_id: int, result: JobResult, *, due: float) -> JobRecord:
        """End the attempt of a running job, which is RETRY_SCHEDULED from now on.

        Args:
            job_id: Number of the job.
            result: Result of the attempt.
            due: Time of the next attempt, monotonic seconds.

        Raises:
            TransitionError: The job is not running.
        """
        return self._move(job_id, JobStatus.RETRY_SCHEDULED, result=result, due=due)

    def get(self, job_id: int) -> JobRecord:
        """Return the record of a job; from the ledger without headers, limits and login.

        Raises:
            KeyError: The job is unknown, or its URL was passed over.
        """
        with self._lock:
            stored = self._live.get(job_id) or self._ended.get(job_id)
            is_released = stored is None and 0 < job_id <= self._last
        if stored is not None:
            return unpacked(stored)
        record = self._ledger.record(job_id) if self._ledger and is_released else None
        if record is None:
            raise KeyError(job_id)
        return record

    def snapshot(self) -> Records:
        """Return all records in order of registration, as of one moment."""
        with self._lock:
            stored: dict[int, StoredRecord] = {**self._live, **self._ended}
            counts, last = self._counts.copy(), self._last
            counts[JobStatus.SUCCESS] -= self._passed_over
        for each in stored.values():
            counts[status_of(each)] -= 1
        numbers = sorted(stored)
        released = None
        if self._ledger is not None and any(counts.values()):
            others = frozenset(numbers)
            released = Released(source=self._ledger, counts=counts, others=others, last=last)
        return Records([stored[number] for number in numbers], released=released)

    def counts(self) -> Mapping[JobStatus, int]:
        """Return the number of jobs in each state, as of one moment."""
        with self._lock:
            return self._counts.copy()

    def with_status(self, status: JobStatus) -> Records:
        """Return the records of jobs in one state, in order of registration."""
        if status.is_terminal:
            return self.snapshot().with_status(status)
        with self._lock:
            return Records([each for each in self._live.values() if each.status is status])

    def _may_keep(self) -> bool:
        """Count a failure; tell whether it stays in memory. The caller holds the lock."""
        self._released_failures += 1
        return self._released_failures <= MAX_KEPT_FAILURES

    def _move(
        self,
        job_id: int,
        status: JobStatus,
        *,
        result: JobResult | None = None,
        due: float | None = None,
    ) -> JobRecord:
        now, utc_now = self._now(), self._utc_now()
        with self._lock:
            old = self._live.get(job_id)
            if old is None or status not in TRANSITIONS[old.status]:
                raise self._refusal(job_id, status)
            new = moved(old, status, now=now, utc_now=utc_now, result=result, due=due)
            event = self._store(new, previous=old.status, now=now)
        self._publish(event)
        return new

    def _store(self, record: JobRecord, *, previous: JobStatus | None, now: float) -> JobEvent:
        """Replace the record. The caller holds the lock."""
        job_id = record.job.job_id
        if record.status.is_terminal:
            del self._live[job_id]
            # Packing is not worth its time for a record that leaves memory soon.
            is_leaving = self._ledger is not None and self._ledger.is_on
            self._ended[job_id] = record if is_leaving else packed(record)
        else:
            self._live[job_id] = record
        if previous is not None:
            self._counts[previous] -= 1
        self._counts[record.status] += 1
        return self._event(record, previous, now=now)

    def _event(self, record: JobRecord, previous: JobStatus | None, *, now: float) -> JobEvent:
        """Return the next event. The caller holds the lock."""
        self._sequence += 1
        return JobEvent(sequence=self._sequence, time=now, previous=previous, record=record)

    def _refusal(self, job_id: int, wanted: JobStatus) -> TransitionError:
        """Return the error for a transition that is not allowed. The caller holds the lock."""
        stored = self._live.get(job_id) or self._ended.get(job_id)
        current = None if stored is None else status_of(stored)
        return TransitionError(job_id, current, wanted)

    def _publish(self, event: JobEvent) -> None:
        try:
            self._call_listeners(event)
        finally:
            if event.record.status.is_terminal:
                self._on_terminal()

    def _call_listeners(self, event: JobEvent) -> None:
        for listener in self._listeners:
            self._call(listener, event)

    def _call(self, listener: EventListener, event: JobEvent) -> None:
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - logged without its text
            name = getattr(listener, "__qualname__", type(listener).__qualname__)
            log_unexpected(log, error, doing=f"listener {name}, which is not called again")
            with self._lock:
                self.listener_error = error
                self._listeners = tuple(
                    other for other in self._listeners if other is not listener
                )
