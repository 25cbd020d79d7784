"""Lacks of the output directory's file system, and what follows for the user."""

from __future__ import annotations

import enum
import errno
import logging

log = logging.getLogger(__package__)

NOT_OFFERED = frozenset(
    {
        *(errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP),
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTTY),
    }
)
"""Error numbers of a file system, or of a driver, that has no such operation."""


class Feature(enum.StrEnum):
    """Something that a file is downloaded without."""

    LOCKS = "has no locks (flock): two runs in it at the same time are not kept apart"
    TIMES = "takes no times: files have the time of their download"
    SPACE = "does not say how much is free: --min-free can't be kept"
    TAGS = "takes no extended attributes: -N compares times, not entity tags"
    SYNC = "can't sync files or folders: --fsync does not hold"
    NOTES = "takes no note beside a part: what is cut is downloaded from its start"
    RENAME = "has a folder on another file system: files are copied to it"


class MissingFeatures:
    """Warnings about a file system, each of them said once in a run.

    Args:
        directory: whose file system that is, as the user wrote it.

    Threads: all methods from any thread.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._noted: dict[Feature, object] = {}

    def __contains__(self, feature: Feature) -> bool:
        return feature in self._noted

    def note(self, feature: Feature, error: OSError | None = None) -> None:
        """Warn of a feature, unless that was done before."""
        mine = object()
        # One step, so that of several threads one warns.
        if self._noted.setdefault(feature, mine) is mine:
            reason = f" ({error.strerror})" if error else ""
            log.warning("%s: the file system %s%s", self._directory, feature, reason)
