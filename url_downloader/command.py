"""The command: from the list to the summary and the exit status.

Everything that it needs is imported with it; so who only asks for help does not wait for it.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from url_downloader.checksums import parse_sums
from url_downloader.claims import NameClaims
from url_downloader.config import Settings
from url_downloader.input_parser import InputParser, read_lines
from url_downloader.monitor import Observer, RunView, log_line, log_state
from url_downloader.process_jobs import process_jobs
from url_downloader.shared.errors import InputError, OutputError
from url_downloader.shared.models import Checksum, DownloadJob, JobStatus
from url_downloader.signals import SignalBox, caught_signals
from url_downloader.storage import PARTS_FOLDER
from url_downloader.streams import say
from url_downloader.summary import RunSummary, summary_lines
from url_downloader.units import printable

log = logging.getLogger(__name__)

ANSWER_WITHIN = 0.1
"""Seconds after which one who asks for the state of the run hears it."""
EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_LOCAL = 3
EXIT_ALL_FAILED = 4
EXIT_LIMIT = 5
EXIT_BUG = 70


def run_command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do what the arguments ask for; returns the exit status."""
    try:
        with open_list(arguments.list) as descriptor:
            return run(descriptor, arguments, settings=settings)
    except (InputError, OutputError) as error:
        log.error("%s", error)
        return EXIT_LOCAL
    except Exception:
        log.critical("a bug of this program", exc_info=True)
        return EXIT_BUG


def run(descriptor: int, arguments: argparse.Namespace, *, settings: Settings) -> int:
    """Download the list that can be read from `descriptor`; returns the exit status."""
    checksums = read_sums(arguments.checksums) if arguments.checksums else {}
    claims = NameClaims(reserved=[PARTS_FOLDER])
    parser = InputParser(
        source="standard input" if arguments.list == "-" else arguments.list,
        claims=claims,
        limits=settings.transfer.limits,
        max_retries=settings.retry.max_retries,
        on_rejected=lambda rejection: log.error("%s", rejection),
        on_note=lambda note: log.info("%s", note),
    )
    jobs = with_checksums(parser.parse(read_lines(descriptor)), checksums)
    with caught_signals() as signals:
        summary = process_jobs(
            jobs,
            settings,
            name=claims.claim,
            observers=observers_of(settings, signals),
            should_stop=lambda: signals.stop is not None,
        )
        if parser.error is not None:
            log.error("%s", parser.error)
        status = exit_status(summary, parser, stopped_by=signals.stop)
        if status != EXIT_OK or not arguments.quiet:
            say_summary(summary, parser)
    return status


def observers_of(settings: Settings, signals: SignalBox) -> Sequence[Observer]:
    """Those who are shown the run."""

    def answer(view: RunView) -> None:
        if signals.wants_state():
            log_state(view)

    return (
        Observer(name="monitor", interval=settings.monitor.interval, tell=log_line),
        Observer(name="sigusr1", interval=ANSWER_WITHIN, tell=answer),
    )


def read_sums(path: Path) -> Mapping[str, Checksum]:
    """The checksum of each file name that sha256sum wrote to `path`.

    Raises:
        InputError: it can't be read, or was written by something else.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            return dict(parse_sums(lines))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: the checksums can't be read: {reason}") from error


def with_checksums(
    jobs: Iterable[DownloadJob | None], checksums: Mapping[str, Checksum]
) -> Iterator[DownloadJob | None]:
    """The jobs, each with the checksum that is listed for its file, if it has no own one."""
    for job in jobs:
        if job is None or job.checksum is not None or job.output not in checksums:
            yield job
        else:
            yield replace(job, checksum=checksums[job.output])


def exit_status(
    summary: RunSummary, parser: InputParser, *, stopped_by: signal.Signals | None
) -> int:
    """The truth about the run as one number."""
    failed = summary.counts[JobStatus.FAILED] + summary.unfinished + parser.rejected
    if stopped_by is not None:
        return 128 + stopped_by
    if summary.crash is not None:
        return EXIT_BUG
    if parser.error is not None or summary.has_local_trouble:
        return EXIT_LOCAL
    if summary.stopped_by is not None:
        return EXIT_LIMIT
    if not failed:
        return EXIT_OK
    return EXIT_SOME_FAILED if summary.counts[JobStatus.SUCCESS] else EXIT_ALL_FAILED


def say_summary(summary: RunSummary, parser: InputParser) -> None:
    """Tell people on stderr how the run ended."""
    lines = [*summary_lines(summary)]
    if parser.rejected:
        lines.append(f"{parser.rejected} bad lines in the list")
    if parser.repeated:
        lines.append(f"{parser.repeated} repeated URLs were downloaded once")
    if not sum(summary.counts.values()) and not parser.rejected:
        lines.append("the list has no URLs")
    for line in lines:
        say(printable(line))


@contextmanager
def open_list(name: str) -> Iterator[int]:
    """A descriptor to read the list from; `-` is standard input.

    Raises:
        InputError: there is no such file, or it can't be read.
    """
    if name == "-":
        if sys.stdin is None:
            raise InputError("standard input is closed, and the list was to come from there")
        yield sys.stdin.fileno()
        return
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        message = (
            f"{name}: the list can't be read: {error.strerror}; name a file, or - for stdin"
        )
        raise InputError(message) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)
