"""The last rows of a terminal, painted again and again, with lines above that stay.

Knows escape sequences and the size of the window; nothing of what is shown.
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
"""No row is wider, so that few windows become too narrow for what is there."""


class Screen:
    """Rows at the bottom of a terminal. The cursor rests, and stays seen, in the row below.

    So whatever ends the process, the shell's prompt has a row of its own.

    Args:
        stream: the terminal.

    Threads: one after the other.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = drawing_console(stream)
        self._painted: Sequence[str] = ()

    @property
    def encoding(self) -> str:
        """What the terminal is written in."""
        return self._console.encoding

    def size(self) -> tuple[int, int]:
        """Columns and rows that can be used at this moment."""
        try:
            columns, rows = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            columns, rows = shutil.get_terminal_size()
        return min(columns or 80, MAX_COLUMNS), rows or 24

    def is_in_foreground(self) -> bool:
        """Whether the terminal is this program's, not a shell's that it runs behind."""
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except (OSError, ValueError):
            return True

    def leave(self) -> None:
        """Let what is painted stay: it is no longer known where it stands."""
        self._painted = ()

    def paint(self, above: str, rows: Sequence[RenderableType]) -> None:
        """Replace what was painted last.

        Args:
            above: whole lines that stay.
            rows: one for each row of the screen; what is too wide for it is cut off, and so
                are the first ones where the window is too low for all.
        """
        columns, lines = self.size()
        self._console.size = (columns, lines)
        # Nothing at all is one row, too: so is a bar that has just begun, without colors.
        shown = rows[max(0, len(rows) + 1 - lines) :]
        painted = [[*chain(*self._console.render_lines(row, pad=False)[:1])] for row in shown]
        with self._console.capture() as capture:
            self._console.print(SegmentLines(painted, new_lines=True), end="")
        self._write(erasure(self._painted, columns) + above + capture.get())
        self._painted = ["".join(segment.text for segment in line) for line in painted]

    def _write(self, text: str) -> None:
        # A terminal that is gone ends no download.
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


def drawing_console(stream: TextIO) -> Console:
    """What draws for a terminal, but leaves the writing, which may fail, to others."""
    draft = io.TextIOWrapper(io.BytesIO(), encoding=stream.encoding)
    # It is told, not asked, that there is a terminal: who calls this has decided it.
    return Console(file=draft, force_terminal=True, legacy_windows=False, highlight=False)


def erasure(rows: Sequence[str], columns: int) -> str:
    """Return what erases these rows, and what was typed in the row below.

    In a window that has become too narrow for them nearly all terminals of today fold rows.
    Each row is erased by itself: tmux keeps what is cleared from the top of a window on, and
    scrolls it out.
    """
    height = sum(_height(row, columns) for row in rows)
    return "\r\x1b[2K" + "\x1b[A\x1b[2K" * height if height else ""


def _height(row: str, columns: int) -> int:
    """Return how many rows a row takes that is folded; no character is cut in two."""
    height, used = 1, 0
    for width in map(cell_len, row):
        if used + width > columns:
            height, used = height + 1, 0
        used += width
    return height
