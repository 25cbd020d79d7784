"""Metadata of a finished file (time and entity tag), and the sync of the file to the disk."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.storage.disk_errors import NO_ROOM
from url_downloader.storage.missing_features import NOT_OFFERED, Feature, MissingFeatures

_ETAG_ATTRIBUTE = "user.url_downloader.etag"
"""Extended attribute that keeps the entity tag of a file, for `-N` in later runs."""


class FileMetadata(NamedTuple):
    """Metadata that a file gets before it is published.

    Args:
        modified: Time of the last change, in seconds since the epoch; None = the time of the
            download.
        etag: Entity tag to store with the file; None = store none.
        is_synced: Whether the file's bytes must be on the disk before the file is published.
        missing_features: Warnings about the file system.
    """

    modified: float | None
    etag: str | None
    is_synced: bool
    missing_features: MissingFeatures

    def apply(self, descriptor: int) -> None:
        """Give the metadata to the file, and sync it if that is wanted.

        Args:
            descriptor: Descriptor of the file.

        Raises:
            OSError: The disk is full, or bytes of the file may be lost.
        """
        if self.modified is not None:
            self._set_time(descriptor, self.modified)
        if self.etag is not None:
            self._store_etag(descriptor, self.etag)
        if self.is_synced:
            self._sync(descriptor)

    def _set_time(self, descriptor: int, modified: float) -> None:
        try:
            # Some dates of servers are beyond the times that a file can have.
            with suppress(OverflowError):
                os.utime(descriptor, (modified, modified))
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            self.missing_features.note(Feature.TIMES, error)

    def _store_etag(self, descriptor: int, etag: str) -> None:
        if not hasattr(os, "setxattr"):
            return
        try:
            status = os.fstat(descriptor)
            value = f"{status.st_size} {status.st_mtime_ns} {etag}"
            os.setxattr(descriptor, _ETAG_ATTRIBUTE, value.encode("latin-1"))
        except OSError as error:
            # Any other error needs no warning. For a tag that is too long, ext4 says ENOSPC.
            if error.errno in NOT_OFFERED:
                self.missing_features.note(Feature.TAGS, error)

    def _sync(self, descriptor: int) -> None:
        try:
            with COMPUTE_TURN.released():
                os.fsync(descriptor)
        except OSError as error:
            if error.errno not in NOT_OFFERED:
                raise
            self.missing_features.note(Feature.SYNC, error)


def saved_etag(descriptor: int) -> str | None:
    """Return the entity tag that is stored with a file.

    It is None if no tag is stored or readable, or if the file has changed since then.

    Args:
        descriptor: Descriptor of the file.
    """
    if not hasattr(os, "getxattr"):
        return None
    try:
        value = os.getxattr(descriptor, _ETAG_ATTRIBUTE).decode("latin-1")
        status = os.fstat(descriptor)
    except OSError:
        return None
    unchanged = f"{status.st_size} {status.st_mtime_ns} "
    return value.removeprefix(unchanged) if value.startswith(unchanged) else None
