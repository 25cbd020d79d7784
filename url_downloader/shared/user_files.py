"""Files that the user names: their paths, and a reader of small ones such as a netrc file."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from url_downloader.shared.line_reader import read_lines

MAX_SIZE = 64 * 1024 * 1024
"""Bytes; a larger file is refused, because it is read into memory whole."""


def absolute(path: Path) -> Path:
    """Return the absolute path; the path itself if the working directory was removed."""
    try:
        return path.absolute()
    except FileNotFoundError:
        return path


def lines_of(path: Path, *, should_stop: Callable[[], bool]) -> list[bytes]:
    """Return the lines of a file or pipe without their ends and without a byte order mark.

    Args:
        path: Path of the file; it may be a FIFO, such as `<(...)` in a shell.
        should_stop: Called while no data comes; after True the file counts as empty.

    Raises:
        OSError: The file can't be read, or is too large.
    """
    # A blocking open() of a FIFO without a writer never returns, not even for a signal.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        lines: list[bytes] = []
        size = 0
        for line in read_lines(descriptor, max_line=MAX_SIZE):
            if line is None and should_stop():
                return []
            size += len(line or b"") + 1
            if size > MAX_SIZE:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            if line is not None:
                lines.append(line)
    finally:
        os.close(descriptor)
    if lines:
        lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
    return lines
