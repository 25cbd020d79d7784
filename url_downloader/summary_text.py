"""What a run came to, in words for people: lines, or the rows of a table and lines below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from url_downloader.shared.models import JobStatus
from url_downloader.summary import RunSummary
from url_downloader.units import format_seconds, format_size

MAX_FAILURES_SHOWN = 20


class Account(NamedTuple):
    """A summary, and what else people want to know at the end.

    Args:
        summary: of the run.
        rejected: bad lines of the list.
        repeated: URLs that came again.
        files: what each file that was written besides is, and where it is.
        retry: how to retry what was not downloaded.
    """

    summary: RunSummary
    rejected: int = 0
    repeated: int = 0
    files: Sequence[tuple[str, str]] = ()
    retry: str = ""


def account_lines(account: Account) -> Iterator[str]:
    """All of it as lines."""
    yield from _number_lines(account.summary)
    yield from _end_lines(account.summary)
    for count, cause, url in causes(account.summary):
        yield f"{count} x {cause}, for example {url}"
    yield from _failure_lines(account.summary)
    yield from (text for _, text in list_rows(account))
    yield from (f"{name}: {where}" for name, where in account.files)
    yield from _retry_lines(account)


def account_rows(account: Account) -> Iterator[tuple[str, str]]:
    """What belongs into a table: names, and what is to be said of them."""
    summary, metrics = account.summary, account.summary.metrics
    counts = summary.counts
    yield "downloaded", f"{counts[JobStatus.SUCCESS]} of {sum(counts.values())}"
    for name, count in (
        ("failed", counts[JobStatus.FAILED]),
        ("unfinished", summary.unfinished),
        ("retries", metrics.retries),
    ):
        if count:
            yield name, str(count)
    yield "received", _traffic(summary)
    for count, cause, url in causes(summary):
        yield cause, f"{count} x, for example {url}"
    yield from list_rows(account)
    yield from account.files


def lines_below(account: Account) -> Iterator[str]:
    """What is too long for a table, or is to be copied from the screen as it is."""
    yield from _end_lines(account.summary)
    yield from _failure_lines(account.summary)
    yield from _retry_lines(account)


def causes(summary: RunSummary) -> Iterator[tuple[int, str, str]]:
    """How many jobs failed for each cause, the most frequent first, each with a URL."""
    counts = summary.metrics.failures
    examples: dict[str, str] = {}
    for record in summary.failures:
        if len(examples) == len(counts):
            break
        if record.result is not None:
            examples.setdefault(record.result.cause, record.job.shown_url)
    for cause in sorted(examples, key=counts.__getitem__, reverse=True):
        yield counts[cause], cause, examples[cause]


def _number_lines(summary: RunSummary) -> Iterator[str]:
    counts = summary.counts
    unfinished = f", {summary.unfinished} unfinished" if summary.unfinished else ""
    yield (
        f"{counts[JobStatus.SUCCESS]} downloaded, {counts[JobStatus.FAILED]} failed"
        f"{unfinished} of {sum(counts.values())}; {summary.metrics.retries} retries"
    )
    yield _traffic(summary)


def _traffic(summary: RunSummary) -> str:
    metrics = summary.metrics
    return (
        f"{format_size(metrics.received)} in {format_seconds(metrics.seconds)},"
        f" {format_size(metrics.mean_rate)}/s"
    )


def _end_lines(summary: RunSummary) -> Iterator[str]:
    if summary.stopped_by is not None:
        yield f"stopped early: {summary.stopped_by}"


def _failure_lines(summary: RunSummary) -> Iterator[str]:
    failures = summary.failures
    for record in failures[:MAX_FAILURES_SHOWN]:
        message = record.result.message if record.result else "unknown"
        yield f"failed: {record.job.shown_url}: {message}"
    others = len(failures) - MAX_FAILURES_SHOWN
    if others > 0:
        yield f"and {others} more failed"


def list_rows(account: Account) -> Iterator[tuple[str, str]]:
    """What was wrong with the list."""
    if account.rejected:
        lines = "line" if account.rejected == 1 else "lines"
        yield "bad lines", f"{account.rejected} bad {lines} in the list"
    if account.repeated:
        urls = "URL counts" if account.repeated == 1 else "URLs count"
        yield "repeated", f"{account.repeated} repeated {urls} once"
    summary = account.summary
    if summary.is_list_read and not sum(summary.counts.values()) and not account.rejected:
        yield "empty", "the list has no URLs"


def _retry_lines(account: Account) -> Iterator[str]:
    if account.retry:
        yield f"to retry: {account.retry}"
