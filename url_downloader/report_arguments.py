"""The options for what scripts read: reports, lists, paths."""

from __future__ import annotations

import argparse
from pathlib import Path

from url_downloader.option_types import Group
from url_downloader.shared.errors import ConfigError

STDOUT = Path("-")


def add_report_options(group: Group) -> None:
    """Add them."""
    group.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        help="write a line of JSON for each URL as it ends; - is standard output (default:"
        " none)",
    )
    group.add_argument(
        "--failed-out",
        metavar="FILE",
        type=Path,
        help="write what is still to be downloaded, as a list, at the end (default: none)",
    )
    group.add_argument(
        "--print",
        choices=("paths",),
        metavar="paths",
        help="print the path of each file to standard output as it is finished (default:"
        " nothing)",
    )
    group.add_argument(
        "-0", "--null", action="store_true", help="end each printed path with a NUL"
    )


def check_reports(arguments: argparse.Namespace) -> None:
    """See that the options don't contradict each other.

    Raises:
        ConfigError: they do.
    """
    if arguments.report == STDOUT and arguments.print:
        raise ConfigError("--report -: stdout can't have the paths of --print as well")
    if arguments.null and not arguments.print:
        raise ConfigError("-0: needs --print paths")
