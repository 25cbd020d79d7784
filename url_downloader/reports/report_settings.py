"""Settings of the files and lines that a run writes for scripts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from url_downloader.shared.errors import ConfigError

STDOUT = Path("-")
"""Path that stands for standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """Settings of the files and lines that a run writes for scripts.

    Args:
        report: Path of the report; STDOUT is standard output; None = no report.
        failed_list: Path of the list of the jobs that did not succeed; None = no list.
        prints_paths: Whether the path of each finished file is printed to standard output.
        ends_with_nul: Whether a NUL ends each printed path, in place of a line feed.

    Raises:
        ConfigError: The settings contradict each other.
    """

    report: Path | None = None
    failed_list: Path | None = None
    prints_paths: bool = False
    ends_with_nul: bool = False

    def __post_init__(self) -> None:
        if self.report == STDOUT and self.prints_paths:
            raise ConfigError("--report -: --print writes to standard output, too; name a file")
        if self.ends_with_nul and not self.prints_paths:
            raise ConfigError("-0: needs --print paths")

    @property
    def uses_stdout(self) -> bool:
        """Tell whether the run writes to standard output."""
        return self.prints_paths or self.report == STDOUT
