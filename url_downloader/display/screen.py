"""The last rows of a terminal, which are painted again and again, and the lines above them.

This module is about escape sequences and the size of the window. `rows.py` makes the rows.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.segment import SegmentLines

MAX_COLUMNS = 100
"""Columns of the widest row. A shorter row seldom folds when the user narrows the window."""


class Screen:
    """Rows at the bottom of a terminal, with the visible cursor in the row below them.

    The cursor is there so that the shell's prompt gets an empty row if the process is killed.

    Args:
        stream: Stream of the terminal.

    Threads: one at a time.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = drawing_console(stream)
        self._painted: Sequence[str] = ()

    @property
    def encoding(self) -> str:
        """Return the encoding of the terminal."""
        return self._console.encoding

    def size(self) -> tuple[int, int]:
        """Return the usable columns and rows of the window, as it is now."""
        try:
            columns, rows = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            columns, rows = shutil.get_terminal_size()
        return min(columns or 80, MAX_COLUMNS), rows or 24

    def is_in_foreground(self) -> bool:
        """Tell whether this process is in the foreground of its terminal; True if unknown."""
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except (OSError, ValueError):
            return True

    def leave(self) -> None:
        """Forget the painted rows without erasing them: another program may have moved them."""
        self._painted = ()

    def paint(self, above: str, rows: Sequence[RenderableType]) -> None:
        """Replace the rows that were painted last. Errors of the terminal are ignored.

        Args:
            above: Whole lines that stay above the rows.
            rows: New rows. A row that is too wide is cut off. If the window is too low for all
                rows, the first ones are left out.
        """
        columns, lines = self.size()
        self._console.size = (columns, lines)
        # A row without text takes a row, too, such as a bar at 0 % without colors.
        shown = rows[max(0, len(rows) + 1 - lines) :]
        painted = [[*chain(*self._console.render_lines(row, pad=False)[:1])] for row in shown]
        with self._console.capture() as capture:
            self._console.print(SegmentLines(painted, new_lines=True), end="")
        self._write(erasure(self._painted, columns) + above + capture.get())
        self._painted = ["".join(segment.text for segment in line) for line in painted]

    def _write(self, text: str) -> None:
        # A closed terminal must not end a download.
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


def drawing_console(stream: TextIO) -> Console:
    """Return a console that renders for the terminal, but does not write to it.

    The caller writes the result itself, to handle the errors of the write.
    """
    draft = io.TextIOWrapper(io.BytesIO(), encoding=stream.encoding)
    # The caller has decided that there is a terminal, so rich need not detect one.
    return Console(file=draft, force_terminal=True, legacy_windows=False, highlight=False)


def erasure(rows: Sequence[str], columns: int) -> str:
    """Return the escape sequences that erase these rows, and input typed in the row below.

    Nearly all terminals fold rows for which the window has become too narrow. Each row is
    erased by itself. If all were cleared at once from the top of the window, tmux would move
    the text into its history.
    """
    height = sum(_height(row, columns) for row in rows)
    return "\r\x1b[2K" + "\x1b[A\x1b[2K" * height if height else ""


def _height(row: str, columns: int) -> int:
    """Return the number of rows that a row takes if it is folded at that many columns."""
    height, used = 1, 0
    for width in map(cell_len, row):
        if used + width > columns:
            height, used = height + 1, 0
        used += width
    return height
