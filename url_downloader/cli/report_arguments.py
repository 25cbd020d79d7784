"""The options for what scripts read: reports, lists, paths."""

from __future__ import annotations

import argparse
from pathlib import Path

from url_downloader.cli.option_types import Group
from url_downloader.reports.report_settings import ReportSettings


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


def report_settings(arguments: argparse.Namespace) -> ReportSettings:
    """Return the settings that the arguments ask for.

    Raises:
        ConfigError: The options contradict each other.
    """
    return ReportSettings(
        report=arguments.report,
        failed_list=arguments.failed_out,
        prints_paths=arguments.print is not None,
        ends_with_nul=arguments.null,
    )
