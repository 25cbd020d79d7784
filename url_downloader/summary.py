"""What a run came to, as a value, and in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.models import ErrorKind, JobRecord, JobStatus, StopReason
from url_downloader.units import format_seconds, format_size

MAX_FAILURES_SHOWN = 20
_LOCAL_KINDS = frozenset({ErrorKind.LOCAL, ErrorKind.DISK_FULL, ErrorKind.NO_DESCRIPTORS})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """The end of a run.

    Args:
        counts: jobs by status.
        metrics: the counters at the end.
        failures: records of the failed jobs, in list order.
        was_stopped: whether it was ended before all jobs had ended.
        stopped_by: the limit of the run that was reached, if one was.
        is_list_read: whether the list was read to its end.
        crash: what broke in the pipeline itself, if anything did.
    """

    counts: Mapping[JobStatus, int]
    metrics: MetricsSnapshot
    failures: tuple[JobRecord, ...] = ()
    was_stopped: bool = False
    stopped_by: StopReason | None = None
    is_list_read: bool = True
    crash: str | None = None

    @property
    def unfinished(self) -> int:
        """Jobs that have not ended."""
        return sum(n for status, n in self.counts.items() if not status.is_terminal)

    @property
    def has_local_trouble(self) -> bool:
        """Whether this machine, not a server, failed a job."""
        return any(_kind(record) in _LOCAL_KINDS for record in self.failures)


def summary_lines(summary: RunSummary) -> Iterator[str]:
    """The summary for people."""
    counts, metrics = summary.counts, summary.metrics
    unfinished = f", {summary.unfinished} unfinished" if summary.unfinished else ""
    yield (
        f"{counts[JobStatus.SUCCESS]} downloaded, {counts[JobStatus.FAILED]} failed"
        f"{unfinished} of {sum(counts.values())}; {metrics.retries} retries"
    )
    yield (
        f"{format_size(metrics.received)} in {format_seconds(metrics.seconds)},"
        f" {format_size(metrics.mean_rate)}/s"
    )
    if summary.stopped_by is not None:
        yield f"stopped early: {summary.stopped_by}"
    yield from _causes(summary.failures)
    for record in summary.failures[:MAX_FAILURES_SHOWN]:
        yield f"failed: {record.job.shown_url}: {_message(record)}"
    others = len(summary.failures) - MAX_FAILURES_SHOWN
    if others > 0:
        yield f"and {others} more failed"


def _causes(failures: tuple[JobRecord, ...]) -> Iterator[str]:
    groups: dict[str, list[JobRecord]] = {}
    for record in failures:
        cause = record.result.cause if record.result else str(ErrorKind.INTERNAL)
        groups.setdefault(cause, []).append(record)
    for cause, records in sorted(groups.items(), key=lambda group: -len(group[1])):
        yield f"{len(records)} x {cause}, for example {records[0].job.shown_url}"


def _kind(record: JobRecord) -> ErrorKind | None:
    return record.result.kind if record.result else None


def _message(record: JobRecord) -> str:
    return record.result.message if record.result else "unknown"
