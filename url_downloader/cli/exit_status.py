"""Exit status of the command: what a run came to, as one number."""

from __future__ import annotations

import signal

from url_downloader.engine.run_summary import RunSummary
from url_downloader.input_parser import InputParser
from url_downloader.shared.models import JobStatus

EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_LOCAL = 3
EXIT_ALL_FAILED = 4
EXIT_LIMIT = 5
EXIT_BUG = 70
EXIT_LOCKED = 75
MILDER = frozenset({EXIT_OK, EXIT_SOME_FAILED, EXIT_ALL_FAILED, EXIT_LIMIT})
"""What trouble on this machine takes precedence over."""


def exit_status(
    summary: RunSummary,
    parser: InputParser,
    *,
    stopped_by: signal.Signals | None,
    is_told: bool,
) -> int:
    """The truth about the run, and whether all reports of it are written, as one number."""
    failed = summary.counts[JobStatus.FAILED] + summary.unfinished + parser.rejected
    if stopped_by is not None:
        return 128 + stopped_by
    if summary.crash is not None or summary.has_bug:
        return EXIT_BUG
    if parser.error is not None or summary.has_local_trouble or not is_told:
        return EXIT_LOCAL
    if summary.stopped_by is not None:
        return EXIT_LIMIT
    if not failed:
        return EXIT_OK
    return EXIT_SOME_FAILED if summary.counts[JobStatus.SUCCESS] else EXIT_ALL_FAILED


def status_after(status: int, *, is_told: bool) -> int:
    """The truth once more, when the metrics have been told of it, or not."""
    return EXIT_LOCAL if not is_told and status in MILDER else status
