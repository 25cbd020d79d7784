"""Free space: the margin that stays free, on a disk whose figures the test sets."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.storage.folder import open_folder
from url_downloader.storage.free_space import CHECK_EVERY, FreeSpace
from url_downloader.storage.missing_features import MissingFeatures

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(eq=False)
class File:
    """A file that is being written.

    Args:
        to_come: Number of bytes that the server still announces; None if it announces none.
        size: Number of bytes written.
    """

    to_come: int | None
    size: int = 0


@dataclass
class Disk:
    """A disk as os.statvfs() describes it.

    Args:
        whole: Size of the disk in bytes.
        free: Free bytes.
        calls: Number of calls of `statvfs`.
    """

    whole: int = GIB
    free: int = 100 * MIB
    calls: int = 0

    def statvfs(self, _: object) -> SimpleNamespace:
        """Return the figures, in place of os.statvfs()."""
        self.calls += 1
        return SimpleNamespace(
            f_blocks=self.whole // KIB, f_bavail=self.free // KIB, f_frsize=KIB
        )


MakeSpace = Callable[..., FreeSpace]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Return a disk of 1 GiB that has 100 MiB free."""
    disk = Disk()
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    return disk


@pytest.fixture
def make(tmp_path: Path) -> MakeSpace:
    """Return a function that makes a FreeSpace, by default with a margin of 64 MiB."""

    def made(min_free: int | None = 64 * MIB, **others: Callable[[], float]) -> FreeSpace:
        folder = open_folder(os.fsencode(tmp_path))
        missing = MissingFeatures("out")
        return FreeSpace(
            folder, path="out", min_free=min_free, missing_features=missing, **others
        )

    return made


def refusal(space: FreeSpace, file: File, arrived: int) -> AttemptError:
    """Return the error that is raised when so many bytes of a file have arrived."""
    with pytest.raises(AttemptError) as caught:
        space.check(file, arrived)
    return caught.value


@pytest.mark.parametrize(
    ("size", "to_come", "arrived"),
    [
        (0, 36 * MIB, 1),
        (0, 36 * MIB, 36 * MIB),
        (9 * GIB, 36 * MIB, MIB),
        (0, None, 36 * MIB),
        (0, 0, 0),
    ],
)
@pytest.mark.usefixtures("disk")
def test_a_file_that_fits(
    make: MakeSpace, size: int, to_come: int | None, *, arrived: int
) -> None:
    """A file is accepted if its announced and arrived bytes leave the margin free."""
    assert make().check(File(to_come, size), arrived) >= arrived


@pytest.mark.parametrize(
    ("file", "arrived", "kind"),
    [
        # Announced bytes that don't fit: the file is too large.
        (File(36 * MIB + 1), 1, ErrorKind.TOO_LARGE),
        (File(GIB + 1), 1, ErrorKind.TOO_LARGE),
        (File(1 << 62), 36 * MIB, ErrorKind.TOO_LARGE),
        # The file's own bytes fill the disk: without the file, there would be room.
        (File(50 * MIB, 30 * MIB), 37 * MIB, ErrorKind.TOO_LARGE),
        # Arrived bytes that don't fit: the disk is full.
        (File(37 * MIB), 36 * MIB + 1, ErrorKind.DISK_FULL),
        (File(None), 36 * MIB + 1, ErrorKind.DISK_FULL),
        (File(None, 50 * MIB), 36 * MIB + 1, ErrorKind.DISK_FULL),
    ],
)
@pytest.mark.usefixtures("disk")
def test_a_file_that_does_not_fit(
    make: MakeSpace, file: File, *, arrived: int, kind: ErrorKind
) -> None:
    """The disk is full if arrived bytes don't fit; announced bytes fail only their own file."""
    space = make()
    space.add_file(file)
    error = refusal(space, file, arrived)
    assert error.kind is kind
    assert "64.0 MiB" in str(error)
    assert space.check(File(10), 10) >= 10


def test_a_disk_with_less_than_the_margin(make: MakeSpace, disk: Disk) -> None:
    """If less than the margin is free, the disk is full for every byte."""
    disk.free = 64 * MIB - KIB
    error = refusal(make(), File(1), 1)
    assert error.kind is ErrorKind.DISK_FULL
    assert str(error) == (
        "out: 64.0 MiB free; 1 B more would leave less than --min-free 64.0 MiB"
    )


@pytest.mark.usefixtures("disk")
def test_announced_bytes_of_other_files(make: MakeSpace) -> None:
    """Bytes that servers announce for other files take no room from a file that arrives."""
    space = make()
    for _ in range(20):
        other = File(36 * MIB)
        space.add_file(other)
        space.check(other, 1)
    assert space.check(File(36 * MIB), 30 * MIB) >= 30 * MIB


@pytest.mark.usefixtures("disk")
def test_the_bytes_of_a_refused_file(make: MakeSpace, disk: Disk) -> None:
    """Of two files that don't fit together, the first check fails; the other file is accepted.

    The bytes of the refused file count as free until its part is removed.
    """
    space, first, second = make(), File(12 * MIB, 13 * MIB), File(12 * MIB, 13 * MIB)
    disk.free = 74 * MIB
    for file in (first, second):
        space.add_file(file)
    assert refusal(space, first, MIB).kind is ErrorKind.TOO_LARGE
    space.check(second, MIB)
    space.remove_file(first)
    assert refusal(space, second, MIB).kind is ErrorKind.TOO_LARGE


def test_the_bytes_up_to_the_next_check(make: MakeSpace, disk: Disk) -> None:
    """All files together may write at most half of the room before their next checks."""
    space, files = make(), [File(None) for _ in range(4)]
    for file in files:
        space.add_file(file)
    assert space.check(files[0], 1) == CHECK_EVERY
    disk.free = 66 * MIB
    assert space.check(files[0], 1) == 256 * KIB
    assert space.check(files[0], MIB) == MIB


@pytest.mark.usefixtures("disk")
def test_a_removed_file(make: MakeSpace) -> None:
    """A file that was removed does not count; a second removal has no effect."""
    space, file = make(), File(50 * MIB)
    space.add_file(file)
    refusal(space, file, 1)
    space.remove_file(file)
    space.remove_file(file)
    space.check(File(36 * MIB), 1)


@pytest.mark.parametrize(
    ("whole", "margin"),
    [
        (20 * MIB, MIB),
        (GIB, GIB // 20),
        (1280 * MIB, 64 * MIB),
        (1 << 50, 64 * MIB),
    ],
)
def test_the_default_margin(make: MakeSpace, disk: Disk, whole: int, *, margin: int) -> None:
    """The default margin is 64 MiB, or a twentieth of the disk if that is less."""
    disk.whole, disk.free = whole, whole
    fits = whole - margin
    make(None).check(File(fits), 1)
    assert refusal(make(None), File(fits + 1), 1).kind is ErrorKind.TOO_LARGE
    # A margin that the user sets does not depend on the size of the disk.
    disk.free = 64 * MIB
    assert refusal(make(64 * MIB), File(1), 1).kind is ErrorKind.DISK_FULL


def test_the_margin_0(make: MakeSpace, disk: Disk) -> None:
    """With a margin of 0, any file is accepted, and the free space is not measured."""
    space, file = make(0), File(1 << 60)
    space.add_file(file)
    space.check(file, 1 << 50)
    assert disk.calls == 0


@pytest.mark.parametrize("has_figures", [False, True])
def test_a_disk_that_does_not_state_its_free_space(
    make: MakeSpace,
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
    package_log: pytest.LogCaptureFixture,
    *,
    has_figures: bool,
) -> None:
    """If statvfs() fails or returns zeros, any file is accepted, and one warning is logged."""
    disk.whole = 0
    if not has_figures:
        monkeypatch.setattr(os, "statvfs", lambda _: Path("/nothing").stat())
    space = make()
    for _ in range(3):
        assert space.check(File(1 << 60), 1) == CHECK_EVERY
    [record] = package_log.records
    assert "--min-free" in record.getMessage()


def test_the_rate_of_measurements(make: MakeSpace, disk: Disk) -> None:
    """With ample room, small files measure it four times a second; large files always do."""
    disk.whole = disk.free = 1 << 50
    clock = [100.0]
    space = make(now=lambda: clock[0])
    for _ in range(3):
        space.check(File(1000), 1000)
        space.check(File(None), 1000)
    assert disk.calls == 1
    space.check(File(GIB), 1000)
    assert disk.calls == 2
    clock[0] += 0.25
    space.check(File(1000), 1000)
    assert disk.calls == 3
