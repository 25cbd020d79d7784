"""The command `verify`: do the files of an output directory agree with its ledger?

`run_verify` prints a line for each difference to standard output, and a summary to stderr.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from url_downloader.cli.data_output import DataOutput
from url_downloader.cli.exit_status import EXIT_OK, EXIT_SOME_FAILED
from url_downloader.cli.ledger_commands import (
    add_location,
    command_parser,
    directory_of,
    ledger_of,
    run_frame,
)
from url_downloader.cli.list_source import read_sums
from url_downloader.cli.option_types import ArgumentParser
from url_downloader.cli.std_streams import print_to_stderr
from url_downloader.ledger.read_access import opened_ledger
from url_downloader.ledger.verification import Verification
from url_downloader.shared.errors import InputError
from url_downloader.shared.text import format_size

_PROGRESS_INTERVAL = 0.1
"""Seconds between two updates of the progress; more would flicker."""


def verify_parser() -> ArgumentParser:
    """Return the parser of the arguments."""
    parser = command_parser(
        "verify",
        usage="[-d DIR] [--ledger FILE] [--checksums FILE]",
        description="Compare each file that the ledger of an output directory has recorded:\n"
        "size, time of the last change, and digest, if one is known.",
    )
    group = parser.add_argument_group("verify")
    group.add_argument(
        "--checksums",
        metavar="FILE",
        type=Path,
        help="compare with the checksums in FILE, written by sha256sum, instead of those in the"
        " ledger",
    )
    add_location(group)
    return parser


def run_verify(words: Sequence[str]) -> int:
    """Compare the files of a directory with its ledger; return the exit status.

    Args:
        words: Arguments after the name of the command.

    Raises:
        SystemExit: The usage error or the help has been printed.
    """
    arguments = verify_parser().parse_args(words)
    return run_frame("verify", functools.partial(_verify, arguments))


def _verify(arguments: argparse.Namespace, output: DataOutput) -> int:
    directory = directory_of(arguments)
    checksums = read_sums(arguments.checksums) if arguments.checksums else {}
    progress = Progress()
    with opened_ledger(ledger_of(arguments)) as connection:
        if not directory.is_dir():
            raise InputError(f"{directory}: there is no such directory; name one with --dir")
        verification = Verification(
            connection,
            os.fsencode(directory),
            checksums=checksums,
            should_stop=output.must_stop,
            on_progress=progress.show,
        )
        for name, fault in verification.differences():
            progress.erase()
            output.write_line(f"{name}: {fault}")
            # The next difference may be an hour away.
            output.flush()
    progress.erase()
    for line in summary_lines(verification, checksums=len(checksums)):
        print_to_stderr(line)
    return EXIT_SOME_FAILED if verification.differing else EXIT_OK


def summary_lines(verification: Verification, *, checksums: int) -> Iterator[str]:
    """Yield the lines of the summary.

    Args:
        verification: Comparison that has ended.
        checksums: Number of checksums that the user gave.
    """
    done = verification
    files = "file" if done.files == 1 else "files"
    differ = "differs" if done.differing == 1 else "differ"
    yield f"{done.files} {files} compared, {done.differing} {differ}"
    if done.without_digest:
        yield f"{done.without_digest} by size and time only: no digest is known"
    if done.incomplete:
        yield f"{done.incomplete} not compared: not known to be complete"
    if others := checksums - done.with_checksum:
        yield f"{others} of {checksums} checksums are for files that the ledger does not have"


class Progress:
    """Line on stderr that says how far the comparison is, if stderr is a terminal.

    Args:
        now: Monotonic clock, seconds.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._is_terminal = sys.stderr.isatty()
        self._width = 0
        self._due = 0.0

    def show(self, files: int, size: int) -> None:
        """Show the numbers of files and bytes that were compared, but not too often."""
        if not self._is_terminal or (now := self._now()) < self._due:
            return
        self._due = now + _PROGRESS_INTERVAL
        self._write(f"files compared: {files}, {format_size(size)} read")

    def erase(self) -> None:
        """Remove the line, so that other text can take its place."""
        if self._width:
            self._write("")
            self._due = 0.0

    def _write(self, text: str) -> None:
        """Write text over the line. Blanks remove the rest of it, on any kind of terminal."""
        with suppress(OSError, ValueError):
            end = "" if text else "\r"
            sys.stderr.write(f"\r{text.ljust(self._width)}{end}")
            sys.stderr.flush()
        self._width = len(text)
