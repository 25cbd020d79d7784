"""The lock: its file, and how a second process describes the holder."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from url_downloader.cli.run_lock import held_lock
from url_downloader.shared.errors import LockedError, OutputError

HERE = socket.gethostname()
DEAD = 2**22 + 1
"""A process id above the largest that the kernel gives."""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Return the path of a lock file that does not exist yet."""
    return tmp_path / "run.lock"


def refusal(lock: Path) -> str:
    """Return the message for a second process that wants the lock."""
    with pytest.raises(LockedError) as caught, held_lock(lock, "second"):
        pass
    return str(caught.value)


def test_holder(lock: Path) -> None:
    """The message has process, host, time and command; a released lock can be taken again."""
    with held_lock(lock, "url-downloader ü"):
        message = refusal(lock)
    assert message.startswith(
        f"{lock}: another run holds the lock: process {os.getpid()} on {HERE} since 2"
    )
    assert message.endswith("Z: url-downloader ü")
    with held_lock(lock, "third"):
        assert lock.read_text().endswith(": third\n")


@pytest.mark.parametrize(
    ("text", "holder"),
    [
        ("", "its process is not known yet"),
        (f"url-downloader {DEAD} on {HERE} since x: y\n", "its process is not known yet"),
        (f"url-downloader nobody on {HERE} since x: y\n", "its process is not known yet"),
        (f"url-downloader 1 on {HERE} since x: y\n", f"process 1 on {HERE} since x: y"),
        # Whether a process of another host is alive is not known here.
        (f"url-downloader {DEAD} on x{HERE} s\n", f"process {DEAD} on x{HERE} s"),
    ],
)
def test_dead_holder(lock: Path, text: str, holder: str) -> None:
    """The text that a dead process left does not describe the holder."""
    with held_lock(lock, "first"):
        lock.write_text(text)
        assert refusal(lock) == f"{lock}: another run holds the lock: {holder}"


@pytest.mark.parametrize("content", [b"http://h/a\n", b"\x00\xff", b" url-downloader "])
def test_other_content(lock: Path, content: bytes) -> None:
    """A file with other content is an error, and is not changed."""
    lock.write_bytes(content)
    with pytest.raises(OutputError, match="is not a lock file"), held_lock(lock, "first"):
        pass
    assert lock.read_bytes() == content


@pytest.mark.parametrize("mode", [None, 0o644, 0o666])
def test_only_the_owner_reads_it(lock: Path, mode: int | None) -> None:
    """No other user can read the command in the file, even in a file of an earlier version."""
    if mode is not None:
        lock.write_text("url-downloader before\n")
        lock.chmod(mode)
    with held_lock(lock, "first"):
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_a_pipe_is_no_lock(lock: Path) -> None:
    """A FIFO is an error, and the process does not wait for its other end."""
    os.mkfifo(lock)
    with pytest.raises(OutputError, match="name a file"), held_lock(lock, "first"):
        pass


def test_a_folder_is_no_lock(tmp_path: Path) -> None:
    """A file that can't be opened, such as a folder, is an error."""
    with (
        pytest.raises(OutputError, match="can't be used as the lock file"),
        held_lock(tmp_path, "x"),
    ):
        pass
