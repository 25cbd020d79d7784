"""The lock that keeps a second run away: the kernel's, so it goes with the process."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from url_downloader.shared.descriptors import close_read
from url_downloader.shared.errors import LockedError, OutputError
from url_downloader.storage.disk_errors import output_errors

_MARK = "url-downloader "
"""What the text in every lock file begins with; whatever else is there is left alone."""
_MAX_TEXT = 4096


@contextmanager
def held_lock(path: Path, command: str) -> Iterator[None]:
    """Hold the lock, and say in its file who does.

    The file stays when the lock goes: if it were removed, two could lock two of that name.

    Args:
        path: of the file, which is made when it is missing.
        command: what runs, without secrets.

    Raises:
        LockedError: another process holds it; with who that is.
        OutputError: the file can't be opened, or is none of ours.
    """
    with ExitStack() as stack:
        with output_errors(f"{path}: can't be used as lock"):
            # O_NONBLOCK: the name may be a FIFO's. Only the owner reads who runs what.
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
            descriptor = os.open(path, flags, 0o600)
            stack.callback(close_read, descriptor)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OutputError(f"{path}: is no lock file but a pipe or device; name a file")
            _lock(descriptor, path)
            _write(descriptor, path, text=f"{_MARK}{_self()}: {command}\n")
        yield


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = _holder(_text(descriptor))
        raise LockedError(f"{path}: another run holds the lock: {holder}") from error


def _write(descriptor: int, path: Path, *, text: str) -> None:
    before = _text(descriptor)
    if before and not before.startswith(_MARK):
        raise OutputError(f"{path}: is no lock file; name another, or one that is not there")
    # An earlier version let all users read it.
    with suppress(OSError):
        os.fchmod(descriptor, 0o600)
    # Emptied first: what a dead holder left is not to be read as ours.
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode("utf-8", "backslashreplace"), 0)


def _text(descriptor: int) -> str:
    return os.pread(descriptor, _MAX_TEXT, 0).decode("utf-8", "backslashreplace")


def _self() -> str:
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{os.getpid()} on {socket.gethostname()} since {since}"


def _holder(text: str) -> str:
    """Who the text says holds the lock; one that is dead can't."""
    who = text.removeprefix(_MARK).strip()
    pid, _, rest = who.partition(" ")
    is_dead = rest.startswith(f"on {socket.gethostname()} ") and not _is_alive(pid)
    if who == text.strip() or is_dead:
        return "it has not said yet who it is"
    return f"process {who}"


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
