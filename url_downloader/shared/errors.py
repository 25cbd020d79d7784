"""The error tree. Each error says what, where and what now; each survives pickling."""

from __future__ import annotations

import errno

from url_downloader.shared.models import ErrorKind, JobStatus

NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
"""What the system says when this process, or all of them, have too many files open."""


class UrlDownloaderError(Exception):
    """Root of all errors that this package raises on purpose."""


class ConfigError(UrlDownloaderError):
    """A setting is out of its range. The message names the flag and the range."""


class InputError(UrlDownloaderError):
    """The list, or a file that a setting names, can't be read (not: a line is bad)."""


class OutputError(UrlDownloaderError):
    """The output directory can't be used."""


class LockedError(UrlDownloaderError):
    """Another run holds the lock. The message says which."""


class TransitionError(UrlDownloaderError):
    """A job was asked to make a transition that its state does not allow: a bug of ours."""

    def __init__(self, job_id: int, current: JobStatus | None, wanted: JobStatus) -> None:
        super().__init__(job_id, current, wanted)

    def __str__(self) -> str:
        job_id, current, wanted = self.args
        return f"job {job_id}: {current or 'unknown job'} can't become {wanted}"


class AttemptError(UrlDownloaderError):
    """An attempt failed in a way that is foreseen.

    Args:
        kind: what the retry policy and the summary go by.
        message: one line for people, without credentials.
    """

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return self.message
