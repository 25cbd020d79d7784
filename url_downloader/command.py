"""The command: from the list to the summary and the exit status.

Everything that it needs is imported with it; so who only asks for help does not wait for it.
"""

from __future__ import annotations

import argparse
import logging
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from url_downloader.closing_words import account_of, command_words, say_account
from url_downloader.config import Settings
from url_downloader.descriptors import is_regular
from url_downloader.dry_run import DryRun
from url_downloader.input_parser import InputParser
from url_downloader.list_source import ListedJobs, open_list, read_list
from url_downloader.logs import Console, logging_to
from url_downloader.metrics import MetricsSnapshot
from url_downloader.outputs import RunEnd, open_outputs
from url_downloader.patient_pipe import HURRY
from url_downloader.process_jobs import process_jobs
from url_downloader.retry_command import shown_command
from url_downloader.run_lock import held_lock
from url_downloader.shared.errors import InputError, LockedError, OutputError
from url_downloader.shared.models import JobStatus
from url_downloader.shared.unexpected import log_unexpected
from url_downloader.signals import SignalBox, caught_signals
from url_downloader.streams import say
from url_downloader.summary import RunSummary
from url_downloader.summary_text import Account, list_rows
from url_downloader.units import printable
from url_downloader.watching import MetricsWatch, display_observers, log_observers

log = logging.getLogger(__package__)

EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_LOCAL = 3
EXIT_ALL_FAILED = 4
EXIT_LIMIT = 5
EXIT_BUG = 70
EXIT_LOCKED = 75
MILDER = frozenset({EXIT_OK, EXIT_SOME_FAILED, EXIT_ALL_FAILED, EXIT_LIMIT})
"""What trouble on this machine takes precedence over."""


def run_command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do what the arguments ask for; returns the exit status."""
    with ExitStack() as stack:
        try:
            talk = logging_to(
                arguments.log_file, verbose=arguments.verbose, quiet=arguments.quiet
            )
            console = stack.enter_context(talk)
            if arguments.lock is not None:
                command = shown_command(command_words(arguments))
                stack.enter_context(held_lock(arguments.lock, printable(command)))
            descriptor = stack.enter_context(open_list(arguments.list))
            if arguments.dry_run:
                return rehearse(descriptor, arguments, settings=settings)
            return run(descriptor, arguments, settings=settings, console=console)
        except LockedError as error:
            log.error("%s", error)
            return EXIT_LOCKED
        except (InputError, OutputError) as error:
            log.error("%s", error)
            return EXIT_LOCAL
        except Exception as error:  # noqa: BLE001 - told without its text
            log_unexpected(log, error, doing="the command")
            return EXIT_BUG


def run(
    descriptor: int, arguments: argparse.Namespace, *, settings: Settings, console: Console
) -> int:
    """Download the list that can be read from `descriptor`; returns the exit status."""
    listed = read_list(descriptor, arguments, settings=settings)
    parser = listed.parser
    outputs = open_outputs(arguments, settings, list_descriptor=descriptor)
    metrics = MetricsWatch(arguments)
    with outputs as opened, _watched_signals() as signals:
        observers = (*log_observers(settings.monitor, signals), *opened.observers)
        with display_observers(arguments, console) as display:
            summary = process_jobs(
                listed.jobs,
                settings,
                names=listed.names,
                listeners=opened.listeners,
                observers=(*observers, *metrics.observers(settings.monitor), *display),
                should_stop=lambda: signals.stop is not None,
            )
        is_told = opened.finish(end_of(summary, listed, descriptor=descriptor, signals=signals))
        if parser.error is not None:
            log.error("%s", parser.error)
        status = exit_status(summary, parser, stopped_by=signals.stop, is_told=is_told)
        status = status_after(status, is_told=metrics.end(summary, status))
        if status != EXIT_OK or not arguments.quiet:
            account = account_of(summary, parser, arguments=arguments, is_told=is_told)
            say_account(account, as_table=bool(display))
    return status


@contextmanager
def _watched_signals() -> Iterator[SignalBox]:
    """Catch signals; the first one ends the wait for a pipe that nobody reads, too."""
    with caught_signals() as signals, HURRY.by(lambda: signals.stop is not None):
        yield signals


def end_of(
    summary: RunSummary,
    listed: ListedJobs,
    *,
    descriptor: int,
    signals: SignalBox,
) -> RunEnd:
    """The end of a run, for those who write it down; the list is read from `descriptor`."""
    return RunEnd(
        summary=summary,
        jobs=listed.jobs,
        skimmer=listed.skimmer,
        names=listed.names,
        is_list_file=is_regular(descriptor),
        must_hurry=lambda: summary.was_stopped or signals.stop is not None,
    )


def rehearse(descriptor: int, arguments: argparse.Namespace, *, settings: Settings) -> int:
    """Print what `run` would download; returns the exit status."""
    listed = read_list(descriptor, arguments, settings=settings)
    parser = listed.parser
    dry_run = DryRun(settings.output.directory)
    with _watched_signals() as signals:
        dry_run.go(listed.jobs, should_stop=lambda: signals.stop is not None)
        if parser.error is not None:
            log.error("%s", parser.error)
        summary = RunSummary(
            counts={JobStatus.SUCCESS: dry_run.jobs, JobStatus.FAILED: 0},
            metrics=MetricsSnapshot(),
        )
        status = exit_status(summary, parser, stopped_by=signals.stop, is_told=True)
    if status != EXIT_OK or not arguments.quiet:
        say(f"{dry_run.jobs} to download, {dry_run.with_checksum} of them with a checksum")
        account = Account(summary=summary, rejected=parser.rejected, repeated=parser.repeated)
        for _, text in list_rows(account):
            say(text)
    return status


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
