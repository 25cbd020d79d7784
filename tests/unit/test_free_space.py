"""The margin of the disk, with a disk that is made up."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from url_downloader.free_space import FreeSpace
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

MIB = 1 << 20


@dataclass(eq=False)
class File:
    """A file that has so many bytes to come."""

    to_come: int


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> FreeSpace:
    """A disk of 1 GiB with 100 MiB free, of which 64 MiB are to stay so."""
    disk = SimpleNamespace(f_blocks=1024 * 256, f_bavail=100 * 256, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    return FreeSpace(Path("out"), min_free=64 * MIB)


@pytest.mark.parametrize("to_come", [(), (0,), (36 * MIB,), (20 * MIB, 16 * MIB)])
def test_what_fits(space: FreeSpace, to_come: tuple[int, ...]) -> None:
    """Up to the margin, to the byte, the disk takes all that is to come."""
    for size in to_come:
        space.enter(File(size))
    space.check(File(0))


@pytest.mark.parametrize("to_come", [(36 * MIB + 1,), (20 * MIB, 16 * MIB, 1)])
def test_what_does_not_fit(space: FreeSpace, to_come: tuple[int, ...]) -> None:
    """What running downloads have still to write counts before it is written."""
    files = [File(size) for size in to_come]
    for file in files:
        space.enter(file)
    with pytest.raises(AttemptError) as caught:
        space.check(File(0))
    assert caught.value.kind is ErrorKind.DISK_FULL
    assert "out: 100.0 MiB free" in str(caught.value)
    assert "--min-free 64.0 MiB" in str(caught.value)
    files[0].to_come = 0
    space.check(File(0))


def test_what_is_larger_than_the_disk(space: FreeSpace) -> None:
    """A server's word for a file that no such disk can hold fails that file, and no other."""
    file = File(1024 * MIB + 1)
    space.enter(file)
    with pytest.raises(AttemptError) as caught:
        space.check(file)
    assert caught.value.kind is ErrorKind.TOO_LARGE
    assert "1.0 GiB" in str(caught.value)
    space.check(File(0))


def test_who_has_left_does_not_count(space: FreeSpace) -> None:
    """A file that is finished, or given up, needs no room; leaving twice does no harm."""
    file = File(50 * MIB)
    space.enter(file)
    space.leave(file)
    space.leave(file)
    space.check(File(0))


def test_no_margin_is_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 0 the disk is not even looked at."""
    monkeypatch.delattr(os, "statvfs")
    space = FreeSpace(Path("out"), min_free=0)
    space.enter(File(1 << 60))
    space.check(File(0))


def test_who_is_small_does_not_look_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is plenty, the disk is looked at four times a second, and by large files."""
    looks: list[Path] = []

    def look(path: Path) -> SimpleNamespace:
        looks.append(path)
        return SimpleNamespace(f_blocks=1 << 31, f_bavail=1 << 30, f_frsize=4096)

    monkeypatch.setattr(os, "statvfs", look)
    clock = [100.0]
    space = FreeSpace(Path("out"), min_free=64 * MIB, now=lambda: clock[0])
    for _ in range(3):
        space.check(File(1000))
    assert len(looks) == 1
    space.check(File(1 << 30))
    assert len(looks) == 2
    clock[0] += 0.25
    space.check(File(1000))
    assert len(looks) == 3
