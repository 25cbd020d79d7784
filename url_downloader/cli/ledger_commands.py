"""The frame of the commands `status` and `verify`: location of the ledger, signals, status."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from url_downloader.cli.data_output import DataOutput
from url_downloader.cli.exit_status import EXIT_LOCAL
from url_downloader.cli.option_types import ArgumentParser, Group, HelpFormatter
from url_downloader.cli.signals import caught_signals
from url_downloader.cli.std_streams import print_to_stderr
from url_downloader.config.ledger_settings import LedgerSettings
from url_downloader.config.settings import OutputSettings, Settings
from url_downloader.run_history import ledger_path
from url_downloader.shared.errors import InputError, OutputError
from url_downloader.shared.text import printable


def command_parser(name: str, *, usage: str, description: str) -> ArgumentParser:
    """Return a parser without arguments.

    Args:
        name: Name of the command.
        usage: Arguments of the command, for the help.
        description: Purpose of the command, for the help.
    """
    return ArgumentParser(
        prog=f"url-downloader {name}",
        usage=f"%(prog)s {usage}",
        description=description,
        allow_abbrev=False,
        add_help=False,
        formatter_class=HelpFormatter,
    )


def add_location(group: Group) -> None:
    """Add the options that say where the ledger is."""
    group.add_argument(
        *("-d", "--dir", "-P", "--output-dir"),
        metavar="DIR",
        type=Path,
        help=f"output directory of the runs (default: {OutputSettings().directory})",
    )
    group.add_argument(
        "--ledger",
        metavar="FILE",
        type=Path,
        help="ledger, if it is not that in the output directory",
    )
    group.add_argument("-h", "--help", action="help", help="print this help and exit")


def directory_of(arguments: argparse.Namespace) -> Path:
    """Return the output directory that the arguments name."""
    return OutputSettings().directory if arguments.dir is None else Path(arguments.dir)


def ledger_of(arguments: argparse.Namespace) -> Path:
    """Return the path of the ledger that the arguments name."""
    output = OutputSettings(directory=directory_of(arguments))
    return ledger_path(
        Settings(output=output, ledger=LedgerSettings(ledger_file=arguments.ledger))
    )


def run_frame(name: str, action: Callable[[DataOutput], int]) -> int:
    """Run a command; return its exit status. Errors are printed to stderr.

    Args:
        name: Name of the command.
        action: Writes to the output, and returns the exit status unless a signal comes.
    """
    with caught_signals() as signals:
        try:
            output = DataOutput(lambda: signals.stop is not None)
            status = action(output)
            output.flush()
        except (InputError, OutputError) as error:
            print_to_stderr(f"url-downloader {name}: {printable(str(error))}")
            status = EXIT_LOCAL
        return status if signals.stop is None else 128 + signals.stop
