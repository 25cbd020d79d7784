"""Facts about files that several packages exchange. Pure."""

from __future__ import annotations

from typing import NamedTuple

_SECOND = 10**9
"""Nanoseconds."""

RECORDING_TIME = 3.0
"""Seconds between publishing and recording of a file, at most; usually it is 0.2, but longer on
a slow disk."""

FileState = tuple[int, int]
"""Size of a file in bytes, and the time of its last change in nanoseconds since the epoch."""


class SavedPart(NamedTuple):
    """Facts about a part that an earlier attempt has saved.

    Args:
        validator: Strong entity tag or Last-Modified date of the version.
        total: Size of the whole file of this version in bytes, if known.
        size: Number of bytes that the part has, from byte 0 on.
    """

    validator: str
    total: int | None
    size: int


class FileVersion(NamedTuple):
    """Version of a file on its server.

    Args:
        modified: Time of the last change, in seconds since the epoch; None if unknown.
        etag: Entity tag of the reply; None if it has none.
    """

    modified: float | None
    etag: str | None


class FileAge(NamedTuple):
    """Age of a file that another run may have published, and not recorded yet.

    Args:
        seconds: Seconds since its last change.
        is_older: Whether it is a little older than this run.
    """

    seconds: float
    is_older: bool


class PublishedFile(NamedTuple):
    """File that was published.

    Args:
        path: Path of the file.
        mtime_ns: Time of its last change, in nanoseconds since the epoch.
    """

    path: str
    mtime_ns: int


def is_same_file(state: FileState, recorded: FileState) -> bool:
    """Tell whether a file has the size and the time that were recorded.

    Copies by some programs keep only whole seconds of the time.
    """
    size, mtime = state
    if size != recorded[0]:
        return False
    is_whole = mtime % _SECOND == 0
    return mtime == recorded[1] or (is_whole and mtime // _SECOND == recorded[1] // _SECOND)
