"""The program at a terminal: what it writes is drawn on a screen, as a person would see it."""

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
# A session of its own, which the terminal controls, as a shell's is.
_LAUNCHER = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"


class Terminal:
    """A run of the program at a terminal, killed at the end of the `with` block.

    Args:
        arguments: of the command line.
        program: what they are given to.
        size: columns and rows of the window.
        env: variables beside those of `clean_environment`.

    Attributes:
        written: all bytes that came so far.
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
        """What is on the screen, without the blanks on the right and the empty rows below."""
        return "\n".join(row.rstrip() for row in self._screen.display).rstrip("\n").split("\n")

    @property
    def text(self) -> str:
        """What is on the screen, rows that were folded at its edge put together again."""
        return "".join(
            row if len(row) == self._screen.columns else f"{row}\n" for row in self.rows
        )

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size; the kernel sends SIGWINCH."""
        self._screen.resize(rows, columns)
        self._set_size(columns, rows)

    def hang_up(self) -> None:
        """Take the terminal away."""
        master, self._master = self._master, -1
        if master >= 0:
            os.close(master)

    def wait_for(self, condition: Callable[[list[str]], bool], *, what: str) -> list[str]:
        """The rows, as soon as the condition holds of them.

        Raises:
            TimeoutError: it never held.
        """
        deadline = time.monotonic() + TIMEOUT
        while not condition(self.rows):
            if not self._read() or time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain for {what}:\n" + "\n".join(self.rows))
        return self.rows

    def wait(self) -> int:
        """Wait for the end; the exit status."""
        while self._master >= 0 and self._read():
            pass
        return self._process.wait(TIMEOUT)

    def _read(self) -> bool:
        """Draw what comes next; False when nothing more can come."""
        if not select.select([self._master], [], [], TIMEOUT)[0]:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # nobody has the terminal open any more
            return False
        self.written += data
        self._stream.feed(data)
        return bool(data)

    def _set_size(self, columns: int, rows: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)
