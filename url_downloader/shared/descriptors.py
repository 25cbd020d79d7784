"""File descriptors: their limit, the workers that it allows, and small operations."""

from __future__ import annotations

import logging
import os
import resource
import stat
import sys
from contextlib import suppress

log = logging.getLogger(__package__)

PER_WORKER = 6
"""Descriptors that a worker needs: a connection, a part and its part note, and three more for
other attempts to connect, or for the ends of a pipe."""
MAX_IDLE = 256
"""Upper bound for the idle connections of a run."""
RESERVED = 33
"""Descriptors for the rest of the program: standard streams, the list, logs, the output
directory and its folders, the ledger (7), and files that libraries open for a moment."""


def affordable_workers(wanted: int) -> int:
    """Raise the limit of open files as far as possible; return how many workers it allows.

    Args:
        wanted: Number of workers that the user wants; the result is from 1 to this number.
    """
    limit = _raised_limit()
    affordable = _affordable_workers(wanted, limit=limit)
    if affordable < wanted:
        log.warning(
            "only %d of %d workers run: the limit of open files is %d (see ulimit -n)",
            *(affordable, wanted, limit),
        )
    return affordable


def affordable_connections(wanted: int) -> int:
    """Return how many connections, in use and idle, a run may have open.

    Args:
        wanted: Number of workers that the user wants.
    """
    limit = _raised_limit()
    workers = _affordable_workers(wanted, limit=limit)
    return workers + max(1, min(MAX_IDLE, limit - RESERVED - PER_WORKER * workers))


def _affordable_workers(wanted: int, *, limit: int) -> int:
    return max(1, min(wanted, (limit - RESERVED) // PER_WORKER))


def is_regular(descriptor: int) -> bool:
    """Tell whether a descriptor is a regular file, which has a known end, unlike a pipe."""
    with suppress(OSError):
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    return False


def close_read(descriptor: int) -> None:
    """Close a descriptor and ignore errors: it was only read, or its data is on the disk."""
    with suppress(OSError):
        os.close(descriptor)


def _raised_limit() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems allow less than the hard limit that they report.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes to a descriptor, with as many system calls as it takes."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
