"""Settings of the command itself, beside the Settings of its run.

`arguments.py` makes them from argparse's Namespace, which the rest of the command never sees.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from url_downloader.reports.report_settings import ReportSettings


class ProgressMode(enum.StrEnum):
    """The choice of the live display or status lines."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Settings of the log.

    Args:
        file: Path of a file that gets the log as well; None = no file.
        is_verbose: Whether stderr gets every step.
        is_quiet: Whether stderr gets errors only. The file is not affected.
    """

    file: Path | None = None
    is_verbose: bool = False
    is_quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """The arguments as the user typed them.

    Args:
        words: Arguments of the process.
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
        checksums: Path of a file that sha256sum has written; None = no such file.
        is_dry_run: Whether the list is only checked.
        lock: Path of the lock file; None = no lock.
        metrics_file: Path of the metrics file; None = no such file.
        progress: Choice of the live display or status lines.
        log: Settings of the log.
        reports: Settings of the files and lines for scripts.
        command_line: Arguments as the user typed them.
    """

    list_name: str
    checksums: Path | None = None
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
