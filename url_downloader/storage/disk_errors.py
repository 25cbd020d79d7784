"""What the system refuses, in our words: one kind and one line for people."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from url_downloader.shared.errors import NO_DESCRIPTORS, AttemptError, OutputError
from url_downloader.shared.models import ErrorKind

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The system's errors when the disk, or the user's share of it, is full."""
_KINDS = {
    **dict.fromkeys(NO_ROOM, ErrorKind.DISK_FULL),
    **dict.fromkeys(NO_DESCRIPTORS, ErrorKind.NO_DESCRIPTORS),
}


@contextmanager
def output_errors(text: str) -> Iterator[None]:
    """Make an OutputError of what the system refuses in the block.

    Args:
        text: names the file, and what can't be done.

    Raises:
        OutputError: the text, with the system's reason.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{text}: {error.strerror or type(error).__name__}") from error


class DiskErrorConverter:
    """What the system refuses in a `with` block becomes an AttemptError.

    Args:
        path: that it names.
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
