"""The options for files and lines that scripts read: report, failed list, paths."""

from __future__ import annotations

import argparse
from pathlib import Path

from url_downloader.cli.option_types import Group
from url_downloader.reports.report_settings import ReportSettings


def add_report_options(group: Group) -> None:
    """Add the options for reports to the group."""
    group.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        help="write the result of each URL as a line of JSON; - is standard output"
        " (default: none)",
    )
    group.add_argument(
        "--failed-out",
        metavar="FILE",
        type=Path,
        help="write a list of the URLs that were not downloaded, at the end (default: none)",
    )
    group.add_argument(
        "--print",
        choices=("paths",),
        metavar="paths",
        help="print the path of each finished file to standard output (default: nothing)",
    )
    group.add_argument(
        "-0", "--null", action="store_true", help="end each path of --print with a NUL"
    )


def report_settings(arguments: argparse.Namespace) -> ReportSettings:
    """Return the settings of the reports that the arguments ask for.

    Raises:
        ConfigError: The options contradict each other.
    """
    return ReportSettings(
        report=arguments.report,
        failed_list=arguments.failed_out,
        prints_paths=arguments.print is not None,
        ends_with_nul=arguments.null,
    )
