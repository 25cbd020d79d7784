"""What a run leaves for scripts: all of it is opened and ended here.

Knows which option asks for what; nothing of what is in the files.
"""

from __future__ import annotations

import argparse
import functools
import logging
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from url_downloader.config.settings import Settings
from url_downloader.engine.monitor import Observer
from url_downloader.engine.run_summary import RunSummary
from url_downloader.inputs.list_skimmer import ListSkimmer
from url_downloader.naming.server_names import ServerNames
from url_downloader.reports.failed_list import (
    NOT_BEGUN,
    Item,
    check_place,
    has_options,
    list_text,
    reason_of,
    write_list,
)
from url_downloader.reports.job_report import Report
from url_downloader.reports.line_writer import MOMENT, LineWriter
from url_downloader.shared.descriptors import close_read
from url_downloader.shared.errors import OutputError
from url_downloader.shared.models import DownloadJob, EventListener, JobEvent, JobStatus
from url_downloader.storage.disk_errors import output_errors

log = logging.getLogger(__package__)

_GRACE = 0.5
"""Seconds that a slow reader gets when the run has to end."""
_QUIET_TIME, _QUIET_LOOKS = 0.3, 3
"""Seconds, and looks, after which a list that somebody is still writing brings nothing more."""
_UNFINISHED = [status for status in JobStatus if not status.is_terminal]
_REST_TIME = 5.0
"""Seconds for the rest of such a list, however much it brings."""


class RunEnd(NamedTuple):
    """The end of a run, as those see it who write it down.

    Args:
        summary: of the run.
        jobs: what the list goes on with; None: nothing yet.
        skimmer: of its lines; None if it can't be skimmed.
        names: of the files, where servers give them.
        is_list_file: whether the list is a file, whose end is there already.
        must_hurry: whether the run has to end soon.
    """

    summary: RunSummary
    jobs: Iterable[DownloadJob | None]
    skimmer: ListSkimmer | None
    names: ServerNames
    is_list_file: bool
    must_hurry: Callable[[], bool]


class Outputs:
    """What has been opened.

    Attributes:
        listeners, observers: for process_jobs.
        endings: called at the end of the run, in this order; each returns whether all that it
            had to write is written.
    """

    def __init__(self) -> None:
        self.listeners: list[EventListener] = []
        self.observers: list[Observer] = []
        self.endings: list[Callable[[RunEnd], bool]] = []

    def finish(self, end: RunEnd) -> bool:
        """Write what is left to write; returns whether all is written."""
        failures = [ending for ending in self.endings if not ending(end)]
        return not failures


@contextmanager
def open_outputs(
    arguments: argparse.Namespace, settings: Settings, *, list_descriptor: int
) -> Iterator[Outputs]:
    """All that the arguments ask for, open for as long as the block runs.

    Raises:
        OutputError: a file can't be written.
    """
    outputs = Outputs()
    with ExitStack() as stack:
        if arguments.report is not None:
            descriptor = _open_report(arguments.report, list_descriptor, stack=stack)
            _add_report(outputs, _writer(descriptor, outputs, name="--report", stack=stack))
        if arguments.print:
            writer = _writer(sys.stdout.fileno(), outputs, name="--print", stack=stack)
            _add_paths(outputs, writer, end=b"\0" if arguments.null else b"\n")
        if arguments.failed_out is not None:
            _add_failed_list(outputs, arguments.failed_out, settings=settings)
        yield outputs


def _open_report(path: Path, list_descriptor: int, *, stack: ExitStack) -> int:
    if path == Path("-"):
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
    """A writer that keeps trying; before the descriptor is closed it stops."""
    writer = LineWriter(descriptor, name=name)
    stack.callback(writer.close)
    tell = Observer(name=f"{name[2:]}-writer", interval=MOMENT, tell=lambda _: writer.flush())
    outputs.observers.append(tell)
    return writer


def _add_report(outputs: Outputs, writer: LineWriter) -> None:
    report = Report(writer.write)

    def end(run: RunEnd) -> bool:
        report.add_unfinished(run.summary.leftovers.with_status(*_UNFINISHED))
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
    # No program is to take a name that a server chose for an option.
    guard = b"./" if path.startswith("-") else b""
    return guard + os.fsencode(path) + end


def _drain(writer: LineWriter, run: RunEnd) -> bool:
    grace_ends = time.monotonic() + _GRACE
    return writer.drain(gave_up=lambda: run.must_hurry() and time.monotonic() > grace_ends)


def _add_failed_list(outputs: Outputs, path: Path, *, settings: Settings) -> None:
    check_place(path)

    def end(run: RunEnd) -> bool:
        """Write the list; whether it could be written."""
        settle = _settling(run.names, settings)
        failed = ((settle(record.job), reason_of(record)) for record in run.summary.leftovers)
        unread = _unread_text(run, path, settings=settings)
        try:
            write_list(path, chain(list_text(failed, settings), unread), gave_up=run.must_hurry)
        except OSError as error:
            log.error("%s: the failed URLs can't be written: %s", path, error.strerror)
            return False
        return True

    outputs.endings.append(end)


def _settling(names: ServerNames, settings: Settings) -> Callable[[DownloadJob], DownloadJob]:
    """Return how a job is listed: with its name, where a server could give it another one."""
    return names.settled if settings.output.takes_server_names else lambda job: job


def _unread_text(run: RunEnd, path: Path, *, settings: Settings) -> Iterator[str]:
    """The text of what is in the list and has not been read from it."""
    unread = _unread(run, path)
    if run.skimmer is None:
        settle = _settling(run.names, settings)
        items = ((settle(item[0]), item[1]) for item in unread if item)
        yield from list_text(items, settings)
        return
    run.skimmer.skim()
    for item in unread:
        yield from run.skimmer.take()
        if item is not None and not _is_kept(item[0], run.skimmer, settings=settings):
            yield from list_text([item], settings)
    yield from run.skimmer.take()


def _is_kept(job: DownloadJob, skimmer: ListSkimmer, *, settings: Settings) -> bool:
    """Whether the URL has been copied already, from a line that spells it otherwise."""
    return skimmer.has(job.url) and not has_options(job, settings)


def _unread(run: RunEnd, path: Path) -> Iterator[Item | None]:
    """What is in the list and has not been read from it; None: nothing yet."""
    if run.summary.is_list_read:
        return
    log.info("reading the rest of the list for %s", path)
    last = began = time.monotonic()
    quiet = 0
    for job in run.jobs:
        now = time.monotonic()
        if job is not None:
            last, quiet = now, 0
            yield job, NOT_BEGUN
        else:
            quiet += 1
            yield None
        is_quiet = quiet >= _QUIET_LOOKS and now > last + _QUIET_TIME
        if not run.is_list_file and (is_quiet or now > began + _REST_TIME):
            log.warning("the list has not ended; what comes now is not in %s", path)
            return
