"""The registry of all jobs of a run: records, transitions that are checked, and events.

Independent of queues, threads and files.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from url_downloader.shared.errors import TransitionError
from url_downloader.shared.models import (
    TRANSITIONS,
    DownloadJob,
    EventListener,
    JobEvent,
    JobRecord,
    JobResult,
    JobStatus,
)
from url_downloader.shared.record_packing import (
    Records,
    StoredRecord,
    packed,
    status_of,
    unpacked,
)
from url_downloader.shared.unexpected import log_unexpected

log = logging.getLogger(__package__)


class JobRegistry:
    """Registry with one frozen record per job, which each transition replaces.

    The record of an ended job is packed into bytes, to save memory.

    Args:
        listeners: Callables that are called with each event, in the thread that made the
            transition, after the lock is released. If a listener raises, that is logged, and
            this listener is not called again.
        on_terminal: Called last for each event that ends a job, even if a listener raises.
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
        now: Callable[[], float] = time.monotonic,
        utc_now: Callable[[], float] = time.time,
    ) -> None:
        self.listener_error: Exception | None = None
        self._listeners = tuple(listeners)
        self._on_terminal = on_terminal
        self._now = now
        self._utc_now = utc_now
        # Guards _stored, _live, _counts, _sequence, _listeners and listener_error. _listeners
        # is replaced, never changed, so that _publish reads it without the lock.
        self._lock = threading.Lock()
        # All records, in order of registration.
        self._stored: list[StoredRecord] = []
        # The records of jobs that have not ended, by number of the job.
        self._live: dict[int, JobRecord] = {}
        self._counts = dict.fromkeys(JobStatus, 0)
        self._sequence = 0

    def add(self, job: DownloadJob) -> JobRecord:
        """Register a new job as PENDING.

        Raises:
            TransitionError: The job's number is not the next one.
        """
        now = self._now()
        record = JobRecord(
            job=job,
            status=JobStatus.PENDING,
            attempts=0,
            created_at=self._utc_now(),
            since=now,
        )
        with self._lock:
            if job.job_id != len(self._stored) + 1:
                raise self._refusal(job.job_id, JobStatus.PENDING)
            self._stored.append(record)
            event = self._store(record, previous=None, now=now)
        self._publish(event)
        return record

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
        """Return the record of a job.

        Raises:
            KeyError: The job is unknown.
        """
        with self._lock:
            if not 0 < job_id <= len(self._stored):
                raise KeyError(job_id)
            stored = self._stored[job_id - 1]
        return unpacked(stored)

    def snapshot(self) -> Records:
        """Return all records in order of registration, as of one moment."""
        with self._lock:
            return Records(self._stored.copy())

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
            new = _moved(old, status, now=now, utc_now=utc_now, result=result, due=due)
            event = self._store(new, previous=old.status, now=now)
        self._publish(event)
        return new

    def _store(self, record: JobRecord, *, previous: JobStatus | None, now: float) -> JobEvent:
        """Replace the record. The caller holds the lock."""
        job_id, is_over = record.job.job_id, record.status.is_terminal
        self._stored[job_id - 1] = packed(record) if is_over else record
        if is_over:
            del self._live[job_id]
        else:
            self._live[job_id] = record
        if previous is not None:
            self._counts[previous] -= 1
        self._counts[record.status] += 1
        self._sequence += 1
        return JobEvent(sequence=self._sequence, time=now, previous=previous, record=record)

    def _refusal(self, job_id: int, wanted: JobStatus) -> TransitionError:
        """Return the error for a transition that is not allowed. The caller holds the lock."""
        is_known = 0 < job_id <= len(self._stored)
        current = status_of(self._stored[job_id - 1]) if is_known else None
        return TransitionError(job_id, current, wanted)

    def _publish(self, event: JobEvent) -> None:
        try:
            for listener in self._listeners:
                self._call(listener, event)
        finally:
            if event.record.status.is_terminal:
                self._on_terminal()

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


def _moved(
    old: JobRecord,
    status: JobStatus,
    *,
    now: float,
    utc_now: float,
    result: JobResult | None,
    due: float | None,
) -> JobRecord:
    """Return the record after a transition at `now`, with `waited` and `worked` updated."""
    spent = now - old.since
    was_working = old.status is JobStatus.RUNNING
    is_starting = status is JobStatus.RUNNING
    return JobRecord(
        job=old.job,
        status=status,
        attempts=old.attempts + is_starting,
        created_at=old.created_at,
        since=now,
        started_at=utc_now if is_starting and old.started_at is None else old.started_at,
        finished_at=utc_now if status.is_terminal else None,
        waited=old.waited + (0.0 if was_working else spent),
        worked=old.worked + (spent if was_working else 0.0),
        excused=old.excused + (result is not None and result.is_excused),
        due=due,
        result=result or old.result,
    )
