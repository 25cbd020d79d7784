"""The files and lines that a run writes for scripts: opened before it, finished after it.

`open_outputs` opens the outputs that the settings ask for. During the run their listeners get
its events, and their observers flush lines. After the run, `Outputs.finish` writes the rest.
"""

from __future__ import annotations

import functools
import logging
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from url_downloader.config.settings import Settings
from url_downloader.engine.monitor import Observer
from url_downloader.engine.run_summary import RunSummary
from url_downloader.naming.server_names import ServerNames
from url_downloader.reports.failed_jobs import FailedJobs
from url_downloader.reports.job_report import Report
from url_downloader.reports.line_writer import FLUSH_INTERVAL, LineWriter
from url_downloader.reports.list_spool import ListSpool
from url_downloader.reports.report_settings import STDOUT, ReportSettings
from url_downloader.reports.unread_list import UnreadList, unread_text
from url_downloader.shared.descriptors import close_read
from url_downloader.shared.errors import OutputError
from url_downloader.shared.interruptible_pipe import GRACE_SECONDS
from url_downloader.shared.models import DownloadJob, EventListener, JobEvent, JobStatus
from url_downloader.storage.disk_errors import output_errors

log = logging.getLogger(__package__)

_UNFINISHED = [status for status in JobStatus if not status.is_terminal]


class RunEnd(NamedTuple):
    """Facts about the end of a run that its outputs need.

    Args:
        summary: Summary of the run.
        unread: Part of the list that the run has not read.
        must_hurry: Tells whether the process has to end soon, so that slow readers lose lines.
    """

    summary: RunSummary
    unread: UnreadList
    must_hurry: Callable[[], bool]


class Outputs:
    """Open outputs of a run.

    Attributes:
        listeners: Listeners to be called with the run's events.
        observers: Observers to be called with the run's state.
        endings: Functions that write the rest of an output after the run, in this order. Each
            returns whether its output is complete.

    Threads: one; the listeners and observers are called from other threads.
    """

    def __init__(self) -> None:
        self.listeners: list[EventListener] = []
        self.observers: list[Observer] = []
        self.endings: list[Callable[[RunEnd], bool]] = []

    def finish(self, end: RunEnd) -> bool:
        """Write the rest of all outputs; return whether all are complete. Errors are logged."""
        failures = [ending for ending in self.endings if not ending(end)]
        return not failures


@contextmanager
def open_outputs(
    reports: ReportSettings, settings: Settings, *, list_descriptor: int, names: ServerNames
) -> Iterator[Outputs]:
    """Open all outputs that the settings ask for, and close them after the block.

    Args:
        reports: Settings of the outputs.
        settings: Settings of the run.
        list_descriptor: Descriptor of the list, which no output may overwrite.
        names: Names that servers give to files.

    Raises:
        OutputError: An output can't be written, or would overwrite the list.
    """
    outputs = Outputs()
    with ExitStack() as stack:
        if reports.report is not None:
            descriptor = _open_report(reports.report, list_descriptor, stack=stack)
            _add_report(outputs, _writer(descriptor, outputs, name="--report", stack=stack))
        if reports.prints_paths:
            writer = _writer(sys.stdout.fileno(), outputs, name="--print", stack=stack)
            _add_paths(outputs, writer, end=b"\0" if reports.ends_with_nul else b"\n")
        if reports.failed_list is not None:
            path = reports.failed_list
            _add_failed_list(outputs, path, settings=settings, names=names, stack=stack)
        yield outputs


def _open_report(path: Path, list_descriptor: int, *, stack: ExitStack) -> int:
    if path == STDOUT:
        return sys.stdout.fileno()
    with output_errors(f"{path}: the report can't be written there"):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o666)
        stack.callback(close_read, descriptor)
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            if os.path.samestat(status, os.fstat(list_descriptor)):
                raise OutputError(f"{path}: the report would overwrite the list")
            os.ftruncate(descriptor, 0)
        return descriptor


def _writer(descriptor: int, outputs: Outputs, *, name: str, stack: ExitStack) -> LineWriter:
    """Return a writer that a new observer flushes. `stack` closes it before the descriptor."""
    writer = LineWriter(descriptor, name=name)
    stack.callback(writer.close)
    flush = Observer(
        name=f"{name[2:]}-writer", interval=FLUSH_INTERVAL, tell=lambda _: writer.flush()
    )
    outputs.observers.append(flush)
    return writer


def _add_report(outputs: Outputs, writer: LineWriter) -> None:
    report = Report(writer.write)

    def end(run: RunEnd) -> bool:
        unfinished = run.summary.leftovers.with_status(*_UNFINISHED)
        report.add_unfinished(unfinished, run.summary.hosts.states)
        return _drain(writer, run)

    outputs.listeners.append(report.on_event)
    outputs.endings.append(end)


def _add_paths(outputs: Outputs, writer: LineWriter, *, end: bytes) -> None:
    def print_path(event: JobEvent) -> None:
        result = event.record.result
        if event.record.status is JobStatus.SUCCESS and result and result.path:
            writer.write(functools.partial(_path_line, result.path, end))

    outputs.listeners.append(print_path)
    outputs.endings.append(lambda run: _drain(writer, run))


def _path_line(path: str, end: bytes) -> bytes:
    # A server can choose a name that a program would take for an option.
    guard = b"./" if path.startswith("-") else b""
    return guard + os.fsencode(path) + end


def _drain(writer: LineWriter, run: RunEnd) -> bool:
    grace_ends = time.monotonic() + GRACE_SECONDS
    return writer.drain(gave_up=lambda: run.must_hurry() and time.monotonic() > grace_ends)


def _add_failed_list(
    outputs: Outputs, path: Path, *, settings: Settings, names: ServerNames, stack: ExitStack
) -> None:
    spool = ListSpool(path)
    stack.callback(spool.close)
    writer = _writer(spool.descriptor, outputs, name="--failed-out", stack=stack)
    # The next run must give the file the name that a server chose in this one.
    settled = names.settled if settings.output.takes_server_names else _unchanged
    jobs = FailedJobs(spool, writer, settings=settings, settled=settled)

    def end(run: RunEnd) -> bool:
        """Write the list; return whether that succeeded."""
        if not _drain(writer, run):
            return False
        unfinished = run.summary.leftovers.with_status(*_UNFINISHED)
        is_read = run.summary.is_list_read
        rest = unread_text(run.unread, settings, path=path, settled=settled)
        try:
            jobs.finish(path, unfinished, rest=() if is_read else rest, gave_up=run.must_hurry)
        except OSError as error:
            log.error("%s: the failed URLs can't be written: %s", path, error.strerror)
            return False
        return True

    outputs.listeners.append(jobs.on_event)
    outputs.endings.append(end)


def _unchanged(job: DownloadJob) -> DownloadJob:
    return job
