"""The spool of a list: a hidden file beside it, which takes its place when it is complete."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path

from url_downloader.shared.descriptors import close_read
from url_downloader.shared.interruptible_pipe import InterruptiblePipe, open_pipe, text_stream
from url_downloader.storage.disk_errors import output_errors
from url_downloader.storage.missing_features import NOT_OFFERED

_OWNER_ONLY = 0o600
_MAX_NAME = 50
"""Characters of the list's name in that of the spool: with UTF-8, both fit in 255 bytes."""
_BLOCK = 1 << 16
"""Characters that are copied at once."""


class ListSpool:
    """Spool of a list, which only its owner may read.

    A run that is killed leaves its spool. The next run that writes the same list removes it,
    unless a process still has it locked. If the list is a pipe or a device, the spool is a
    temporary file without a name, and its text is written there at the end.

    Args:
        path: Path of the list: a file, pipe or device, or nothing yet.

    Attributes:
        descriptor: Descriptor of the spool, to append to.

    Raises:
        OutputError: The list can't be written to the path.

    Threads: one; others may append to the descriptor until `finish` is called.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spool: Path | None = None
        with output_errors(f"{path}: the failed URLs can't be written there"):
            if path.is_dir():
                raise IsADirectoryError(None, "it is a folder")
            if _is_replaced(path):
                self.descriptor, self._spool = _new_spool(_target(path))
            else:
                self.descriptor = _unnamed_file()

    def finish(
        self, rest: Iterable[str], *, gave_up: Callable[[], bool] = lambda: False
    ) -> None:
        """Append the rest of the list, and put the spool in the place of the list.

        Args:
            rest: Pieces of the text.
            gave_up: Tells whether to stop waiting for the reader of a pipe.

        Raises:
            OSError: The list can't be written, or the reader of the pipe is too slow. An
                existing file is unchanged.
        """
        spool = self._spool
        if spool is not None and _is_replaced(self._path) and self._is_in_place():
            _append(self.descriptor, rest)
            spool.replace(_target(self._path))
        else:
            # The list is no file, or its folder was replaced during the run.
            write_list(self._path, chain(self._texts(), rest), gave_up=gave_up)

    def read(self, start: int, end: int) -> str:
        """Return the text between two positions in bytes."""
        return os.pread(self.descriptor, end - start, start).decode()

    def close(self) -> None:
        """Close the spool, and remove it if it has not taken the place of the list."""
        if self._spool is not None and self._is_in_place():
            with suppress(OSError):
                self._spool.unlink()
        close_read(self.descriptor)

    def _texts(self) -> Iterator[str]:
        """Yield the text of the spool in pieces."""
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        with open(self.descriptor, encoding="utf-8", newline="", closefd=False) as file:
            yield from iter(lambda: file.read(_BLOCK), "")

    def _is_in_place(self) -> bool:
        return self._spool is not None and _is_name_of(self._spool, self.descriptor)


def write_list(
    path: Path, texts: Iterable[str], *, gave_up: Callable[[], bool] = lambda: False
) -> None:
    """Write a whole list, which only its owner may read; a file is replaced in one step.

    Args:
        path: Path of a file, pipe or device.
        texts: Pieces of the text.
        gave_up: Tells whether to stop waiting for the reader of a pipe.

    Raises:
        OSError: The list can't be written, or the reader of the pipe is too slow. An existing
            file is unchanged.
    """
    if not _is_replaced(path):
        _write_pipe(path, texts, gave_up=gave_up)
        return
    target = _target(path)
    descriptor, spool = _new_spool(target)
    try:
        _append(descriptor, texts)
        spool.replace(target)
    except BaseException:
        with suppress(OSError):
            spool.unlink()
        raise
    finally:
        close_read(descriptor)


def _append(descriptor: int, texts: Iterable[str]) -> None:
    """Append the texts to the file, and flush them to the disk."""
    with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
        file.writelines(texts)
    _sync(descriptor)


def _is_replaced(path: Path) -> bool:
    """Tell whether the path is a file or nothing yet; pipes and devices are not replaced."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _target(path: Path) -> Path:
    """Return the path with all links resolved, so that the links stay."""
    return Path(os.path.realpath(path))


def _new_spool(target: Path) -> tuple[int, Path]:
    """Make and lock the spool of a list; remove those that killed runs have left.

    Returns:
        Descriptor and path of the spool.
    """
    for number in itertools.count(1):
        path = target.with_name(f".{target.name[:_MAX_NAME]}.url-downloader-{number}.tmp")
        _remove_stale(path)
        with suppress(FileExistsError):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(path, flags, _OWNER_ONLY)
            # Another run may have taken the new spool for a stale one before it was locked.
            if _try_lock(descriptor) and _is_name_of(path, descriptor):
                return descriptor, path
            close_read(descriptor)
    raise AssertionError("itertools.count() has no end")


def _remove_stale(path: Path) -> None:
    """Remove a spool that a killed run has left; do nothing if the file is another one."""
    with ExitStack() as stack, suppress(OSError):
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags)
        stack.callback(close_read, descriptor)
        status = os.fstat(descriptor)
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        if is_ours and stat.S_IMODE(status.st_mode) == _OWNER_ONLY:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Only the holder of the lock may remove this file, so it keeps its name until then.
            if _is_name_of(path, descriptor):
                path.unlink()


def _try_lock(descriptor: int) -> bool:
    """Lock a file; return False if a process holds its lock. Some file systems have none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _is_name_of(path: Path, descriptor: int) -> bool:
    """Tell whether the path is a name of the open file."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except OSError:
        return False


def _unnamed_file() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _sync(descriptor: int) -> None:
    """Flush the list to the disk, if the file system offers that."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise


def _write_pipe(path: Path, texts: Iterable[str], *, gave_up: Callable[[], bool]) -> None:
    pipe = InterruptiblePipe(
        open_pipe(path, should_stop=gave_up), should_stop=gave_up, is_owner=True
    )
    with text_stream(pipe) as stream:
        stream.writelines(texts)
    if pipe.has_lost_data:
        raise TimeoutError(errno.ETIMEDOUT, "its reader does not read all of it")
