"""A reader of lines from a file descriptor that yields each line as soon as it arrives.

It yields None while no data comes, so that the caller can stop, and GAP before it waits. It is
independent of the lines' meaning.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

MAX_LINE = 65536
"""Bytes; default for the longest line. URLs and options are far shorter."""

GAP = bytes(bytearray(b"# gap"))
"""Object that `read_lines` yields when it has to wait for more data, compared by `is`.

It is a comment, so a caller that does not know it may treat it as a line."""

_BLOCK_SIZE = 256 * 1024
"""Bytes per system call."""


def read_lines(
    fd: int, *, idle_seconds: float = 0.2, max_line: int = MAX_LINE
) -> Iterator[bytes | None]:
    """Yield each line without its end (LF or CRLF), as soon as it is complete.

    Yield GAP when more data has to be waited for, and None whenever none came for
    `idle_seconds`. A line of over `max_line` bytes is cut to `max_line + 1` bytes; then None is
    yielded for each block of data in its rest.

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
        if not block or is_cut:
            yield None if block is None or is_cut else GAP
            continue
        rest += start
        # The line may have max_line bytes and then the CR of its end.
        if len(rest) > max_line + 1:
            yield rest[: max_line + 1]
            rest, is_cut = b"", True
    if rest:
        yield rest.removesuffix(b"\r")[: max_line + 1]


def _blocks(fd: int, idle_seconds: float) -> Iterator[bytes | None]:
    """Yield blocks of data as they arrive, and None after each `idle_seconds` without data.

    Before a wait, yield an empty block.
    """
    # select() fails for descriptors over 1023; poll() takes all.
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    is_waiting = True
    while True:
        if not is_waiting and not poll.poll(0):
            is_waiting = True
            yield b""
        elif not poll.poll(idle_seconds * 1000):
            yield None
        elif block := os.read(fd, _BLOCK_SIZE):
            is_waiting = False
            yield block
        else:
            return
