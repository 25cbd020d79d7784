"""The comparison of the files on the disk with what a ledger has recorded about them.

`Verification.differences` reads the ledger page by page, and compares each file: does it exist,
has it the recorded size, time and digest. A run may replace files at the same time. So an entry
is read again before its file counts as different.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from url_downloader.ledger.read_access import id_ranges
from url_downloader.ledger.rows import is_safe, unpacked_digest
from url_downloader.shared.checksums import ALGORITHMS
from url_downloader.shared.file_facts import is_same_file
from url_downloader.shared.job_options import Checksum

_PAGE = 1000
"""Rows that one statement returns, at most."""
_BLOCK = 1 << 20
"""Bytes that are hashed at once. Other threads run meanwhile, and a signal is seen after it."""
# O_NONBLOCK, because the open of a FIFO would block.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# O_PATH, because a folder that may be searched need not be readable.
_SEARCH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_COLUMNS = "id, name, size, mtime, digest"
_RECORDED = f"""
SELECT {_COLUMNS} FROM entry NOT INDEXED
WHERE id BETWEEN ? AND ? AND (state != 0 OR size IS NOT NULL) ORDER BY id
"""  # noqa: S608
_ONE = f"SELECT {_COLUMNS} FROM entry WHERE id = ? AND (state != 0 OR size IS NOT NULL)"  # noqa: S608


class RecordedFile(NamedTuple):
    """File that a ledger has an entry of.

    Args:
        row: Number of the entry.
        name: Path of the file, relative to the output directory.
        size: Size in bytes; None unless the file is known to be complete.
        mtime_ns: Time of the file's last change, in nanoseconds since the epoch, or None.
        digest: Digest that the file must have, or None.
    """

    row: int
    name: str
    size: int | None
    mtime_ns: int | None
    digest: Checksum | None


class Verification:
    """Comparison of all recorded files with those on the disk.

    Args:
        connection: Connection to the ledger without an open transaction, in autocommit mode.
        directory: Output directory, as the system calls take it.
        checksums: Checksums by the names of files; they replace the digests of the ledger.
        should_stop: Tells whether to stop early.
        on_progress: Called after each block and each file, with `files` and `size`.

    Attributes:
        files: Number of compared files so far.
        size: Bytes of these files that were read so far.
        differing: Number of these files that differ.
        without_digest: Number of these files of which no digest is known.
        with_checksum: Number of these files that `checksums` has.
        incomplete: Number of files that can't be compared: none is known to be complete.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        directory: bytes,
        *,
        checksums: Mapping[str, Checksum],
        should_stop: Callable[[], bool] = lambda: False,
        on_progress: Callable[[int, int], None] = lambda _, __: None,
    ) -> None:
        self._connection = connection
        self._directory = directory
        self._checksums = checksums
        self._should_stop = should_stop
        self._on_progress = on_progress
        self._buffer = memoryview(bytearray(_BLOCK))
        self.files = 0
        self.size = 0
        self.differing = 0
        self.without_digest = 0
        self.with_checksum = 0
        self.incomplete = 0

    def differences(self) -> Iterator[tuple[str, str]]:
        """Yield the name of a file and its fault, for each fault that is found."""
        for file in self._recorded_files():
            if file.size is None and file.digest is None:
                self.incomplete += 1
                continue
            faults = self._settled_faults(file)
            if self._should_stop():
                return
            self._count(file, has_faults=bool(faults))
            for fault in faults:
                yield file.name, fault
            self._on_progress(self.files, self.size)

    def _recorded_files(self) -> Iterator[RecordedFile]:
        for ids in id_ranges(self._connection, step=_PAGE):
            for row in self._connection.execute(_RECORDED, ids).fetchall():
                yield self._recorded(row)

    def _recorded(self, row: tuple[int, str, int | None, int | None, bytes]) -> RecordedFile:
        number, name, size, mtime_ns, digest = row
        checksum = self._checksums.get(name)
        if checksum is None and digest is not None:
            checksum = unpacked_digest(digest)
        return RecordedFile(number, name, size, mtime_ns, checksum)

    def _count(self, file: RecordedFile, *, has_faults: bool) -> None:
        self.files += 1
        self.differing += has_faults
        self.without_digest += file.digest is None
        self.with_checksum += file.name in self._checksums

    def _settled_faults(self, file: RecordedFile) -> Sequence[str]:
        """Return the faults of a file, unless a run has recorded another version of it."""
        while faults := [*self._faults(file)]:
            row = self._connection.execute(_ONE, (file.row,)).fetchone()
            newer = None if row is None else self._recorded(row)
            if newer == file:
                return faults
            if newer is None or newer.name != file.name:
                return ()
            file = newer
        return ()

    def _faults(self, file: RecordedFile) -> Iterator[str]:
        """Yield the faults of a file. A file of another size has another digest, too."""
        if not is_safe(file.name):
            yield "leads out of the output directory"
            return
        *folders, name = file.name.encode().split(b"/")
        try:
            with _opened_folder(self._directory, folders) as folder:
                yield from self._differences(file, name, folder=folder)
        except NotADirectoryError:
            yield "is missing: a folder of its path is a link or a file"
        except FileNotFoundError:
            yield "is missing"
        except OSError as error:
            yield f"can't be read: {error.strerror}"

    def _differences(self, file: RecordedFile, name: bytes, *, folder: int) -> Iterator[str]:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            yield "is not a regular file"
        elif file.size not in (None, status.st_size):
            yield f"has {status.st_size} bytes, not {file.size}"
        else:
            if _is_changed(file, status):
                changed, recorded = map(_time, (status.st_mtime_ns, file.mtime_ns))
                yield f"was changed at {changed}, not at {recorded}"
            if file.digest is not None:
                descriptor = os.open(name, _READ, dir_fd=folder)
                yield from self._wrong_digest(descriptor, file.digest)

    def _wrong_digest(self, descriptor: int, expected: Checksum) -> Iterator[str]:
        """Yield a fault if the digest of a file is wrong; nothing after an early stop.

        Args:
            descriptor: Descriptor of the file, which this function closes.
            expected: Digest that the file must have.
        """
        digest = hashlib.new(ALGORITHMS[expected.algorithm], usedforsecurity=False)
        with open(descriptor, "rb", buffering=0) as file:
            while not self._should_stop() and (count := file.readinto(self._buffer)):
                digest.update(self._buffer[:count])
                self.size += count
                self._on_progress(self.files, self.size)
        if not self._should_stop() and digest.hexdigest() != expected.digest:
            yield f"{expected.algorithm} is {digest.hexdigest()}, not {expected.digest}"


@contextmanager
def _opened_folder(directory: bytes, folders: Sequence[bytes]) -> Iterator[int]:
    """Open a folder below a directory for the block. No link below it is followed.

    Raises:
        OSError: A folder is missing, or is a link or a file.
    """
    descriptor = os.open(directory, _SEARCH)
    try:
        for name in folders:
            inner = os.open(name, _SEARCH | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _is_changed(file: RecordedFile, status: os.stat_result) -> bool:
    """Tell whether a file of the recorded size has another time."""
    if file.mtime_ns is None:
        return False
    size = status.st_size
    return not is_same_file((size, status.st_mtime_ns), (size, file.mtime_ns))


def _time(nanoseconds: int | None) -> str:
    """Return a time in full: two times of a file may differ in their last digit only."""
    seconds, rest = divmod(nanoseconds or 0, 1_000_000_000)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:09}Z"
    except (ValueError, OverflowError, OSError):
        return f"{nanoseconds} ns"
