"""The live display of a run, and the table that follows it."""

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
"""Seconds between two looks at the run."""


class Display(io.TextIOBase):
    """Shows a run at the bottom of a terminal, and what is written to it above.

    Args:
        stream: the terminal.

    Threads: `write` from any, `show` in one; `close` when that one has ended.
    """

    def __init__(self, stream: TextIO) -> None:
        self._screen = Screen(stream)
        self._rates = Rates()
        # No lock: a deque takes and gives one at a time.
        self._written: deque[str] = deque()
        self._rest = ""

    def write(self, text: str) -> int:
        """Keep the text for the next look; whoever writes never waits for a terminal."""
        self._written.append(text)
        return len(text)

    def show(self, view: RunView) -> None:
        """Paint how the run stands, if the terminal is ours."""
        rows: Sequence[RenderableType] = ()
        if self._screen.is_in_foreground():
            size = self._screen.size()
            rows = frame(view, self._rates, size=size, encoding=self._screen.encoding)
        else:
            self._screen.leave()
        # Taken last: what has been logged of a job stands there as soon as the job counts.
        self._screen.paint(self._whole_lines(), rows)

    def close(self) -> None:
        """Leave nothing but what was written."""
        if not self.closed:
            self._screen.paint(self._whole_lines() + self._rest, ())
        super().close()

    def _whole_lines(self) -> str:
        """What was written since the last look, without a last line that goes on."""
        written = [self._written.popleft() for _ in range(len(self._written))]
        lines, newline, self._rest = (self._rest + "".join(written)).rpartition("\n")
        return lines + newline


@contextmanager
def live_display(console: Console) -> Iterator[Observer]:
    """Have the run shown on stderr by this observer, instead of the console's status lines."""
    display = Display(sys.stderr)
    console.is_display_active = True
    try:
        with redirect_stderr(display):
            yield Observer(name="display", interval=INTERVAL, tell=display.show)
    finally:
        console.is_display_active = False
        display.close()


def table_text(rows: Sequence[tuple[str, str]]) -> str:
    """A table of names and what is to be said of them, as wide as the terminal allows."""
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
