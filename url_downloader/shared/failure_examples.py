"""Examples of the failed jobs of a run: few, however many jobs have failed. Pure."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from url_downloader.shared.models import DownloadJob, JobResult

MAX_EXAMPLES = 20
"""Failed jobs that are kept, besides one for each cause."""


class FailedJob(NamedTuple):
    """Failed job as the user sees it. Its order is that of the list.

    Args:
        number: Number of the job.
        url: URL of the job, without user name and password.
        reason: Reason of the failure.
    """

    number: int
    url: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureExamples:
    """Examples of failed jobs. `a + b` has those of two runs together.

    Args:
        first: First MAX_EXAMPLES jobs of the list that failed and were not refused.
        by_cause: First failed job of the list for each cause of failures.
    """

    first: tuple[FailedJob, ...] = ()
    by_cause: Mapping[str, FailedJob] = field(default_factory=dict)

    def __add__(self, other: FailureExamples) -> FailureExamples:
        by_cause = dict(self.by_cause)
        for cause, job in other.by_cause.items():
            by_cause[cause] = min(job, by_cause.get(cause, job))
        first = sorted(self.first + other.first)
        return FailureExamples(first=tuple(first[:MAX_EXAMPLES]), by_cause=by_cause)


class FailureCollector:
    """Collector of the failed jobs that come first in the list.

    Jobs fail nearly in the order of the list, so that most of them cost two comparisons.

    Threads: one at a time; the owner's lock guards the collector.
    """

    def __init__(self) -> None:
        self._first: list[FailedJob] = []
        self._by_cause: dict[str, FailedJob] = {}

    def add(self, job: DownloadJob, result: JobResult, *, cause: str) -> None:
        """Keep a failed job if it comes before those that are kept.

        Args:
            job: Job that has failed.
            result: Result of its last attempt.
            cause: Cause of the failure: `result.cause`, which the caller has already.
        """
        number, first = job.job_id, self._first
        known = self._by_cause.get(cause)
        if known is None or number < known.number:
            self._by_cause[cause] = _failed(job, result)
        has_room = len(first) < MAX_EXAMPLES or number < first[-1].number
        if has_room and not result.is_refused:
            insort(first, _failed(job, result))
            del first[MAX_EXAMPLES:]

    def examples(self) -> FailureExamples:
        """Return the examples at this moment."""
        return FailureExamples(first=tuple(self._first), by_cause=self._by_cause.copy())


def _failed(job: DownloadJob, result: JobResult) -> FailedJob:
    return FailedJob(job.job_id, job.shown_url, result.message)
