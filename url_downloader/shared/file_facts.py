"""Facts about files that attempts and storage exchange. Pure."""

from __future__ import annotations

from typing import NamedTuple


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


class PublishedFile(NamedTuple):
    """File that was published.

    Args:
        path: Path of the file.
        mtime_ns: Time of its last change, in nanoseconds since the epoch.
    """

    path: str
    mtime_ns: int
