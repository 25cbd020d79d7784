"""Summary of a run, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from url_downloader.engine.host_troubles import HostTroubles
from url_downloader.engine.run_limits import StopReason
from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.errors import Rejection
from url_downloader.shared.models import ErrorKind, JobStatus
from url_downloader.shared.records import Records

UNSUCCESSFUL = frozenset(JobStatus) - {JobStatus.SUCCESS}
"""Statuses of the jobs that did not succeed: failed, or not ended."""
_LOCAL_KINDS = (
    *(ErrorKind.LOCAL, ErrorKind.DISK_FULL, ErrorKind.NO_DESCRIPTORS),
    ErrorKind.NO_MEMORY,
)
"""Kinds of failed jobs that mean trouble on this machine."""
_LOCAL_REASONS = (
    *(StopReason.NO_THREADS, StopReason.OUTPUT_GONE, StopReason.NO_NETWORK),
    StopReason.LEDGER,
)
"""Reasons that mean trouble on this machine, even if no job has failed.

A full disk is not among them: it always fails a job, whose kind is in _LOCAL_KINDS.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """Result of a run.

    Args:
        counts: Number of jobs by status.
        metrics: Snapshot of the counters at the end.
        leftovers: Records of the jobs that did not succeed, in list order.
        is_list_read: Whether the list was read to its end, so that all of its jobs are counted.
        was_stopped: Whether the run was ended before all jobs had ended.
        stopped_by: Limit that ended the run; None if none did.
        hosts: Hosts that were in trouble at the end; times are in seconds since the epoch.
        crash: Type and place of an unexpected error outside the attempts; None if there was
            none.
        rejected: Entries of the list that led to no job; only `api.download` sets it.
    """

    counts: Mapping[JobStatus, int]
    metrics: MetricsSnapshot
    leftovers: Records = field(default_factory=Records)
    was_stopped: bool = False
    stopped_by: StopReason | None = None
    is_list_read: bool = True
    hosts: HostTroubles = field(default_factory=HostTroubles)
    crash: str | None = None
    rejected: tuple[Rejection, ...] = ()

    @property
    def is_success(self) -> bool:
        """Tell whether every file that was asked for is there."""
        failed = self.counts[JobStatus.FAILED] or self.rejected or self.unfinished
        return not (failed or self.was_stopped or self.crash)

    @property
    def failures(self) -> Records:
        """Return the records of the failed jobs, in list order."""
        return self.leftovers.with_status(JobStatus.FAILED)

    @property
    def unfinished(self) -> int:
        """Return the number of jobs that have not ended."""
        return sum(n for status, n in self.counts.items() if not status.is_terminal)

    @property
    def has_bug(self) -> bool:
        """Tell whether a bug of this program failed a job."""
        return ErrorKind.INTERNAL in self.metrics.failures

    @property
    def has_local_trouble(self) -> bool:
        """Tell whether this machine, not a server, failed a job or ended the run.

        The exit status is 3 then, except after a signal or a bug. A full disk gets it through
        the kind of its failed job.
        """
        is_ended = self.stopped_by in _LOCAL_REASONS
        return is_ended or any(kind in self.metrics.failures for kind in _LOCAL_KINDS)


def without_late_limit(summary: RunSummary) -> RunSummary:
    """Return the summary; without the limit of received bytes if it has ended no job early.

    The last bytes of a list may reach the limit, just before the last job ends.
    """
    have_all_ended = summary.is_list_read and not summary.unfinished
    if summary.stopped_by is not StopReason.TOTAL_SIZE or not have_all_ended:
        return summary
    if ErrorKind.INTERRUPTED in summary.metrics.failures:
        return summary
    return replace(summary, was_stopped=False, stopped_by=None)
