"""Errors that this program raises on purpose, in one tree, and Rejection.

Each message says what failed, where, and what the user can do. Each error survives pickling.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from url_downloader.shared.contact import Trouble
from url_downloader.shared.file_facts import FileAge
from url_downloader.shared.models import ErrorKind, JobStatus

NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
"""Error numbers for too many open files, in this process or in the whole system."""


class UrlDownloaderError(Exception):
    """Base class of all errors that this program raises on purpose."""


class ConfigError(UrlDownloaderError):
    """Error for a setting that is out of its range. The message names option and range."""


class InputError(UrlDownloaderError):
    """Error for a list, or a file that a setting names, that can't be read.

    A line of the list that can't be used is a Rejection instead.
    """


@dataclass(frozen=True, slots=True)
class Rejection:
    """Line of the list that led to no job.

    Args:
        source: Name of the list.
        line: Number of the line, from 1.
        reason: Reason for the user: printable, without user names and passwords.
    """

    source: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.reason}"


class OutputError(UrlDownloaderError):
    """Error for an output directory, or another output, that can't be used."""


class LockedError(UrlDownloaderError):
    """Error for a lock that another run holds. The message names that run."""


class NameTakenError(UrlDownloaderError):
    """Error for a file that is not published, because another run may have used its name.

    Args:
        name: Name of the existing file.
        age: Age of the existing file.
    """

    def __init__(self, name: str, age: FileAge) -> None:
        super().__init__(name, age)
        self.age = age

    def __str__(self) -> str:
        return str(self.args[0])


class TransitionError(UrlDownloaderError):
    """Error for a transition that the state of a job does not allow: a bug of this program.

    Args:
        job_id: Number of the job.
        current: State of the job; None for a job that is not registered.
        wanted: State that the job should have changed to.
    """

    def __init__(self, job_id: int, current: JobStatus | None, wanted: JobStatus) -> None:
        super().__init__(job_id, current, wanted)

    def __str__(self) -> str:
        job_id, current, wanted = self.args
        return f"job {job_id}: {current or 'unknown job'} can't become {wanted}"


class AttemptError(UrlDownloaderError):
    """Error for an attempt that failed for an expected reason.

    Args:
        kind: Kind of the failure; the retry policy decides by it, the summary groups by it.
        message: One line for the user, without credentials.
        trouble: Cause of the failure, if it tells about a host or the network.
    """

    def __init__(
        self, kind: ErrorKind, message: str, *, trouble: Trouble | None = None
    ) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message
        self.trouble = trouble

    def __str__(self) -> str:
        return self.message
