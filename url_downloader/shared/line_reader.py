"""Lines of a file descriptor, without ever waiting for more than the next byte.

Knows nothing of what the lines mean.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

MAX_LINE = 65536
"""Bytes of the longest line that is taken."""

_BLOCK = 256 * 1024


def read_lines(
    fd: int, *, patience: float = 0.2, max_line: int = MAX_LINE
) -> Iterator[bytes | None]:
    """Each line without its end (LF or CRLF), as soon as it is there.

    Yields None each time that nothing has come for `patience` seconds, and again and again
    while a line longer than `max_line` bytes goes on. Of that only the first `max_line + 1`
    are kept.

    Raises:
        OSError: the descriptor can't be read.
    """
    rest, is_cut = b"", False
    for block in _blocks(fd, patience):
        *ends, start = (block or b"").split(b"\n")
        for end in ends:
            if not is_cut:
                yield (rest + end).removesuffix(b"\r")[: max_line + 1]
            rest, is_cut = b"", False
        if block is None or is_cut:
            yield None
            continue
        rest += start
        # One byte more than is kept of a line may be the CR that ends it.
        if len(rest) > max_line + 1:
            yield rest[: max_line + 1]
            rest, is_cut = b"", True
    if rest:
        yield rest.removesuffix(b"\r")[: max_line + 1]


def _blocks(fd: int, patience: float) -> Iterator[bytes | None]:
    """What is there; None each time that nothing has come for so many seconds."""
    # Unlike select(), it takes any descriptor, however many are open.
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        if not poll.poll(patience * 1000):
            yield None
        elif block := os.read(fd, _BLOCK):
            yield block
        else:
            return
