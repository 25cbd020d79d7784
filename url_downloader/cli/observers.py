"""Those who are shown a run while it goes on: the log, the display, the metrics file.

What only an extra has is imported where it is asked for.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from url_downloader.cli.message_arguments import wants_display
from url_downloader.cli.signals import SignalFlags
from url_downloader.config.settings import MonitorSettings
from url_downloader.display.console import Console
from url_downloader.engine.monitor import Observer, RunView
from url_downloader.engine.run_summary import RunSummary
from url_downloader.shared.text import format_seconds, format_size

log = logging.getLogger("url_downloader.status")
state_log = logging.getLogger("url_downloader.status.answer")
"""Who asks how a run stands wants to hear it, however quiet the run is to be."""

MAX_RETRIES_SHOWN = 10
ANSWER_WITHIN = 0.1
"""Seconds after which one who asks for the state of the run hears it."""


def log_observers(settings: MonitorSettings, signals: SignalFlags) -> Sequence[Observer]:
    """Those that log how the run stands: again and again, and when somebody asks."""

    def answer(view: RunView) -> None:
        if signals.wants_state():
            log_state(view)

    return (
        Observer(name="monitor", interval=settings.interval, tell=log_line),
        Observer(name="sigusr1", interval=ANSWER_WITHIN, tell=answer),
    )


@contextmanager
def display_observers(
    arguments: argparse.Namespace, console: Console
) -> Iterator[Sequence[Observer]]:
    """The live display, if there is to be one."""
    if not wants_display(arguments):
        yield ()
        return
    from url_downloader.display.live_display import live_display  # noqa: PLC0415

    with live_display(console) as observer:
        yield (observer,)


class MetricsWatch:
    """Keeps the file of `--metrics-file`, if there is to be one.

    Args:
        arguments: of the command line.

    Threads: one after the other.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._file = None
        if arguments.metrics_file is not None:
            from url_downloader.reports.metrics_file import MetricsFile  # noqa: PLC0415

            self._file = MetricsFile(arguments.metrics_file)

    def observers(self, settings: MonitorSettings) -> Sequence[Observer]:
        """Who writes it while the run goes on."""
        if self._file is None:
            return ()
        return (Observer(name="metrics", interval=settings.interval, tell=self._tell),)

    def end(self, summary: RunSummary, exit_status: int) -> bool:
        """Write it for the last time; whether that went well."""
        if self._file is None:
            return True
        self._file.write(
            summary.counts,
            summary.metrics,
            is_list_read=summary.is_list_read,
            exit_status=exit_status,
        )
        return self._file.error is None

    def _tell(self, view: RunView) -> None:
        assert self._file is not None
        state = view.state()
        self._file.write(state.counts, state.metrics, is_list_read=state.is_list_read)


def log_line(view: RunView) -> None:
    """Say in one line how the run stands."""
    log.info("%s", view.state())


def log_state(view: RunView) -> None:
    """Say all that is known of the run at this moment."""
    for line in state_lines(view):
        state_log.info("%s", line)


def state_lines(view: RunView) -> Iterator[str]:
    """How the run stands, for those who ask."""
    now = view.now()
    yield f"state: {view.state()}"
    for name, progress in view.attempts():
        age = now - progress.began
        rate = format_size(progress.received / age) if age > 0 else "0 B"
        yield (
            f"{name}: {progress.job.shown_url}: {progress.phase.value},"
            f" {format_size(progress.received)} in {format_seconds(age)}, {rate}/s"
        )
    retries = sorted(
        (record.due or now, record.job.job_id, record) for record in view.waiting()
    )
    for due, _, record in retries[:MAX_RETRIES_SHOWN]:
        yield f"next retry in {format_seconds(max(0.0, due - now))}: {record.job.shown_url}"
    others = len(retries) - MAX_RETRIES_SHOWN
    if others > 0:
        yield f"and {others} more wait for a retry"
