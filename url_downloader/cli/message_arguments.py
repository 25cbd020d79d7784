"""The options for what a run tells of itself while it goes on, and how it is told."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from url_downloader.cli.option_types import Group, add_number
from url_downloader.cli.report_arguments import STDOUT
from url_downloader.config.settings import MonitorSettings
from url_downloader.shared.errors import ConfigError
from url_downloader.shared.version import PROGRAM


def add_message_options(group: Group, defaults: MonitorSettings) -> None:
    """Add them."""
    talk = group.add_mutually_exclusive_group()
    talk.add_argument("-v", "--verbose", action="store_true", help="log every step")
    talk.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")
    flag, interval = "--monitor-interval", defaults.interval
    add_number(group, flag, metavar="TIME", default=interval, text="time between status lines")
    group.add_argument(
        "--progress",
        choices=("auto", "always", "never"),
        default="auto",
        metavar="WHEN",
        help="live display instead of status lines: always, never, or auto, which is on a"
        " terminal (default: auto)",
    )
    for flag, metavar, text in (
        ("--log-file", "FILE", "append the log to FILE as well, also with -q"),
        (
            "--metrics-file",
            "FILE.prom",
            "keep the counters of the run in FILE.prom, for Prometheus",
        ),
        ("--lock", "FILE", "end at once, with status 75, if another run holds the lock FILE"),
    ):
        group.add_argument(flag, metavar=metavar, type=Path, help=f"{text} (default: none)")
    group.add_argument("-h", "--help", action="help", help="print this and exit")
    text = "print the version, and where the program is installed, and exit"
    group.add_argument("-V", "--version", action="version", version=PROGRAM, help=text)


def check_extras(arguments: argparse.Namespace) -> None:
    """Raise ConfigError where an option needs a package that is not installed."""
    if arguments.progress == "always":
        _require("rich", flag="--progress always")
    if arguments.metrics_file is not None:
        _require("prometheus-client", flag="--metrics-file")


def wants_display(arguments: argparse.Namespace) -> bool:
    """Whether the run is to be shown live on stderr."""
    if arguments.progress != "auto":
        return bool(arguments.progress == "always")
    is_smart = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    # What is printed to the same terminal would go right through it.
    is_shared = sys.stdout.isatty() and (arguments.print or arguments.report == STDOUT)
    return is_smart and not is_shared and not arguments.quiet and _is_installed("rich")


def _require(package: str, *, flag: str) -> None:
    if not _is_installed(package.replace("-", "_")):
        raise ConfigError(f"{flag}: needs another package: pip install {package}")


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
