"""How many files this process may have open, and how many workers that is enough for."""

from __future__ import annotations

import logging
import os
import resource
import stat
import sys
from contextlib import suppress

log = logging.getLogger(__package__)

PER_WORKER = 6
"""A connection and the grip on it, a part and its note, a look-up or both ends of a pipe."""
MOST_IDLE = 10
FOR_THE_REST = 26
"""Streams, the list, logs, the output directory and folders in it, and what libraries open for
a moment."""


def affordable_workers(wanted: int) -> int:
    """Raise the limit of open files as far as it goes; how many workers it is enough for.

    Args:
        wanted: the most that are of use.
    """
    limit = _raised_limit()
    affordable = max(1, min(wanted, (limit - FOR_THE_REST) // PER_WORKER))
    if affordable < wanted:
        log.warning(
            "only %d of %d workers run: no more than %d files can be open (ulimit -n)",
            *(affordable, wanted, limit),
        )
    return affordable


def affordable_idle(workers: int) -> int:
    """To how many hosts each of so many workers may keep a connection that it does not use."""
    share = (_raised_limit() - FOR_THE_REST) // workers
    return max(1, min(MOST_IDLE, share - PER_WORKER))


def is_regular(descriptor: int) -> bool:
    """Tell whether it is a file, which has an end that is known, and no pipe or device."""
    with suppress(OSError):
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    return False


def close_read(descriptor: int) -> None:
    """Close what was only read, or is written already; an error loses nothing then."""
    with suppress(OSError):
        os.close(descriptor)


def _raised_limit() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems have a lower bound than they say.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the bytes to a file, which may take them in pieces."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
