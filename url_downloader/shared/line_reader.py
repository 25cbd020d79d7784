"""A reader of lines from a file descriptor that yields each line as soon as it arrives.

It yields None while no data comes, so that the caller can stop. Independent of the lines'
meaning.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

MAX_LINE = 65536
"""Bytes; default for the longest line. URLs and options are far shorter."""

_BLOCK_SIZE = 256 * 1024
"""Bytes per system call."""


def read_lines(
    fd: int, *, idle_seconds: float = 0.2, max_line: int = MAX_LINE
) -> Iterator[bytes | None]:
    """Yield each line without its end (LF or CRLF), as soon as it is complete.

    Yield None whenever no data came for `idle_seconds`. A line of over `max_line` bytes is cut
    to `max_line + 1` bytes; then None is yielded for each block of data in its rest.

    Raises:
        OSError: The descriptor can't be read.
    """
    rest, is_cut = b"", False
    for block in _blocks(fd, idle_seconds):
        *ends, start = (block or b"").split(b"\n")
        for end in ends:
            if not is_cut:
                yield (rest + end).removesuffix(b"\r")[: max_line + 1]
            rest, is_cut = b"", False
        if block is None or is_cut:
            yield None
            continue
        rest += start
        # The line may have max_line bytes and then the CR of its end.
        if len(rest) > max_line + 1:
            yield rest[: max_line + 1]
            rest, is_cut = b"", True
    if rest:
        yield rest.removesuffix(b"\r")[: max_line + 1]


def _blocks(fd: int, idle_seconds: float) -> Iterator[bytes | None]:
    """Yield blocks of data as they arrive, and None after each `idle_seconds` without data."""
    # select() fails for descriptors over 1023; poll() takes all.
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        if not poll.poll(idle_seconds * 1000):
            yield None
        elif block := os.read(fd, _BLOCK_SIZE):
            yield block
        else:
            return
