"""The text in a lock file, and who is believed."""

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
"""No process has a number beyond the kernel's largest."""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock file that isn't there yet."""
    return tmp_path / "run.lock"


def refusal(lock: Path) -> str:
    """What one is told who wants it too."""
    with pytest.raises(LockedError) as caught, held_lock(lock, "second"):
        pass
    return str(caught.value)


def test_who_holds_it(lock: Path) -> None:
    """Process, host, time and command of the holder are told; then it can be had again."""
    with held_lock(lock, "url-downloader ü"):
        told = refusal(lock)
    assert told.startswith(
        f"{lock}: another run holds the lock: process {os.getpid()} on {HERE} since 2"
    )
    assert told.endswith("Z: url-downloader ü")
    with held_lock(lock, "third"):
        assert lock.read_text().endswith(": third\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it has not said yet who it is"),
        (f"url-downloader {DEAD} on {HERE} since x: y\n", "it has not said yet who it is"),
        (f"url-downloader nobody on {HERE} since x: y\n", "it has not said yet who it is"),
        (f"url-downloader 1 on {HERE} since x: y\n", f"process 1 on {HERE} since x: y"),
        # Of another host's processes nothing is known here.
        (f"url-downloader {DEAD} on x{HERE} s\n", f"process {DEAD} on x{HERE} s"),
    ],
)
def test_who_is_believed(lock: Path, text: str, told: str) -> None:
    """What is left of a process that is dead says nothing of who holds it now."""
    with held_lock(lock, "first"):
        lock.write_text(text)
        assert refusal(lock) == f"{lock}: another run holds the lock: {told}"


@pytest.mark.parametrize("content", [b"http://h/a\n", b"\x00\xff", b" url-downloader "])
def test_what_is_no_lock(lock: Path, content: bytes) -> None:
    """A file with anything else in it is left as it is."""
    lock.write_bytes(content)
    with pytest.raises(OutputError, match="is no lock file"), held_lock(lock, "first"):
        pass
    assert lock.read_bytes() == content


@pytest.mark.parametrize("mode", [None, 0o644, 0o666])
def test_only_the_owner_reads_it(lock: Path, mode: int | None) -> None:
    """The command in it may tell more than others should know; an older file is closed, too."""
    if mode is not None:
        lock.write_text("url-downloader before\n")
        lock.chmod(mode)
    with held_lock(lock, "first"):
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_a_pipe_is_no_lock(lock: Path) -> None:
    """A FIFO is refused by name, and nobody waits for its other end."""
    os.mkfifo(lock)
    with pytest.raises(OutputError, match="name a file"), held_lock(lock, "first"):
        pass


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    """A folder is no lock."""
    with pytest.raises(OutputError, match="can't be used as lock"), held_lock(tmp_path, "x"):
        pass
