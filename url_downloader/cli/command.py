"""The command: from the list to the summary and the exit status.

Everything that it needs is imported with it; so who only asks for help does not wait for it.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from url_downloader.cli.closing_summary import (
    ClosingSummary,
    closing_summary,
    command_words,
    list_rows,
    print_summary,
)
from url_downloader.cli.dry_run import DryRun
from url_downloader.cli.exit_status import (
    EXIT_BUG,
    EXIT_LOCAL,
    EXIT_LOCKED,
    EXIT_OK,
    exit_status,
    status_after,
)
from url_downloader.cli.list_source import ListedJobs, open_list, read_list
from url_downloader.cli.logs import logging_to
from url_downloader.cli.observers import MetricsWatch, display_observers, log_observers
from url_downloader.cli.retry_command import shown_command
from url_downloader.cli.run_lock import held_lock
from url_downloader.cli.signals import SignalFlags, caught_signals
from url_downloader.cli.std_streams import say
from url_downloader.config.settings import Settings
from url_downloader.display.console import Console
from url_downloader.engine.run_summary import RunSummary
from url_downloader.metrics import MetricsSnapshot
from url_downloader.process_jobs import process_jobs
from url_downloader.reports.script_outputs import RunEnd, open_outputs
from url_downloader.shared.descriptors import is_regular
from url_downloader.shared.errors import InputError, LockedError, OutputError
from url_downloader.shared.interruptible_pipe import RUN_SHOULD_STOP
from url_downloader.shared.models import JobStatus
from url_downloader.shared.text import printable
from url_downloader.shared.unexpected import log_unexpected

log = logging.getLogger(__package__)


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
            account = closing_summary(summary, parser, arguments=arguments, is_told=is_told)
            print_summary(account, as_table=bool(display))
    return status


@contextmanager
def _watched_signals() -> Iterator[SignalFlags]:
    """Catch signals; the first one ends the wait for a pipe that nobody reads, too."""
    with caught_signals() as signals, RUN_SHOULD_STOP.using(lambda: signals.stop is not None):
        yield signals


def end_of(
    summary: RunSummary,
    listed: ListedJobs,
    *,
    descriptor: int,
    signals: SignalFlags,
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
        account = ClosingSummary(
            summary=summary, rejected=parser.rejected, repeated=parser.repeated
        )
        for _, text in list_rows(account):
            say(text)
    return status
