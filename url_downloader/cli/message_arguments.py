"""The options for messages: the log, the live display, the metrics file, the lock."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from url_downloader.cli.command_settings import CommandSettings, LogSettings, ProgressMode
from url_downloader.cli.option_types import Group, add_number
from url_downloader.config.settings import MonitorSettings
from url_downloader.shared.errors import ConfigError
from url_downloader.shared.version import PROGRAM


def add_message_options(group: Group, defaults: MonitorSettings) -> None:
    """Add the options for messages to the group."""
    verbosity = group.add_mutually_exclusive_group()
    verbosity.add_argument("-v", "--verbose", action="store_true", help="log every step")
    text = "log errors only, and print the summary only if something went wrong"
    verbosity.add_argument("-q", "--quiet", action="store_true", help=text)
    flag, interval = "--monitor-interval", defaults.interval
    add_number(group, flag, metavar="TIME", default=interval, text="time between status lines")
    group.add_argument(
        "--progress",
        choices=tuple(map(str, ProgressMode)),
        default=str(ProgressMode.AUTO),
        metavar="WHEN",
        help="show a live display instead of status lines: always, never, or auto, which means"
        " on a terminal (default: auto)",
    )
    for flag, metavar, text in (
        ("--log-file", "FILE", "append the log to FILE as well, even with -q"),
        (
            "--metrics-file",
            "FILE.prom",
            "write the counters of the run to FILE.prom periodically, for Prometheus",
        ),
        ("--lock", "FILE", "lock FILE; exit with status 75 if another run holds the lock"),
    ):
        group.add_argument(flag, metavar=metavar, type=Path, help=f"{text} (default: none)")
    group.add_argument("-h", "--help", action="help", help="print this help and exit")
    text = "print the version and where the program is installed, and exit"
    group.add_argument("-V", "--version", action="version", version=PROGRAM, help=text)


def log_settings(arguments: argparse.Namespace) -> LogSettings:
    """Return the settings of the log that the arguments ask for."""
    return LogSettings(
        file=arguments.log_file, is_verbose=arguments.verbose, is_quiet=arguments.quiet
    )


def check_extras(command: CommandSettings) -> None:
    """Check that the optional packages are installed that the options need.

    Raises:
        ConfigError: A package is missing.
    """
    if command.progress is ProgressMode.ALWAYS:
        _require("rich", "--progress always", project="rich")
    if command.metrics_file is not None:
        _require("prometheus_client", "--metrics-file", project="prometheus-client")


def _require(package: str, flag: str, *, project: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ConfigError(f"{flag}: needs another package: pip install {project}")
