"""Those who are shown a run while it goes on: the log, the display, the metrics file.

What only an extra has is imported where it is asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from url_downloader.config import MonitorSettings
from url_downloader.logs import Console
from url_downloader.message_arguments import wants_display
from url_downloader.monitor import Observer, RunView, log_line, log_state
from url_downloader.signals import SignalBox
from url_downloader.summary import RunSummary

ANSWER_WITHIN = 0.1
"""Seconds after which one who asks for the state of the run hears it."""


def log_observers(settings: MonitorSettings, signals: SignalBox) -> Sequence[Observer]:
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
    from url_downloader.progress import live_display  # noqa: PLC0415

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
            from url_downloader.metrics_file import MetricsFile  # noqa: PLC0415

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
