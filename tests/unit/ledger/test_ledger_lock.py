"""The lock beside a ledger, where system calls fail."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from url_downloader.ledger.ledger_lock import LedgerLock


def test_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks is an error, and gets no lock file."""
    refuse(monkeypatch, fcntl.LOCK_EX)
    with pytest.raises(OSError, match="No locks"):
        LedgerLock(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_a_half_made_lock(tmp_path: Path) -> None:
    """What a kill has left of the check of locks is gone after the next one."""
    (tmp_path / "lock.new").touch()
    LedgerLock(tmp_path / "lock").close()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_unlock_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an unlock that fails, this process can take the lock again."""
    lock = LedgerLock(tmp_path / "lock", max_wait=0.01)
    refuse(monkeypatch, fcntl.LOCK_UN)
    with pytest.raises(OSError, match="No locks"), lock:
        pass
    monkeypatch.undo()
    with lock:
        pass
    lock.close()


def test_close_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the last close is no error of the run."""
    lock, close = LedgerLock(tmp_path / "lock"), os.close

    def close_with_error(descriptor: int) -> None:
        close(descriptor)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "close", close_with_error)
    lock.close()


def refuse(monkeypatch: pytest.MonkeyPatch, wanted: int) -> None:
    """Let flock() fail for this operation, as without a lock daemon."""
    flock = fcntl.flock

    def flock_or_fail(descriptor: int, operation: int) -> None:
        if operation & wanted:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock_or_fail)
