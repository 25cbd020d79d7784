"""The command `status`: what a ledger knows, as text, as JSON, or as a list of failed URLs.

`run_status` works while a run writes to the ledger, after the run, and after a kill.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from url_downloader.cli.data_output import DataOutput
from url_downloader.cli.exit_status import EXIT_OK
from url_downloader.cli.ledger_commands import (
    add_location,
    command_parser,
    ledger_of,
    run_frame,
)
from url_downloader.cli.option_types import ArgumentParser
from url_downloader.config.settings import Settings
from url_downloader.ledger.read_access import opened_ledger
from url_downloader.ledger.status import (
    FailedEntry,
    Ranking,
    RunFacts,
    Totals,
    count_entries,
    failed_entries,
    last_runs,
)
from url_downloader.reports.failed_list import entry_text
from url_downloader.reports.job_report import rfc3339
from url_downloader.shared.models import DownloadJob
from url_downloader.shared.text import format_size, path_text

_MAX_RUNS = 5
"""Runs that are shown, the latest first."""


def status_parser() -> ArgumentParser:
    """Return the parser of the arguments."""
    parser = command_parser(
        "status",
        usage="[-d DIR | --ledger FILE | FILE] [--failed | --json]",
        description="Print what the ledger of an output directory knows: URLs by state,\n"
        "failures by cause and host, and the last runs. A run may be going on.",
    )
    group = parser.add_argument_group("status")
    text = "ledger, if it is not that in the output directory"
    group.add_argument("file", metavar="FILE", nargs="?", type=Path, help=text)
    form = group.add_mutually_exclusive_group()
    text = "print the URLs that failed, as a list that the program can read"
    form.add_argument("--failed", action="store_true", help=text)
    form.add_argument("--json", action="store_true", help="print an object of JSON")
    add_location(group)
    return parser


def run_status(words: Sequence[str]) -> int:
    """Print the status of a ledger; return the exit status.

    Args:
        words: Arguments after the name of the command.

    Raises:
        SystemExit: The usage error or the help has been printed.
    """
    parser = status_parser()
    arguments = parser.parse_args(words)
    if arguments.file is not None:
        if arguments.file.is_dir():
            parser.error(f"{arguments.file} is a directory: use -d {arguments.file}")
        if arguments.dir is not None or arguments.ledger is not None:
            parser.error(f"{arguments.file} is the ledger: leave out -d and --ledger, or FILE")
        arguments.ledger = arguments.file
    return run_frame("status", functools.partial(_print_status, arguments))


def _print_status(arguments: argparse.Namespace, output: DataOutput) -> int:
    path = ledger_of(arguments)
    with opened_ledger(path) as connection:
        if arguments.failed:
            lines = failed_list(failed_entries(connection))
        else:
            totals = count_entries(connection, should_stop=output.must_stop)
            runs = last_runs(connection, limit=_MAX_RUNS)
            shown = path_text(str(path))
            as_text = as_json if arguments.json else status_lines
            lines = as_text(shown, totals, runs=runs)
        for line in lines:
            if output.must_stop() or not output.has_reader:
                break
            output.write_line(line)
    return EXIT_OK


def failed_list(entries: Iterator[FailedEntry]) -> Iterator[str]:
    """Yield the lines of a list of the failed URLs.

    The ledger has no logins, headers and signatures. So the list has none either.
    """
    settings = Settings()
    for entry in entries:
        job = DownloadJob(
            entry.row,
            entry.url,
            entry.name,
            settings.retry.max_retries,
            settings.transfer.limits,
        )
        text = entry_text(job, settings, reason=f"failed: {entry.message}")
        yield from text.rstrip("\n").split("\n")


def as_json(ledger: str, totals: Totals, *, runs: Sequence[RunFacts]) -> Iterator[str]:
    """Yield one line: the status as an object of JSON."""
    found = {
        "ledger": ledger,
        "entries": totals.states,
        "size": totals.size,
        "causes": _ranking_object(totals.causes),
        "hosts": _ranking_object(totals.hosts),
        "runs": [
            {
                "run": run.run,
                "started_at": rfc3339(run.started),
                "ended_at": rfc3339(run.ended),
                "exit_status": run.status,
                "settings": run.settings,
                "aggregates": run.aggregates,
            }
            for run in runs
        ],
    }
    yield json.dumps(found)


def _ranking_object(ranking: Ranking) -> Mapping[str, object]:
    first = [{"name": name, "count": count} for name, count in ranking.first]
    return {"first": first, "others": ranking.others, "of_others": ranking.of_others}


def status_lines(ledger: str, totals: Totals, *, runs: Sequence[RunFacts]) -> Iterator[str]:
    """Yield the status as lines of text."""
    states = ", ".join(f"{count} {state}" for state, count in totals.states.items() if count)
    yield f"ledger: {ledger}"
    yield f"URLs: {states or 'none'}"
    yield f"complete files: {format_size(totals.size)}"
    yield from _ranking_lines("cause", totals.causes)
    yield from _ranking_lines("host", totals.hosts)
    yield from ("", "last runs:") if runs else ()
    for run in runs:
        yield from _run_lines(run)


def _ranking_lines(kind: str, ranking: Ranking) -> Iterator[str]:
    if ranking.first:
        yield from ("", f"failed by {kind}:")
    for name, count in ranking.first:
        yield f"{count:8}  {name or 'unknown'}"
    if ranking.others:
        plural = "" if ranking.others == 1 else "s"
        yield f"{ranking.of_others:8}  {ranking.others} other {kind}{plural}"


def _run_lines(run: RunFacts) -> Iterator[str]:
    started, ended = (_shown_time(time) for time in (run.started, run.ended))
    if run.ended is None:
        yield f"  {run.run}: since {started}: running or killed"
    else:
        status = "" if run.status is None else f": exit status {run.status}"
        yield f"  {run.run}: {started} to {ended}{status}"
    if progress := ", ".join(_progress(run.aggregates)):
        yield f"     {progress}"
    for name, value in run.settings.items():
        yield f"     {name} = {json.dumps(value)}"


def _shown_time(seconds: float | None) -> str:
    text = rfc3339(seconds)
    return "an unknown time" if text is None else f"{text[:10]} {text[11:19]}Z"


def _progress(aggregates: Mapping[str, object]) -> Iterator[str]:
    """Yield what the counters of a run say; a counter may be missing."""
    jobs, received = aggregates.get("jobs"), aggregates.get("received")
    seconds = aggregates.get("seconds")
    if isinstance(jobs, Mapping):
        yield from (f"{count} {status}" for status, count in jobs.items())
    if isinstance(received, int):
        yield f"{format_size(received)} received"
        if isinstance(seconds, int | float) and seconds > 0:
            yield f"{format_size(received / seconds)}/s"
