"""Reasons to end a run before its list is done: time, failures, a disk that is full or gone.

Counts events. Stops nothing itself.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable

from url_downloader.config.settings import RunSettings
from url_downloader.shared.models import ErrorKind, JobEvent, JobRecord, JobStatus

MIN_ENDED_JOBS = 100
"""Jobs that must have ended before a share of them means anything; a whole list always does."""


class StopReason(enum.StrEnum):
    """Which limit ended a run before its list was done."""

    DEADLINE = "--deadline has passed"
    MAX_FAILURES = "--max-failures is reached"
    DISK_FULL = "the disk is full"
    NO_THREADS = "the system gives no more threads (ulimit -u, ulimit -v)"
    OUTPUT_GONE = "the output directory is gone"


class RunLimits:
    """Watches the events of a run, and tells when a limit of it is reached.

    Args:
        settings: the limits.
        now: monotonic clock, seconds.

    Threads: all methods from any thread.
    """

    def __init__(self, settings: RunSettings, *, now: Callable[[], float]) -> None:
        self._now = now
        self._ends_at = now() + settings.deadline if settings.deadline else None
        self._limit = settings.max_failures
        # Guards all fields below.
        self._lock = threading.Lock()
        self._jobs = 0
        self._ended = 0
        self._failed = 0
        self._is_list_read = False
        self._reason: StopReason | None = None

    def on_event(self, event: JobEvent) -> None:
        """A job made a transition."""
        status = event.record.status
        with self._lock:
            self._jobs += event.previous is None
            self._ended += status.is_terminal
            if status is JobStatus.FAILED:
                self._failed += 1
                self._check_limits(is_full=_is_disk_full(event.record))
            elif _is_output_gone(event.record):
                self._reason = self._reason or StopReason.OUTPUT_GONE

    def note_end_of_list(self) -> None:
        """No more jobs will come."""
        with self._lock:
            self._is_list_read = True
            self._check_limits(is_full=False)

    def stop(self, reason: StopReason) -> None:
        """End the run for this reason, unless there is one already."""
        with self._lock:
            self._reason = self._reason or reason

    def reason(self) -> StopReason | None:
        """Why the run has to stop, if it has to."""
        if self._ends_at is None or self._now() < self._ends_at:
            return self._reason
        with self._lock:
            self._reason = self._reason or StopReason.DEADLINE
            return self._reason

    def _check_limits(self, *, is_full: bool) -> None:
        """See whether a limit is reached. The caller holds the lock."""
        if is_full:
            self._reason = self._reason or StopReason.DISK_FULL
        elif self._has_too_many_failures():
            self._reason = self._reason or StopReason.MAX_FAILURES

    def _has_too_many_failures(self) -> bool:
        """Whether too many jobs have failed. The caller holds the lock."""
        limit = self._limit
        if limit.count:
            return self._failed >= limit.count
        whole = self._jobs if self._is_list_read else max(self._ended, MIN_ENDED_JOBS)
        return bool(limit.percent and self._failed) and (
            self._failed * 100 >= limit.percent * whole
        )


def _is_disk_full(record: JobRecord) -> bool:
    return record.result is not None and record.result.kind is ErrorKind.DISK_FULL


def _is_output_gone(record: JobRecord) -> bool:
    """Return whether the job waits for another attempt, which can't succeed in this run."""
    if record.status is not JobStatus.RETRY_SCHEDULED or record.result is None:
        return False
    return record.result.kind is ErrorKind.OUTPUT_GONE
