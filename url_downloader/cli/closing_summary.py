"""What a run came to, in words for people: lines, or the rows of a table and lines below."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from url_downloader.cli.retry_command import retry_words, shown_command
from url_downloader.cli.std_streams import say
from url_downloader.config.settings import Existing
from url_downloader.engine.run_summary import RunSummary
from url_downloader.input_parser import InputParser
from url_downloader.shared.models import JobStatus
from url_downloader.shared.text import format_seconds, format_size, printable

MAX_FAILURES_SHOWN = 20
FILES = (
    ("report", "report"),
    ("list of what failed", "failed_out"),
    ("log", "log_file"),
    ("metrics", "metrics_file"),
)
"""What each option that names a file to be written has it hold."""


class ClosingSummary(NamedTuple):
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


def summary_lines(account: ClosingSummary) -> Iterator[str]:
    """All of it as lines."""
    yield from _number_lines(account.summary)
    yield from _end_lines(account.summary)
    for count, cause, url in causes(account.summary):
        yield f"{count} x {cause}, for example {url}"
    yield from _failure_lines(account.summary)
    yield from (text for _, text in list_rows(account))
    yield from (f"{name}: {where}" for name, where in account.files)
    yield from _retry_lines(account)


def summary_rows(account: ClosingSummary) -> Iterator[tuple[str, str]]:
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


def lines_below(account: ClosingSummary) -> Iterator[str]:
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


def list_rows(account: ClosingSummary) -> Iterator[tuple[str, str]]:
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


def _retry_lines(account: ClosingSummary) -> Iterator[str]:
    if account.retry:
        yield f"to retry: {account.retry}"


def command_words(arguments: argparse.Namespace) -> Sequence[str]:
    """How this run was started, its arguments included."""
    return [*_program(arguments.words), *arguments.words]


def closing_summary(
    summary: RunSummary,
    parser: InputParser,
    *,
    arguments: argparse.Namespace,
    is_told: bool,
) -> ClosingSummary:
    """All that people want to know of a run, whose files have been written if `is_told`."""
    return ClosingSummary(
        summary=summary,
        rejected=parser.rejected,
        repeated=parser.repeated,
        files=[(name, str(path)) for name, path in _files(arguments, is_told=is_told)],
        retry=_retry(summary, arguments, is_told=is_told),
    )


def print_summary(account: ClosingSummary, *, as_table: bool) -> None:
    """Tell people on stderr."""
    lines = summary_lines(account)
    if as_table:
        # Here, because it is there only where the display is.
        from url_downloader.display.live_display import table_text  # noqa: PLC0415

        rows = [(printable(name), printable(text)) for name, text in summary_rows(account)]
        say(table_text(rows))
        lines = lines_below(account)
    for line in lines:
        say(printable(line))


def _files(arguments: argparse.Namespace, *, is_told: bool) -> Iterator[tuple[str, Path]]:
    for name, option in FILES:
        path = getattr(arguments, option)
        # What stands there if it was not written is another run's.
        is_old = option == "failed_out" and not is_told
        if path is not None and str(path) != "-" and not is_old:
            yield name, path


def _retry(summary: RunSummary, arguments: argparse.Namespace, *, is_told: bool) -> str:
    """The command that retries what failed, or a hint where there can be none."""
    if not summary.failures and not summary.unfinished and summary.is_list_read:
        return ""
    failed_out = arguments.failed_out if is_told else None
    # What went into a pipe, or to a device, can't be read from there again.
    if failed_out is not None and not failed_out.is_file():
        failed_out = None
    if arguments.list == "-" and failed_out is None:
        return "standard input is gone; with --failed-out FILE, the next run leaves a list"
    if arguments.list == "-" and arguments.place is None:
        return f"standard input is gone; give {failed_out} instead of -"
    return shown_command(
        retry_words(
            _program(arguments.words),
            arguments.words,
            place=arguments.place,
            failed_out=None if failed_out is None else str(failed_out),
            is_continuing=arguments.existing is not Existing.REPLACE,
        )
    )


def _program(words: Sequence[str]) -> Sequence[str]:
    """What was typed before the arguments."""
    if Path(sys.argv[0]).suffix == ".py":
        return sys.orig_argv[: len(sys.orig_argv) - len(words)]
    return sys.argv[:1]
