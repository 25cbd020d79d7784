"""Limits that end a run before its list is done: time, bytes, failures, local resources.

RunLimits only counts events and reports a reason; the pool asks for it and stops the run.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable

from url_downloader.config.settings import RunSettings
from url_downloader.shared.models import ErrorKind, JobEvent, JobRecord, JobStatus

MIN_BASE = 100
"""Jobs; the smallest base of a percentage of failures while the list is being read.

The base is the number of ended jobs: few of them say little about the whole list. Once the list
was read to its end, the base is the number of all its jobs."""


class StopReason(enum.StrEnum):
    """Reason to end a run before its list is done; the text is shown to the user."""

    DEADLINE = "--deadline has passed"
    MAX_FAILURES = "--max-failures is reached"
    TOTAL_SIZE = "--max-total-size is reached"
    DISK_FULL = "the disk is full"
    NO_THREADS = "the system allows no more threads (ulimit -u, ulimit -v)"
    OUTPUT_GONE = "the output directory is gone"
    LEDGER = "the ledger can't be written"
    NO_NETWORK = "the network is gone for longer than --outage-wait"


class RunLimits:
    """Counters of a run's events, and the first reason to end the run early.

    Args:
        settings: Limits that the user has set.
        now: Monotonic clock, seconds.

    Threads: all methods from any thread.
    """

    def __init__(self, settings: RunSettings, *, now: Callable[[], float]) -> None:
        self._now = now
        self._ends_at = now() + settings.deadline if settings.deadline else None
        self._max_failures = settings.max_failures
        self._max_total_size = settings.max_total_size
        # Guards _received, _jobs, _ended, _failed, _is_list_read, and writes of _reason.
        self._lock = threading.Lock()
        self._received = 0
        self._jobs = 0
        self._ended = 0
        self._failed = 0
        self._is_list_read = False
        self._reason: StopReason | None = None

    def on_event(self, event: JobEvent) -> None:
        """Count a job's transition, and check the limits."""
        status = event.record.status
        with self._lock:
            self._jobs += event.previous is None
            self._ended += status.is_terminal
            if status is JobStatus.FAILED:
                self._failed += 1
                self._check_limits(is_full=_is_disk_full(event.record))
            elif _is_output_gone(event.record):
                self._reason = self._reason or StopReason.OUTPUT_GONE

    def note_passed_over(self, number: int) -> None:
        """Count URLs that succeeded without an event."""
        with self._lock:
            self._jobs += number
            self._ended += number

    def watched(self, on_bytes: Callable[[int], None]) -> Callable[[int], None]:
        """Return a function that passes counts of received bytes on, and checks their sum.

        Args:
            on_bytes: Function that gets the counts; it is returned itself if there is no limit.
        """
        if not self._max_total_size:
            return on_bytes

        def pass_on(count: int) -> None:
            on_bytes(count)
            self._add_bytes(count)

        return pass_on

    def note_end_of_list(self) -> None:
        """Note that no more jobs will come, and check the limits."""
        with self._lock:
            self._is_list_read = True
            self._check_limits(is_full=False)

    def stop(self, reason: StopReason) -> None:
        """Set the reason to end the run, unless there is one already."""
        with self._lock:
            self._reason = self._reason or reason

    def reason(self) -> StopReason | None:
        """Return the reason to end the run early; None if there is none."""
        if self._ends_at is None or self._now() < self._ends_at:
            return self._reason
        with self._lock:
            self._reason = self._reason or StopReason.DEADLINE
            return self._reason

    def _add_bytes(self, count: int) -> None:
        with self._lock:
            self._received += count
            if self._received >= self._max_total_size:
                self._reason = self._reason or StopReason.TOTAL_SIZE

    def _check_limits(self, *, is_full: bool) -> None:
        """Set the reason if a limit is reached. The caller holds the lock."""
        if is_full:
            self._reason = self._reason or StopReason.DISK_FULL
        elif self._has_too_many_failures():
            self._reason = self._reason or StopReason.MAX_FAILURES

    def _has_too_many_failures(self) -> bool:
        """Tell whether too many jobs have failed. The caller holds the lock."""
        limit = self._max_failures
        if limit.count:
            return self._failed >= limit.count
        whole = self._jobs if self._is_list_read else max(self._ended, MIN_BASE)
        return bool(limit.percent and self._failed) and (
            self._failed * 100 >= limit.percent * whole
        )


def _is_disk_full(record: JobRecord) -> bool:
    return record.result is not None and record.result.kind is ErrorKind.DISK_FULL


def _is_output_gone(record: JobRecord) -> bool:
    """Tell whether the job waits for a retry because the output directory is gone.

    The retry can't succeed either.
    """
    if record.status is not JobStatus.RETRY_SCHEDULED or record.result is None:
        return False
    return record.result.kind is ErrorKind.OUTPUT_GONE
