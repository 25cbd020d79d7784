"""The story of one call of the command, from the list to the exit status.

`run_command` sets up the log, takes the lock and opens the list. Then either `dry_run` prints
the jobs of the list, or `_download` runs them: it opens the reports, catches signals, starts
the live display and calls `process_jobs`. Afterwards it finishes the reports, derives the exit
status, writes the metrics file for the last time and prints the summary.

This module imports everything that a run needs. `main` imports it late, so that `--help` is
fast.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, ExitStack

from url_downloader.cli.closing_summary import closing_summary, print_summary
from url_downloader.cli.command_settings import CommandSettings
from url_downloader.cli.dry_run import dry_run
from url_downloader.cli.exit_status import (
    EXIT_BUG,
    EXIT_LOCAL,
    EXIT_LOCKED,
    EXIT_OK,
    exit_status,
    status_after_write,
)
from url_downloader.cli.host_arguments import with_host_rules
from url_downloader.cli.list_source import ListedJobs, open_list
from url_downloader.cli.logs import logging_to
from url_downloader.cli.observers import MetricsOutput, display_observers, log_observers
from url_downloader.cli.retry_command import shown_command, started_command
from url_downloader.cli.run_lock import held_lock
from url_downloader.cli.signals import SignalFlags, caught_signals
from url_downloader.config.settings import Settings
from url_downloader.display.console import Console
from url_downloader.engine.run_summary import RunSummary
from url_downloader.process_jobs import process_jobs
from url_downloader.reports.script_outputs import Outputs, RunEnd, open_outputs
from url_downloader.shared.errors import InputError, LockedError, OutputError
from url_downloader.shared.run_controls import RunControls
from url_downloader.shared.text import printable
from url_downloader.shared.unexpected import log_unexpected

log = logging.getLogger(__package__)


def run_command(command: CommandSettings, settings: Settings) -> int:
    """Do what the command line asks for; return the exit status. Errors are logged."""
    with ExitStack() as stack:
        try:
            console = stack.enter_context(logging_to(command.log))
            if command.lock is not None:
                words = started_command(command.command_line)
                stack.enter_context(held_lock(command.lock, printable(shown_command(words))))
            settings = with_host_rules(settings, command.host_rules)
            listed = stack.enter_context(open_list(command, settings))
            if command.is_dry_run:
                return dry_run(listed, command, settings=settings)
            return _download(listed, command, settings=settings, console=console)
        except LockedError as error:
            log.error("%s", error)
            return EXIT_LOCKED
        except (InputError, OutputError) as error:
            log.error("%s", error)
            return EXIT_LOCAL
        except Exception as error:  # noqa: BLE001 - logged without its text, which may be secret
            log_unexpected(log, error, doing="the command")
            return EXIT_BUG


def _download(
    listed: ListedJobs, command: CommandSettings, *, settings: Settings, console: Console
) -> int:
    """Download the jobs of the list; return the exit status."""
    parser = listed.parser
    opened = _open_outputs(listed, command, settings=settings)
    metrics = MetricsOutput(command.metrics_file, settings.monitor)
    with opened as outputs, caught_signals() as signals:
        logs = log_observers(settings, signals)
        with display_observers(command, console) as display:
            run = process_jobs(
                listed.jobs,
                settings,
                context=listed.history.context(_controls(signals)),
                listeners=outputs.listeners,
                observers=[*logs, *outputs.observers, *metrics.observers, *display],
            )
        is_reported = outputs.finish(_end_of(run, listed, signals=signals))
        if parser.error is not None:
            log.error("%s", parser.error)
        status = exit_status(run, parser, stopped_by=signals.stop, is_reported=is_reported)
        status = status_after_write(status, is_written=metrics.finish(run, status))
        status = status_after_write(status, is_written=listed.history.finish(status))
        if status != EXIT_OK or not command.log.is_quiet:
            summary = closing_summary(
                run, parser, command=command, settings=settings, is_reported=is_reported
            )
            print_summary(summary, as_table=bool(display))
    return status


def _open_outputs(
    listed: ListedJobs, command: CommandSettings, *, settings: Settings
) -> AbstractContextManager[Outputs]:
    return open_outputs(
        command.reports, settings, list_descriptor=listed.descriptor, names=listed.history.names
    )


def _controls(signals: SignalFlags) -> RunControls:
    """Return the controls of a run that signals end or switch."""
    return RunControls(
        should_stop=lambda: signals.stop is not None,
        is_limited=lambda: signals.is_limited,
    )


def _end_of(run: RunSummary, listed: ListedJobs, *, signals: SignalFlags) -> RunEnd:
    """Return the facts about the end of the run that the reports need."""
    return RunEnd(
        summary=run,
        unread=listed.unread,
        must_hurry=lambda: run.was_stopped or signals.stop is not None,
    )
