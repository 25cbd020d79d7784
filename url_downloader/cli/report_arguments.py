"""The options for what scripts read: reports, lists, paths."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from url_downloader.cli.option_types import Group
from url_downloader.shared.errors import ConfigError

STDOUT = Path("-")
_WRITTEN = ("--report", "--failed-out", "--log-file", "--metrics-file", "--lock")
_LIST = "LIST"


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
    _check_files(arguments)


def _check_files(arguments: argparse.Namespace) -> None:
    """See that no file is written for two options, or over the list."""
    owners = {_place(arguments.list): _LIST}
    for flag in _WRITTEN:
        path = getattr(arguments, flag[2:].replace("-", "_"))
        if path is None or (path == STDOUT and flag == "--report"):
            continue
        if path == STDOUT:
            raise ConfigError(f"{flag} -: needs the name of a file")
        if _is_shared(path):
            continue
        owner = owners.setdefault(_place(path), flag)
        # What failed may take the list's place: it is written when that has been read.
        if owner != flag and (flag, owner) != ("--failed-out", _LIST):
            raise ConfigError(f"{flag} {path}: is the file of {owner}, too; name another")


def _place(path: str | Path) -> str:
    """Where links lead to."""
    try:
        return os.path.realpath(path)
    except OSError:
        return str(path)  # the working directory is gone


def _is_shared(path: Path) -> bool:
    """Whether it is a device or a pipe, which several may write to."""
    try:
        return path.exists() and not path.is_file()
    except OSError:
        return False  # whoever opens it will say why it can't be
