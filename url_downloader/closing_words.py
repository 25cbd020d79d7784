"""What people are told when a run has ended."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from url_downloader.config import Existing
from url_downloader.input_parser import InputParser
from url_downloader.retry_command import retry_words, shown_command
from url_downloader.streams import say
from url_downloader.summary import RunSummary
from url_downloader.summary_text import Account, account_lines, account_rows, lines_below
from url_downloader.units import printable

FILES = (
    ("report", "report"),
    ("list of what failed", "failed_out"),
    ("log", "log_file"),
    ("metrics", "metrics_file"),
)
"""What each option that names a file to be written has it hold."""


def command_words(arguments: argparse.Namespace) -> Sequence[str]:
    """How this run was started, its arguments included."""
    return [*_program(arguments.words), *arguments.words]


def account_of(
    summary: RunSummary,
    parser: InputParser,
    *,
    arguments: argparse.Namespace,
    is_told: bool,
) -> Account:
    """All that people want to know of a run, whose files have been written if `is_told`."""
    return Account(
        summary=summary,
        rejected=parser.rejected,
        repeated=parser.repeated,
        files=[(name, str(path)) for name, path in _files(arguments, is_told=is_told)],
        retry=_retry(summary, arguments, is_told=is_told),
    )


def say_account(account: Account, *, as_table: bool) -> None:
    """Tell people on stderr."""
    lines = account_lines(account)
    if as_table:
        # Here, because it is there only where the display is.
        from url_downloader.progress import table_text  # noqa: PLC0415

        rows = [(printable(name), printable(text)) for name, text in account_rows(account)]
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
