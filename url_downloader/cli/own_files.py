"""The files that a run itself reads and writes: no download takes their names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from url_downloader.cli.command_settings import CommandSettings
from url_downloader.config.settings import Settings
from url_downloader.reports.report_settings import STDOUT
from url_downloader.shared.errors import ConfigError

REPORT = "--report"
FAILED_LIST = "--failed-out"
LOG = "--log-file"
METRICS = "--metrics-file"
LOCK = "--lock"
_LIST = "LIST"
_STREAM = Path("-")
"""Path that stands for standard input or output."""


def written_files(command: CommandSettings) -> Iterator[tuple[str, Path]]:
    """Yield flag and path of each file that the run writes, apart from the downloads."""
    reports = command.reports
    for flag, path in (
        (REPORT, None if reports.report == STDOUT else reports.report),
        (FAILED_LIST, reports.failed_list),
        (LOG, command.log.file),
        (METRICS, command.metrics_file),
        (LOCK, command.lock),
    ):
        if path is not None:
            yield flag, path


def check_written_files(command: CommandSettings) -> None:
    """Check that no two options write the same file, and that none overwrites the list.

    Raises:
        ConfigError: A file has two purposes, or an option that needs a file has `-`.
    """
    owners = {_target(command.list_name): _LIST}
    for flag, path in written_files(command):
        if path == _STREAM:
            raise ConfigError(f"{flag} -: needs the name of a file")
        if _is_pipe_or_device(path):
            continue
        owner = owners.setdefault(_target(path), flag)
        # The failed list may replace the list: it is written after the list has been read.
        if owner != flag and (flag, owner) != (FAILED_LIST, _LIST):
            raise ConfigError(f"{flag} {path}: is also the file of {owner}; name another")


def own_files(command: CommandSettings, settings: Settings) -> Iterator[str]:
    """Yield the path of each file in the output directory that the run reads or writes itself.

    Paths are relative to the output directory, which need not exist.
    """
    server = settings.server
    for_servers = (server.cookies, server.netrc, server.ca_cert, server.cert, server.key)
    written = (path for _, path in written_files(command))
    named = (command.list_name, *command.command_line.included_files)
    for path in (command.checksums, command.host_rules, *for_servers, *written, *named):
        if path and Path(path) != _STREAM:
            yield from _paths_below(settings.output.directory, Path(path))


def _target(path: str | Path) -> str:
    """Return the path with all links resolved."""
    try:
        return os.path.realpath(path)
    except OSError:
        return str(path)  # the working directory is gone


def _is_pipe_or_device(path: Path) -> bool:
    """Tell whether several options may write to the path: it exists and is no regular file."""
    try:
        return path.exists() and not path.is_file()
    except OSError:
        return False  # the error is reported when the file is opened


def _paths_below(directory: Path, path: Path) -> Iterator[str]:
    """Yield the path and the target of its links, relative to the directory, if inside it."""
    with suppress(OSError, ValueError):
        root = Path(os.path.realpath(directory))
        # The last component may be a link, which a download must not replace either.
        link = Path(os.path.realpath(path.parent)) / path.name
        for found in {link, Path(os.path.realpath(path))}:
            if found.is_relative_to(root):
                yield str(found.relative_to(root))
