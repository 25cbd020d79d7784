"""Features that the output directory's file system lacks, and the effects for the user."""

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
"""Error numbers of a file system, or of a driver, that lacks an operation."""


class Feature(enum.StrEnum):
    """Feature of a file system; the text is the warning if it is missing."""

    LOCKS = "has no locks (flock): do not start two runs in it at the same time"
    TIMES = "can't set file times: files keep the time of their download"
    SPACE = "does not state its free space: --min-free has no effect"
    TAGS = "has no extended attributes: -N compares times, not entity tags"
    SYNC = "can't sync files or folders: --fsync gives no guarantee"
    NOTES = "can't store notes on unfinished files: an interrupted download starts over"
    RENAME = "has a folder on another file system: files are copied to it"


class MissingFeatures:
    """Warnings about a file system, each of them logged once per run.

    `feature in missing_features` tells whether the feature was noted as missing.

    Args:
        directory: Output directory on that file system, as the user wrote it.

    Threads: all methods from any thread.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._noted: dict[Feature, object] = {}

    def __contains__(self, feature: Feature) -> bool:
        return feature in self._noted

    def note(self, feature: Feature, error: OSError | None = None) -> None:
        """Warn that a feature is missing, unless that was done before.

        Args:
            feature: Missing feature.
            error: Error that showed that it is missing, if any.
        """
        mine = object()
        # setdefault() is atomic: of several threads, one warns.
        if self._noted.setdefault(feature, mine) is mine:
            reason = f" ({error.strerror})" if error else ""
            log.warning("%s: the file system %s%s", self._directory, feature, reason)
