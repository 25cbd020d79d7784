"""Exit status of the command: the result of a run as one number."""

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
_MILDER_THAN_LOCAL = frozenset({EXIT_OK, EXIT_SOME_FAILED, EXIT_ALL_FAILED, EXIT_LIMIT})
"""Statuses that EXIT_LOCAL replaces if metrics file or ledger can't be written."""


def exit_status(
    summary: RunSummary,
    parser: InputParser,
    *,
    stopped_by: signal.Signals | None,
    is_reported: bool,
) -> int:
    """Return the exit status of a run.

    Args:
        summary: Summary of the run.
        parser: Parser of the list.
        stopped_by: Signal that ended the run; None if none came.
        is_reported: Whether all reports could be written.
    """
    failed = summary.counts[JobStatus.FAILED] + summary.unfinished + parser.rejected
    if stopped_by is not None:
        return 128 + stopped_by
    if summary.crash is not None or summary.has_bug:
        return EXIT_BUG
    if parser.error is not None or summary.has_local_trouble or not is_reported:
        return EXIT_LOCAL
    if summary.stopped_by is not None:
        return EXIT_LIMIT
    if not failed:
        return EXIT_OK
    return EXIT_SOME_FAILED if summary.counts[JobStatus.SUCCESS] else EXIT_ALL_FAILED


def status_after_write(status: int, *, is_written: bool) -> int:
    """Return the exit status of the process after the last write of a file that holds it.

    Args:
        status: Exit status of the run, which the file holds.
        is_written: Whether the file could be written.
    """
    return EXIT_LOCAL if not is_written and status in _MILDER_THAN_LOCAL else status
