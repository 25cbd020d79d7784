"""The program at a terminal: its output is drawn on a screen, as the user sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import pyte

from tests.support.cli import MAIN, ROOT, clean_environment

TIMEOUT = 60.0
# The terminal controls a session of its own, as with a shell.
_LAUNCHER = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"


class Terminal:
    """A run of the program at a terminal, killed at the end of the `with` block.

    Args:
        arguments: Arguments of the command line.
        program: Command that gets the arguments.
        size: Columns and rows of the window.
        env: Variables beside those of `clean_environment`.

    Attributes:
        written: All bytes of the output so far.
    """

    def __init__(
        self,
        *arguments: str | Path,
        program: Sequence[str] = MAIN,
        size: tuple[int, int] = (80, 24),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.written = b""
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        self._set_size(*size)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, *program, *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**clean_environment(), "TERM": "xterm-256color", **(env or {})},
            cwd=ROOT,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        self.hang_up()
        self._process.wait()

    @property
    def rows(self) -> list[str]:
        """The rows of the screen, without blanks on the right and empty rows below."""
        return "\n".join(row.rstrip() for row in self._screen.display).rstrip("\n").split("\n")

    @property
    def text(self) -> str:
        """The text of the screen; rows that were wrapped at its edge are joined."""
        return "".join(
            row if len(row) == self._screen.columns else f"{row}\n" for row in self.rows
        )

    def type(self, keys: bytes) -> None:
        """Send keys to the program."""
        os.write(self._master, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window; the kernel sends SIGWINCH."""
        self._screen.resize(rows, columns)
        self._set_size(columns, rows)

    def hang_up(self) -> None:
        """Close the terminal."""
        master, self._master = self._master, -1
        if master >= 0:
            os.close(master)

    def wait_for(self, condition: Callable[[list[str]], bool], *, what: str) -> list[str]:
        """Wait until the condition holds of the rows; return them.

        Raises:
            TimeoutError: The condition did not hold in time.
        """
        deadline = time.monotonic() + TIMEOUT
        while not condition(self.rows):
            if not self._read() or time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain for {what}:\n" + "\n".join(self.rows))
        return self.rows

    def wait(self) -> int:
        """Wait for the end of the program; return its exit status."""
        while self._master >= 0 and self._read():
            pass
        return self._process.wait(TIMEOUT)

    def _read(self) -> bool:
        """Draw the next output; return False when no more can come."""
        if not select.select([self._master], [], [], TIMEOUT)[0]:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # no process has the terminal open any more
            return False
        self.written += data
        self._stream.feed(data)
        return bool(data)

    def _set_size(self, columns: int, rows: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)
