"""The margin of the disk, with a disk that is made up."""

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
    """A file of so many bytes, with so many to come."""

    to_come: int | None
    size: int = 0


@dataclass
class Disk:
    """Room of a disk, as statvfs gives it."""

    whole: int = GIB
    free: int = 100 * MIB
    looks: int = 0

    def look(self, _: object) -> SimpleNamespace:
        """Stand in for os.statvfs."""
        self.looks += 1
        return SimpleNamespace(
            f_blocks=self.whole // KIB, f_bavail=self.free // KIB, f_frsize=KIB
        )


MakeSpace = Callable[..., FreeSpace]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk of 1 GiB with 100 MiB free."""
    disk = Disk()
    monkeypatch.setattr(os, "statvfs", disk.look)
    return disk


@pytest.fixture
def make(tmp_path: Path) -> MakeSpace:
    """Make the margin's keeper; 64 MiB unless said otherwise."""

    def made(min_free: int | None = 64 * MIB, **others: Callable[[], float]) -> FreeSpace:
        folder = open_folder(os.fsencode(tmp_path))
        lacks = MissingFeatures("out")
        return FreeSpace(
            folder, path="out", min_free=min_free, missing_features=lacks, **others
        )

    return made


def refused(space: FreeSpace, file: File, coming: int) -> AttemptError:
    """Return how the bytes are refused."""
    with pytest.raises(AttemptError) as caught:
        space.check(file, coming)
    return caught.value


@pytest.mark.parametrize(
    ("size", "to_come", "coming"),
    [
        (0, 36 * MIB, 1),
        (0, 36 * MIB, 36 * MIB),
        (9 * GIB, 36 * MIB, MIB),
        (0, None, 36 * MIB),
        (0, 0, 0),
    ],
)
@pytest.mark.usefixtures("disk")
def test_what_fits(make: MakeSpace, size: int, to_come: int | None, *, coming: int) -> None:
    """Up to the margin, to the byte, the disk takes all that is to come."""
    assert make().check(File(to_come, size), coming) >= coming


@pytest.mark.parametrize(
    ("file", "coming", "kind"),
    [
        # What a server says is held against its own file.
        (File(36 * MIB + 1), 1, ErrorKind.TOO_LARGE),
        (File(GIB + 1), 1, ErrorKind.TOO_LARGE),
        (File(1 << 62), 36 * MIB, ErrorKind.TOO_LARGE),
        # If it went, there would be room for others.
        (File(50 * MIB, 30 * MIB), 37 * MIB, ErrorKind.TOO_LARGE),
        # Bytes that have come, and find no room.
        (File(37 * MIB), 36 * MIB + 1, ErrorKind.DISK_FULL),
        (File(None), 36 * MIB + 1, ErrorKind.DISK_FULL),
        (File(None, 50 * MIB), 36 * MIB + 1, ErrorKind.DISK_FULL),
    ],
)
@pytest.mark.usefixtures("disk")
def test_what_does_not_fit(
    make: MakeSpace, file: File, *, coming: int, kind: ErrorKind
) -> None:
    """The disk is full when bytes have come that find no room; a promise fails its own file."""
    space = make()
    space.add_file(file)
    error = refused(space, file, coming)
    assert error.kind is kind
    assert "64.0 MiB" in str(error)
    assert space.check(File(10), 10) >= 10


def test_less_than_the_margin_is_full(make: MakeSpace, disk: Disk) -> None:
    """Where the margin is gone already, every byte finds the disk full."""
    disk.free = 64 * MIB - KIB
    error = refused(make(), File(1), 1)
    assert error.kind is ErrorKind.DISK_FULL
    assert str(error) == (
        "out: 64.0 MiB free; 1 B more would leave less than --min-free 64.0 MiB"
    )


@pytest.mark.usefixtures("disk")
def test_promises_of_others_do_not_count(make: MakeSpace) -> None:
    """Files that servers say are as large as all the room leave it to one that comes."""
    space = make()
    for _ in range(20):
        liar = File(36 * MIB)
        space.add_file(liar)
        space.check(liar, 1)
    assert space.check(File(36 * MIB), 30 * MIB) >= 30 * MIB


@pytest.mark.usefixtures("disk")
def test_the_bytes_of_a_refused_file_are_free_again(make: MakeSpace, disk: Disk) -> None:
    """Of two files that together don't fit, the first to see it goes, and the other stays."""
    space, first, second = make(), File(12 * MIB, 13 * MIB), File(12 * MIB, 13 * MIB)
    disk.free = 74 * MIB
    for file in (first, second):
        space.add_file(file)
    assert refused(space, first, MIB).kind is ErrorKind.TOO_LARGE
    space.check(second, MIB)
    space.remove_file(first)
    assert refused(space, second, MIB).kind is ErrorKind.TOO_LARGE


def test_files_ask_more_often_where_room_is_short(make: MakeSpace, disk: Disk) -> None:
    """All that may be written before anybody asks again is at most half of the room."""
    space, files = make(), [File(None) for _ in range(4)]
    for file in files:
        space.add_file(file)
    assert space.check(files[0], 1) == CHECK_EVERY
    disk.free = 66 * MIB
    assert space.check(files[0], 1) == 256 * KIB
    assert space.check(files[0], MIB) == MIB


@pytest.mark.usefixtures("disk")
def test_who_has_left_does_not_count(make: MakeSpace) -> None:
    """A file that is finished, or given up, is forgotten; leaving twice does no harm."""
    space, file = make(), File(50 * MIB)
    space.add_file(file)
    refused(space, file, 1)
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
def test_the_margin_that_nobody_named(
    make: MakeSpace, disk: Disk, whole: int, *, margin: int
) -> None:
    """64 MiB, or a twentieth of the file system if that is less."""
    disk.whole, disk.free = whole, whole
    fits = whole - margin
    make(None).check(File(fits), 1)
    assert refused(make(None), File(fits + 1), 1).kind is ErrorKind.TOO_LARGE
    # A value of the user is taken as it is.
    disk.free = 64 * MIB
    assert refused(make(64 * MIB), File(1), 1).kind is ErrorKind.DISK_FULL


def test_no_margin_is_no_check(make: MakeSpace, disk: Disk) -> None:
    """With 0 the disk is not even looked at."""
    space, file = make(0), File(1 << 60)
    space.add_file(file)
    space.check(file, 1 << 50)
    assert disk.looks == 0


@pytest.mark.parametrize("has_figures", [False, True])
def test_a_disk_that_says_nothing(
    make: MakeSpace,
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    has_figures: bool,
) -> None:
    """Without figures, or with none but zeros, all fits, and one warning says so."""
    disk.whole = 0
    if not has_figures:
        monkeypatch.setattr(os, "statvfs", lambda _: Path("/nothing").stat())
    space = make()
    for _ in range(3):
        assert space.check(File(1 << 60), 1) == CHECK_EVERY
    [record] = caplog.records
    assert "--min-free" in record.getMessage()


def test_who_is_small_does_not_look_again_and_again(make: MakeSpace, disk: Disk) -> None:
    """Where there is plenty, the disk is looked at four times a second, and by large files."""
    disk.whole = disk.free = 1 << 50
    clock = [100.0]
    space = make(now=lambda: clock[0])
    for _ in range(3):
        space.check(File(1000), 1000)
        space.check(File(None), 1000)
    assert disk.looks == 1
    space.check(File(GIB), 1000)
    assert disk.looks == 2
    clock[0] += 0.25
    space.check(File(1000), 1000)
    assert disk.looks == 3
