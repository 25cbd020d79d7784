"""Conversion of the system's errors into errors of this program, with one line for the user."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from url_downloader.shared.errors import NO_DESCRIPTORS, AttemptError, OutputError
from url_downloader.shared.models import ErrorKind

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Error numbers for a full disk, or a full quota of the user."""
_KINDS = {
    **dict.fromkeys(NO_ROOM, ErrorKind.DISK_FULL),
    **dict.fromkeys(NO_DESCRIPTORS, ErrorKind.NO_DESCRIPTORS),
}


@contextmanager
def output_errors(text: str) -> Iterator[None]:
    """Convert an OSError in the `with` block into an OutputError.

    Args:
        text: Start of the message, which names the file and what can't be done with it.

    Raises:
        OutputError: The system refused; the message is the text with the system's reason.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{text}: {error.strerror or type(error).__name__}") from error


class DiskErrorConverter:
    """Context manager that converts an OSError in its `with` block into an AttemptError.

    Args:
        path: Path that the error message names.

    Threads: one.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, *raised: object) -> None:
        _, error, _ = raised
        if isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
            kind = _KINDS.get(error.errno or 0, ErrorKind.LOCAL)
            raise AttemptError(kind, f"{self._path}: {reason}") from error
