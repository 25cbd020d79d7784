"""The lock against a second run at the same time.

The kernel releases the lock when the process ends, however it ends.
"""

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
"""Start of the text in a lock file. A file that begins otherwise is left unchanged."""
_MAX_TEXT = 4096
"""Bytes of a lock file that are read, at most."""


@contextmanager
def held_lock(path: Path, command: str) -> Iterator[None]:
    """Hold the lock during the block, and describe this process in the lock file.

    The file stays afterwards. If it were removed, two processes could hold locks on two
    different files of this name.

    Args:
        path: Path of the lock file, which is created if it is missing.
        command: Command line of this process, without secrets.

    Raises:
        LockedError: Another process holds the lock. The message names that process.
        OutputError: The file can't be opened, or is no lock file.
    """
    with ExitStack() as stack:
        with output_errors(f"{path}: can't be used as the lock file"):
            # O_NONBLOCK, because the name may be that of a FIFO. The mode is for the owner
            # only, because the command may hold private data.
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
            descriptor = os.open(path, flags, 0o600)
            stack.callback(close_read, descriptor)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OutputError(f"{path}: is a pipe or device, not a lock file; name a file")
            _lock(descriptor, path)
            _write(descriptor, path, text=f"{_MARK}{_this_process()}: {command}\n")
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
        raise OutputError(f"{path}: is not a lock file; name another file, or a new one")
    # Earlier versions let all users read the file.
    with suppress(OSError):
        os.fchmod(descriptor, 0o600)
    # Emptied first, so that no reader takes the text of a dead process for ours.
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode("utf-8", "backslashreplace"), 0)


def _text(descriptor: int) -> str:
    return os.pread(descriptor, _MAX_TEXT, 0).decode("utf-8", "backslashreplace")


def _this_process() -> str:
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{os.getpid()} on {socket.gethostname()} since {since}"


def _holder(text: str) -> str:
    """Return the holder of the lock for the message.

    Just after another process took the lock, the file is empty or describes a dead process.
    """
    who = text.removeprefix(_MARK).strip()
    pid, _, rest = who.partition(" ")
    is_dead = rest.startswith(f"on {socket.gethostname()} ") and not _is_alive(pid)
    if who == text.strip() or is_dead:
        return "its process is not known yet"
    return f"process {who}"


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
