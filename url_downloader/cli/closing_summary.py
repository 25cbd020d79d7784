"""The summary at the end of a run: lines, or a table with a few lines below it.

`closing_summary` collects what the user reads; `print_summary` writes it to stderr.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from url_downloader.cli.command_settings import CommandSettings
from url_downloader.cli.own_files import FAILED_LIST, LOG, METRICS, REPORT, written_files
from url_downloader.cli.retry_command import retry_advice
from url_downloader.cli.std_streams import print_to_stderr
from url_downloader.config.settings import Settings
from url_downloader.engine.run_summary import RunSummary
from url_downloader.input_parser import InputParser
from url_downloader.metrics import OTHER_HOST
from url_downloader.shared.models import JobStatus
from url_downloader.shared.text import format_seconds, format_size, printable

MAX_HOSTS_SHOWN = 20
"""Hosts with refused jobs that the summary names; it counts the jobs of the others."""
_FILE_NAMES = {
    REPORT: "report",
    FAILED_LIST: "failed list",
    LOG: "log",
    METRICS: "metrics",
}
"""Names of the files that the summary lists, by the options that ask for them."""


class ClosingSummary(NamedTuple):
    """Summary that the user reads at the end of a run.

    Args:
        run: Summary of the run.
        rejected: Number of bad lines in the list.
        repeated: Number of URLs that the list repeats.
        suffixes: Number of files whose names got a suffix, by reason.
        files: Name and path of each file that was written beside the downloads.
        retry: Command that downloads what the run did not, or advice if no command can; empty
            if nothing is left.
    """

    run: RunSummary
    rejected: int = 0
    repeated: int = 0
    suffixes: Mapping[str, int] = MappingProxyType({})
    files: Sequence[tuple[str, str]] = ()
    retry: str = ""


def closing_summary(
    run: RunSummary,
    parser: InputParser,
    *,
    command: CommandSettings,
    settings: Settings,
    is_reported: bool,
) -> ClosingSummary:
    """Return the summary that the user reads at the end of a run.

    Args:
        run: Summary of the run.
        parser: Parser of the list.
        command: Settings of the command.
        settings: Settings of the run.
        is_reported: Whether all reports could be written.
    """
    is_complete = run.is_list_read and not run.counts[JobStatus.FAILED] + run.unfinished
    # If the failed list could not be written, the file may be that of an earlier run.
    failed_list = command.reports.failed_list if is_reported else None
    advice = "" if is_complete else retry_advice(command, settings, failed_list=failed_list)
    return ClosingSummary(
        run=run,
        rejected=parser.rejected,
        repeated=parser.repeated,
        suffixes=parser.suffixes,
        files=[*_files(command, is_reported=is_reported)],
        retry=advice,
    )


def _files(command: CommandSettings, *, is_reported: bool) -> Iterator[tuple[str, str]]:
    for flag, path in written_files(command):
        if flag in _FILE_NAMES and (is_reported or flag != FAILED_LIST):
            yield _FILE_NAMES[flag], str(path)


def print_summary(summary: ClosingSummary, *, as_table: bool) -> None:
    """Write the summary to stderr.

    Args:
        summary: Summary to write.
        as_table: Whether to write a table, which needs the package rich.
    """
    lines = summary_lines(summary)
    if as_table:
        # Imported here: the package rich is optional.
        from url_downloader.display.live_display import table_text  # noqa: PLC0415

        rows = [(printable(name), printable(text)) for name, text in summary_rows(summary)]
        print_to_stderr(table_text(rows))
        lines = lines_below(summary)
    for line in lines:
        print_to_stderr(printable(line))


def summary_lines(summary: ClosingSummary) -> Iterator[str]:
    """Yield the whole summary as lines, without a table."""
    run = summary.run
    yield _job_counts(run)
    yield _traffic(run)
    yield from _stop_lines(run)
    for count, cause, url in causes(run):
        yield f"{count} x {cause}, for example {url}"
    yield from refusals(run)
    yield from _failure_lines(run)
    yield from (text for _, text in list_rows(summary))
    yield from (f"{name}: {path}" for name, path in summary.files)
    yield from _retry_lines(summary)


def summary_rows(summary: ClosingSummary) -> Iterator[tuple[str, str]]:
    """Yield name and text of each row of the table."""
    run = summary.run
    yield "downloaded", f"{run.counts[JobStatus.SUCCESS]} of {sum(run.counts.values())}"
    for name, count in (
        ("skipped", run.metrics.skipped),
        ("failed", run.counts[JobStatus.FAILED]),
        ("unfinished", run.unfinished),
        ("retries", run.metrics.retries),
    ):
        if count:
            yield name, str(count)
    yield "received", _traffic(run)
    for count, cause, url in causes(run):
        yield cause, f"{count} x, for example {url}"
    yield from (("given up", text) for text in refusals(run))
    yield from list_rows(summary)
    yield from summary.files


def lines_below(summary: ClosingSummary) -> Iterator[str]:
    """Yield the lines below the table: too long for it, or meant to be copied."""
    yield from _stop_lines(summary.run)
    yield from _failure_lines(summary.run)
    yield from _retry_lines(summary)


def list_rows(summary: ClosingSummary) -> Iterator[tuple[str, str]]:
    """Yield name and text of each problem of the list."""
    if summary.rejected:
        lines = "line" if summary.rejected == 1 else "lines"
        yield "bad lines", f"{summary.rejected} bad {lines} in the list"
    if summary.repeated:
        urls = "URL counts" if summary.repeated == 1 else "URLs count"
        yield "repeated", f"{summary.repeated} repeated {urls} once"
    for reason, count in summary.suffixes.items():
        names = "name" if count == 1 else "names"
        yield "suffixes", f"{count} {names} with a suffix: {reason}"
    run = summary.run
    if run.is_list_read and not sum(run.counts.values()) and not summary.rejected:
        yield "empty", "the list has no URLs"


def causes(run: RunSummary) -> Iterator[tuple[int, str, str]]:
    """Yield count, name and an example URL of each cause of failures, most frequent first."""
    counts, examples = run.metrics.failures, run.metrics.examples.by_cause
    in_list_order = sorted(examples, key=examples.__getitem__)
    for cause in sorted(in_list_order, key=counts.__getitem__, reverse=True):
        yield counts[cause], cause, examples[cause].url


def refusals(run: RunSummary) -> Iterator[str]:
    """Yield a line for each host whose jobs were refused, those with the most jobs first."""
    counts: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    # A host may have had several reasons; the most frequent one comes first.
    for (host, reason), count in Counter(run.metrics.refusals).most_common():
        counts[host] += count
        reasons.setdefault(host, reason)
    others = counts.pop(OTHER_HOST, 0) + counts.total()
    for host, count in counts.most_common(MAX_HOSTS_SHOWN):
        others -= count
        yield f"{host}: {_urls(count)} given up: {reasons[host]}"
    if others:
        yield f"other hosts: {_urls(others)} given up"


def _urls(count: int) -> str:
    return "1 URL" if count == 1 else f"{count} URLs"


def _job_counts(run: RunSummary) -> str:
    unfinished = f", {run.unfinished} unfinished" if run.unfinished else ""
    skipped = f"; {run.metrics.skipped} skipped" if run.metrics.skipped else ""
    return (
        f"{run.counts[JobStatus.SUCCESS]} downloaded, {run.counts[JobStatus.FAILED]} failed"
        f"{unfinished} of {sum(run.counts.values())}; {run.metrics.retries} retries{skipped}"
    )


def _traffic(run: RunSummary) -> str:
    metrics = run.metrics
    return (
        f"{format_size(metrics.received)} in {format_seconds(metrics.seconds)},"
        f" {format_size(metrics.mean_rate)}/s"
    )


def _stop_lines(run: RunSummary) -> Iterator[str]:
    if run.stopped_by is not None:
        yield f"stopped early: {run.stopped_by}"


def _failure_lines(run: RunSummary) -> Iterator[str]:
    shown = run.metrics.examples.first
    for job in shown:
        yield f"failed: {job.url}: {job.reason}"
    refused = sum(run.metrics.refusals.values())
    others = run.counts[JobStatus.FAILED] - refused - len(shown)
    if others > 0:
        yield f"and {others} more failed"


def _retry_lines(summary: ClosingSummary) -> Iterator[str]:
    if summary.retry:
        yield f"to retry: {summary.retry}"
