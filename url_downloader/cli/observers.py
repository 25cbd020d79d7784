"""The observers of a run that the command starts: the log, the live display, the metrics file.

Modules that need an optional package are imported on demand.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from url_downloader.cli.command_settings import CommandSettings, ProgressMode
from url_downloader.cli.signals import SignalFlags
from url_downloader.config.settings import MonitorSettings, Settings
from url_downloader.display.console import STATE_REPLY, STATUS_LINES, Console
from url_downloader.engine.host_troubles import HostTroubles, state_text
from url_downloader.engine.monitor import Observer, PoolState, RunView
from url_downloader.engine.run_summary import RunSummary
from url_downloader.shared.text import format_seconds, format_size

status_log = logging.getLogger(STATUS_LINES)
state_log = logging.getLogger(STATE_REPLY)

MAX_RETRIES_SHOWN = 10
"""Number of retries that the state of a run lists; it counts the others."""
_SIGNAL_INTERVAL = 0.1
"""Seconds between two checks for SIGUSR1 and SIGUSR2, which get a reply in the log."""


def log_observers(settings: Settings, signals: SignalFlags) -> Sequence[Observer]:
    """Return the observers that log status lines, and replies to SIGUSR1 and SIGUSR2."""

    def reply(view: RunView) -> None:
        if signals.take_state_request():
            log_state(view)
        if signals.take_limit_switch():
            log_limit(settings.run.limit_rate, is_on=signals.is_limited)

    return (
        Observer(name="monitor", interval=settings.monitor.interval, tell=log_status),
        Observer(name="signals", interval=_SIGNAL_INTERVAL, tell=reply),
    )


def log_status(view: RunView) -> None:
    """Log the state of the run in one line."""
    status_log.info("%s", view.state())


def log_state(view: RunView) -> None:
    """Log the state of the run; see `state_lines`."""
    for line in state_lines(view):
        state_log.info("%s", line)


def log_limit(rate: float, *, is_on: bool) -> None:
    """Log whether the rate limit is switched on."""
    if not rate:
        state_log.info("SIGUSR2 has no effect: the run has no --limit-rate")
    else:
        change = "on" if is_on else "off; the next SIGUSR2 switches it on"
        state_log.info("--limit-rate %s/s is %s", format_size(rate), change)


def state_lines(view: RunView) -> Iterator[str]:
    """Yield the state of the run, its attempts, the hosts in trouble, and the next retries."""
    now, state = view.now(), view.state()
    yield f"state: {state}"
    for name, progress in view.attempts():
        age = now - progress.began
        rate = format_size(progress.received / age) if age > 0 else "0 B"
        yield (
            f"{name}: {progress.job.shown_url}: {progress.phase.value},"
            f" {format_size(progress.received)} in {format_seconds(age)}, {rate}/s"
        )
    yield from (state_text(each, now) for each in state.hosts.states)
    if state.hosts.others:
        yield f"and {state.hosts.others} more hosts in trouble"
    retries = sorted(
        (record.due or now, record.job.job_id, record) for record in view.waiting()
    )
    for due, _, record in retries[:MAX_RETRIES_SHOWN]:
        yield f"next retry in {format_seconds(max(0.0, due - now))}: {record.job.shown_url}"
    others = len(retries) - MAX_RETRIES_SHOWN
    if others > 0:
        yield f"and {others} more wait for a retry"


@contextmanager
def display_observers(
    command: CommandSettings, console: Console
) -> Iterator[Sequence[Observer]]:
    """Show the live display during the block if it is wanted; yield its observer, or none."""
    if not wants_display(command):
        yield ()
        return
    from url_downloader.display.live_display import live_display  # noqa: PLC0415

    with live_display(console) as observer:
        yield (observer,)


def wants_display(command: CommandSettings) -> bool:
    """Tell whether the run is to have a live display on stderr."""
    if command.progress is not ProgressMode.AUTO:
        return command.progress is ProgressMode.ALWAYS
    is_smart = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    # Lines that are printed to the same terminal would break the display.
    is_shared = sys.stdout.isatty() and command.reports.uses_stdout
    is_installed = importlib.util.find_spec("rich") is not None
    return is_smart and not is_shared and not command.log.is_quiet and is_installed


class MetricsOutput:
    """Output of the metrics file of a run, if the user wants one.

    Args:
        path: Path of the file; None = no file.
        settings: Settings of the monitor; the file is written at the interval of status lines.

    Attributes:
        observers: Observers that write the file while the run goes on; empty without a file.

    Threads: `finish` in the main thread, after the run has ended its observers.
    """

    def __init__(self, path: Path | None, settings: MonitorSettings) -> None:
        self.observers: Sequence[Observer] = ()
        self._file = None
        if path is not None:
            from url_downloader.reports.metrics_file import MetricsFile  # noqa: PLC0415

            self._file = MetricsFile(path)
            self.observers = (
                Observer(name="metrics", interval=settings.interval, tell=self._write),
            )

    def finish(self, run: RunSummary, exit_status: int) -> bool:
        """Write the file for the last time; return False if it can't be written."""
        if self._file is None:
            return True
        self._file.write(_last_state(run), exit_status=exit_status)
        return self._file.error is None

    def _write(self, view: RunView) -> None:
        assert self._file is not None
        self._file.write(view.state())


def _last_state(run: RunSummary) -> PoolState:
    """Return the state of a run after its end, when it asks no host any more."""
    return PoolState(
        tasks=0,
        parked=0,
        retries=0,
        counts=run.counts,
        metrics=run.metrics,
        is_list_read=run.is_list_read,
        hosts=HostTroubles(begun=run.hosts.begun),
    )
