"""Small files that the user names, such as one with logins: read whole, also out of a pipe."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from url_downloader.shared.line_reader import read_lines

MAX_SIZE = 64 * 1024 * 1024
"""Bytes of the largest file that is taken."""


def lines_of(path: Path, *, should_stop: Callable[[], bool]) -> list[bytes]:
    """The lines of a file without their ends, and without a byte order mark.

    Args:
        path: of the file; a FIFO is waited for, as `<(...)` of a shell is one.
        should_stop: asked while nothing comes; if it says so, there are no lines.

    Raises:
        OSError: it can't be read, or is too large.
    """
    # Without a writer a FIFO would hold open(), and the signals of this process, for ever.
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
