"""Standard output of a command whose lines are data, for a user or for another program."""

from __future__ import annotations

import sys
from collections.abc import Callable

from url_downloader.shared.errors import OutputError
from url_downloader.shared.text import printable


class DataOutput:
    """Writer of lines to standard output, until its reader has closed it.

    Args:
        must_stop: Tells whether a signal ends the command.

    Attributes:
        must_stop: The same callable.
        has_reader: False once the reader, such as head, has closed the pipe. No line is needed
            then.
    """

    def __init__(self, must_stop: Callable[[], bool]) -> None:
        self.must_stop = must_stop
        self.has_reader = True
        self._is_terminal = sys.stdout.isatty()

    def write_line(self, text: str) -> None:
        """Write a line; on a terminal, without the characters that control it.

        Raises:
            OutputError: Standard output can't be written.
        """
        if self._is_terminal:
            line = printable(text).encode(sys.stdout.encoding, "backslashreplace")
        else:
            # The locale's encoding may lack characters of names.
            line = text.encode("utf-8", "surrogateescape")
        self._write(line + b"\n")

    def flush(self) -> None:
        """Write what the stream still holds.

        Raises:
            OutputError: Standard output can't be written.
        """
        self._write(b"")

    def _write(self, data: bytes) -> None:
        if not self.has_reader:
            return
        try:
            sys.stdout.buffer.write(data)
            if not data:
                sys.stdout.buffer.flush()
        except BrokenPipeError:
            self.has_reader = False
        except OSError as error:
            self.has_reader = False
            raise OutputError(f"standard output can't be written: {error.strerror}") from error
