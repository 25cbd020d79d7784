"""The live display of a run, and the table at its end."""

from __future__ import annotations

import io
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import TextIO

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from url_downloader.display.console import Console
from url_downloader.display.rows import Rates, frame
from url_downloader.display.screen import Screen, drawing_console
from url_downloader.engine.monitor import Observer, RunView

INTERVAL = 0.2
"""Seconds between two updates of the display."""


class Display(io.TextIOBase):
    """Stream to a terminal whose last rows show the run, with the written text above them.

    Args:
        stream: Stream of the terminal.

    Threads: `write` from any thread; `show` in one; `close` in one, after the last `show`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._screen = Screen(stream)
        self._rates = Rates()
        # No lock: append and popleft of a deque are thread-safe.
        self._written: deque[str] = deque()
        self._rest = ""

    def write(self, text: str) -> int:
        """Keep the text for the next update, so that no writer waits for a slow terminal."""
        self._written.append(text)
        return len(text)

    def show(self, view: RunView) -> None:
        """Write the kept text, and below it the state of the run if in the foreground."""
        rows: Sequence[RenderableType] = ()
        if self._screen.is_in_foreground():
            size = self._screen.size()
            rows = frame(view, self._rates, size=size, encoding=self._screen.encoding)
        else:
            self._screen.leave()
        # Taken after the state, so that a job is counted only with its log lines above.
        self._screen.paint(self._whole_lines(), rows)

    def close(self) -> None:
        """Write the rest of the text, and erase the rows below it."""
        if not self.closed:
            self._screen.paint(self._whole_lines() + self._rest, ())
        super().close()

    def _whole_lines(self) -> str:
        """Return the lines that were completed since the last update."""
        written = [self._written.popleft() for _ in range(len(self._written))]
        lines, newline, self._rest = (self._rest + "".join(written)).rpartition("\n")
        return lines + newline


@contextmanager
def live_display(console: Console) -> Iterator[Observer]:
    """Show the run on stderr during the block; yield the observer that updates the display.

    Text that is written to `sys.stderr` meanwhile appears above the display.

    Args:
        console: Log handler, which leaves out status lines meanwhile.
    """
    display = Display(sys.stderr)
    console.is_display_active = True
    try:
        with redirect_stderr(display):
            yield Observer(name="display", interval=INTERVAL, tell=display.show)
    finally:
        console.is_display_active = False
        display.close()


def table_text(rows: Sequence[tuple[str, str]]) -> str:
    """Return a table of names and texts as text that fits the width of the terminal."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(Text(name), Text(text))
    columns, _ = Screen(sys.stderr).size()
    console = drawing_console(sys.stderr)
    with console.capture() as capture:
        console.print(table, width=columns)
    return capture.get().rstrip("\n")
