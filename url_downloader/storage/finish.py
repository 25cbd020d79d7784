"""The rest of a finished file, besides its bytes: its time, its entity tag, its sync."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.storage.disk_errors import NO_ROOM
from url_downloader.storage.missing_features import NOT_OFFERED, Feature, MissingFeatures

_ETAG_ATTRIBUTE = "user.url_downloader.etag"


class Finish(NamedTuple):
    """Time, entity tag and sync that a file gets before it gets its name.

    Args:
        modified: seconds since the epoch; None = the time of the download.
        etag: to be kept with the file; None = none.
        is_synced: whether its bytes are to be on the disk.
        missing_features: of the file system.
    """

    modified: float | None
    etag: str | None
    is_synced: bool
    missing_features: MissingFeatures

    def apply(self, descriptor: int) -> None:
        """Give it to the file.

        Raises:
            OSError: the disk is full, or bytes of the file may be lost.
        """
        if self.modified is not None:
            self._set_time(descriptor, self.modified)
        if self.etag is not None:
            self._keep_etag(descriptor, self.etag)
        if self.is_synced:
            self._sync(descriptor)

    def _set_time(self, descriptor: int, modified: float) -> None:
        try:
            # There are times that no file can have.
            with suppress(OverflowError):
                os.utime(descriptor, (modified, modified))
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            self.missing_features.note(Feature.TIMES, error)

    def _keep_etag(self, descriptor: int, etag: str) -> None:
        if not hasattr(os, "setxattr"):
            return
        try:
            status = os.fstat(descriptor)
            value = f"{status.st_size} {status.st_mtime_ns} {etag}"
            os.setxattr(descriptor, _ETAG_ATTRIBUTE, value.encode("latin-1"))
        except OSError as error:
            # A tag that is too long is no lack; ext4 says then that there is no room.
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
    """Return the entity tag that is kept with a file, if the file is unchanged since.

    Args:
        descriptor: of the file.
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
