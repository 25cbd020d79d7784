"""Checks of a ledger's file, without SQLite: is it ours, is it whole, is it still the same?"""

from __future__ import annotations

import os
import stat
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from url_downloader.ledger import schema
from url_downloader.shared.errors import InputError

_MAGIC = b"SQLite format 3\0"
_HEADER_SIZE = 100
"""Bytes of the header of an SQLite file."""
_REMEDY = "move it away, or use --ledger FILE or --no-ledger"
_READER_REMEDY = "name another ledger with --ledger FILE"

FileId = tuple[int, int]
"""Device and inode of a file."""

# Guards _open_files: the ledgers that this process has open. Reading such a file with another
# descriptor would drop the locks that SQLite has on it (POSIX).
_open_files_lock = threading.Lock()
_open_files: Counter[FileId] = Counter()


def file_id(path: Path) -> FileId | None:
    """Return device and inode of a file; None if there is none."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_replaced(path: Path, this: FileId | None) -> bool:
    """Tell whether the path no longer leads to this file; missing rights do not mean that."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return (status.st_dev, status.st_ino) != this


def place_of(path: Path) -> tuple[int, ...] | None:
    """Return a value that changes if the directory with the ledger's folder is replaced.

    Returns:
        Device and inode of the directory, and whether the folder is a link; None if there is
        no directory.
    """
    try:
        status = path.parent.parent.stat()
        return status.st_dev, status.st_ino, path.parent.is_symlink()
    except OSError:
        return None


def check_file(path: Path, *, is_only_read: bool = False) -> int | None:
    """Check that a file is a ledger that this program can use, without changing it.

    Args:
        path: Path of the file.
        is_only_read: Whether the caller only reads the ledger, which may be another user's.

    Returns:
        Version of its schema; None if there is no file.

    Raises:
        InputError: The file is something else, or can't be read.
    """
    try:
        status = path.lstat()
    except OSError:
        # What else is wrong there is found when the output directory is opened.
        return None
    try:
        return _checked(path, status, is_only_read=is_only_read)
    except FileNotFoundError:
        return None
    except OSError as error:
        fault: object = f"the ledger can't be read: {error.strerror}"
    except _FaultError as error:
        fault = error
    raise InputError(f"{path}: {fault}; {_READER_REMEDY if is_only_read else _REMEDY}")


class _FaultError(Exception):
    """Error for a file that is no ledger of this program; the message names the fault."""


def _checked(path: Path, status: os.stat_result, *, is_only_read: bool) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise _FaultError("is a link, a folder or a device, not a ledger")
    if not is_only_read:
        _check_owner(path, status)
    with _open_files_lock:
        if _open_files[status.st_dev, status.st_ino]:
            return schema.VERSION
        header = _header(path)
    return _checked_version(path, header, size=status.st_size)


def _header(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _HEADER_SIZE)
    finally:
        os.close(descriptor)


def _checked_version(path: Path, header: bytes, *, size: int) -> int:
    if not header:
        raise _FaultError("is empty, not a ledger")
    if len(header) < _HEADER_SIZE or not header.startswith(_MAGIC):
        raise _FaultError("is not a ledger")
    (page_size,) = struct.unpack_from(">H", header, 16)
    (pages,) = struct.unpack_from(">I", header, 28)
    version, application = (struct.unpack_from(">i", header, at)[0] for at in (60, 68))
    if application != schema.APPLICATION_ID:
        raise _FaultError("is the database of another program")
    if version > schema.VERSION:
        raise _FaultError("is the ledger of a newer version of this program")
    # A checkpoint writes the header first. Until it ends, and after a kill, the log has the
    # pages that the file lacks.
    is_cut = pages * (65536 if page_size == 1 else page_size) > size and not has_log(path)
    if version < 1 or is_cut:
        raise _FaultError("is a damaged ledger: it is cut off")
    return int(version)


def has_log(path: Path) -> bool:
    """Tell whether the write-ahead log of a ledger has anything in it."""
    log_file = path.with_name(f"{path.name}-wal")
    return log_file.exists() and log_file.stat().st_size > 0


def _check_owner(path: Path, status: os.stat_result) -> None:
    """Check that no other user has made the file.

    Raises:
        _FaultError: Another user has.
    """
    trusted = {0, os.geteuid()}
    if status.st_uid in trusted or path.parent.stat().st_uid in trusted:
        return
    raise _FaultError(f"belongs to another user (user ID {status.st_uid})")


@contextmanager
def kept_open(path: Path) -> Iterator[None]:
    """Note during the block that this process has connections to the file."""
    this = file_id(path)
    with _open_files_lock:
        _open_files.update([this] if this else [])
    try:
        yield
    finally:
        with _open_files_lock:
            _open_files.subtract([this] if this else [])
