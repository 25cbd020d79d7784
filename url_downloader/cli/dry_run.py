"""The dry run: what a run would download, printed without a request or a write to the disk."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from url_downloader.cli.closing_summary import ClosingSummary, list_rows
from url_downloader.cli.command_settings import CommandSettings
from url_downloader.cli.exit_status import EXIT_OK, exit_status
from url_downloader.cli.list_source import ListedJobs
from url_downloader.cli.signals import caught_signals
from url_downloader.cli.std_streams import print_to_stderr
from url_downloader.config.settings import Settings
from url_downloader.engine.run_summary import RunSummary
from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.errors import OutputError
from url_downloader.shared.models import DownloadJob, JobStatus, ListItem, PassedOver
from url_downloader.shared.text import path_text, printable

log = logging.getLogger(__package__)


def dry_run(listed: ListedJobs, command: CommandSettings, *, settings: Settings) -> int:
    """Print the jobs of the list; return the exit status as if all were downloaded.

    A signal stops the printing, and determines the exit status.

    Raises:
        OutputError: Standard output can't be written.
    """
    parser = listed.parser
    printer = JobPrinter(settings.output.directory)
    with caught_signals() as signals:
        printer.print_jobs(listed.jobs, should_stop=lambda: signals.stop is not None)
        if parser.error is not None:
            log.error("%s", parser.error)
        run = RunSummary(
            counts={JobStatus.SUCCESS: printer.jobs + printer.passed_over, JobStatus.FAILED: 0},
            metrics=MetricsSnapshot(),
        )
        status = exit_status(run, parser, stopped_by=signals.stop, is_reported=True)
    if status != EXIT_OK or not command.log.is_quiet:
        print_to_stderr(
            f"{printer.jobs} to download, {printer.with_checksum} of them with a checksum"
        )
        if printer.passed_over:
            print_to_stderr(f"{printer.passed_over} were downloaded before")
        summary = ClosingSummary(run, rejected=parser.rejected, repeated=parser.repeated)
        for _, text in list_rows(summary):
            print_to_stderr(text)
    return status


class JobPrinter:
    """Printer of jobs: a line for each, with its URL, a tab and the path of its file.

    URL and path have no tab or line end in them, unless the directory's path has one.

    Args:
        directory: Directory in which a run would put the files.

    Attributes:
        jobs: Number of jobs so far.
        with_checksum: Number of jobs so far that have a checksum.
        passed_over: Number of URLs so far that need no download.
    """

    def __init__(self, directory: Path) -> None:
        self.jobs = 0
        self.with_checksum = 0
        self.passed_over = 0
        self._prefix = os.fsencode(directory / "_")[:-1]
        self._has_reader = True

    def print_jobs(self, jobs: Iterable[ListItem], *, should_stop: Callable[[], bool]) -> None:
        """Print all jobs to standard output.

        Args:
            jobs: Items of the list; None means that there is no job yet.
            should_stop: Tells whether to stop before the next job.

        Raises:
            OutputError: Standard output can't be written.
        """
        for job in jobs:
            if should_stop():
                break
            if job is None or isinstance(job, PassedOver):
                self._flush()
                self.passed_over += 0 if job is None else job.number
                continue
            self.jobs += 1
            self.with_checksum += job.checksum is not None
            self._write(b"%b\t%b\n" % (job.shown_url.encode(), self._path(job)))
        self._flush()

    def _path(self, job: DownloadJob) -> bytes:
        path = self._prefix + job.output.encode()
        if not sys.stdout.isatty():
            return path
        text = printable(path_text(os.fsdecode(path)))
        return text.encode(sys.stdout.encoding, "backslashreplace")

    def _flush(self) -> None:
        """Write what the stream still holds."""
        self._write(b"")

    def _write(self, line: bytes) -> None:
        """Write a line; if it is empty, flush the stream."""
        if not self._has_reader:
            return
        try:
            # Bytes, because names of files are bytes in any locale.
            sys.stdout.buffer.write(line)
            if not line:
                sys.stdout.buffer.flush()
        except BrokenPipeError:
            # The reader, such as head, has closed the pipe. The rest of the list is still
            # checked.
            self._has_reader = False
        except OSError as error:
            self._has_reader = False
            raise OutputError(f"standard output can't be written: {error.strerror}") from error
