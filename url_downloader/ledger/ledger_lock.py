"""The lock that lets several runs write to one ledger by turns.

SQLite itself can lose a commit when two connections write or checkpoint at the same moment, up
to version 3.51.2. So a file beside the ledger is locked around each transaction. A lock on the
ledger itself would interfere with SQLite's own locks.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

LOCK_FILE = "ledger.lock"
"""Name of the lock file beside the ledger."""
MAX_WAIT = 60.0
"""Seconds to wait for another run, which takes milliseconds for a transaction."""
_POLL = 0.02
"""Seconds between two tries."""
_MARK = b"process "
"""Start of the text in a lock file, which names the run that has locked it last."""
_MAX_TEXT = 64
"""Bytes of a lock file that are read, at most."""


class LedgerBusyError(Exception):
    """Error for a lock that another run holds for too long; the message names that run."""


class LedgerLock:
    """Lock that one run at a time holds; a context manager for the time of a transaction.

    Args:
        path: Path of the lock file, which is made if it is missing, and stays.
        max_wait: Seconds to wait for the lock.

    Raises:
        OSError: The file can't be made, or its file system has no locks.

    Threads: any; a thread waits until the others have left the block.
    """

    def __init__(self, path: Path, *, max_wait: float = MAX_WAIT) -> None:
        self._path = path
        self._max_wait = max_wait
        if not path.exists():
            # A file system without locks gets no lock file.
            _check_new_file(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._descriptor = os.open(path, flags, 0o600)
        self._own = threading.Lock()
        # Never set: to wait for another process.
        self._never = threading.Event()
        try:
            self._check()
        except OSError:
            self.close()
            raise

    def __enter__(self) -> None:
        """Take the lock.

        Raises:
            LedgerBusyError: Another run holds it for too long.
            OSError: The file system has no locks.
        """
        if not self._own.acquire(timeout=self._max_wait):
            raise LedgerBusyError(self._holder())
        try:
            self._lock()
        except BaseException:
            self._own.release()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            self._own.release()

    def close(self) -> None:
        """Close the lock file; calling it again has no effect."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            # An error does not keep the descriptor open.
            with suppress(OSError):
                os.close(descriptor)

    def _check(self) -> None:
        """Check that the file system has locks.

        Raises:
            OSError: It has none.
        """
        try:
            _try_locks(self._descriptor)
        except BlockingIOError:
            # Perhaps another run holds the lock. No other run can hold one on a new file.
            _check_new_file(self._path)

    def _lock(self) -> None:
        ends = time.monotonic() + self._max_wait
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > ends:
                    raise LedgerBusyError(self._holder()) from None
                self._never.wait(_POLL)
            else:
                self._sign()
                return

    def _sign(self) -> None:
        """Name this process in the lock file, unless that is the file of another program."""
        text = b"%s%d\n" % (_MARK, os.getpid())
        # A full disk does not keep a run from the lock.
        with suppress(OSError):
            before = os.pread(self._descriptor, _MAX_TEXT, 0)
            if before != text and before.startswith(_MARK[: len(before)]):
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, text, 0)

    def _holder(self) -> str:
        """Return the run that holds the lock, for the message."""
        with suppress(OSError):
            text = os.pread(self._descriptor, _MAX_TEXT, 0)
            if text.startswith(_MARK) and text[len(_MARK) :].strip().isdigit():
                return text.decode("ascii").strip()
        return "its process is not known"


def _check_new_file(beside: Path) -> None:
    """Check that the file system can lock a new file, which no other run has locked.

    Raises:
        OSError: It can't.
    """
    path = beside.with_name(f"{beside.name}.new")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        # A killed run may have left one. Another run may make one at this moment, and then
        # has its descriptor.
        path.unlink(missing_ok=True)
        with suppress(FileExistsError):
            descriptor = os.open(path, flags, 0o600)
            break
    try:
        path.unlink(missing_ok=True)
        _try_locks(descriptor)
    finally:
        os.close(descriptor)


def _try_locks(descriptor: int) -> None:
    """Take and release both kinds of locks: that of this module, and that of SQLite.

    SQLite takes each refusal of the system for a lock of another program, and waits.

    Raises:
        OSError: The file system has no such lock, or another run holds it.
    """
    # One after the other: on NFS, one kind excludes the other.
    for lock in (fcntl.lockf, fcntl.flock):
        lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock(descriptor, fcntl.LOCK_UN)
