"""The settings of the command itself, apart from the Settings of its run.

`arguments.py` makes them from argparse's Namespace, so that only the modules of the options
know its attributes.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from url_downloader.reports.report_settings import ReportSettings


class ProgressMode(enum.StrEnum):
    """Choice between the live display and status lines."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Settings of the log.

    Args:
        file: Path of a file that gets the log as well as stderr; None = no file.
        is_verbose: Whether every step is logged, to stderr and to the file.
        is_quiet: Whether stderr gets errors only. The file is not affected.
    """

    file: Path | None = None
    is_verbose: bool = False
    is_quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """Arguments as the user typed them.

    Args:
        words: Arguments of the process, without the name of the program.
        list_position: Index in `words` of the list's name; None if that is not certain.
        included_files: Names of the files that the arguments include by `@FILE`: config files
            and files with headers.
    """

    words: Sequence[str] = ()
    list_position: int | None = None
    included_files: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings:
    """Settings of one call of the command.

    Args:
        list_name: Name of the list; `-` is standard input.
        checksums: Path of a file of checksums that sha256sum has written; None = no file.
        host_rules: Path of a file with limits for some hosts; None = no file.
        is_dry_run: Whether the list is only checked and printed.
        lock: Path of the lock file; None = no lock.
        metrics_file: Path of the metrics file; None = no file.
        progress: Choice between the live display and status lines.
        log: Settings of the log.
        reports: Settings of the files and lines for scripts.
        command_line: Arguments as the user typed them.
    """

    list_name: str
    checksums: Path | None = None
    host_rules: Path | None = None
    is_dry_run: bool = False
    lock: Path | None = None
    metrics_file: Path | None = None
    progress: ProgressMode = ProgressMode.AUTO
    log: LogSettings = field(default_factory=LogSettings)
    reports: ReportSettings = field(default_factory=ReportSettings)
    command_line: CommandLine = field(default_factory=CommandLine)

    @property
    def reads_stdin(self) -> bool:
        """Tell whether the list comes from standard input."""
        return self.list_name == "-"
