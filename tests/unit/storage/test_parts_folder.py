"""Hidden folder for parts: locks, leftovers, and files that another user has planted there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path

import pytest

from tests.support.output_directories import (
    ETAG,
    V1,
    assert_starts_over,
    begun,
    hidden_files,
    keep_part,
    known_part,
    prepared,
    reopened,
    store,
)
from url_downloader.shared.errors import AttemptError, OutputError
from url_downloader.storage.folder import open_folder
from url_downloader.storage.missing_features import MissingFeatures
from url_downloader.storage.output_directory import PARTS_FOLDER
from url_downloader.storage.parts_folder import PartsFolder


def test_a_file_of_the_folders_name(directory: Path) -> None:
    """A file that has the hidden folder's name is an error before the run begins."""
    directory.mkdir()
    (directory / PARTS_FOLDER).write_bytes(b"")
    with pytest.raises(OutputError):
        prepared(directory)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_the_mode_of_a_part(directory: Path, umask: int) -> None:
    """A part has the permissions of the finished file; only this user may enter the folder."""
    before = os.umask(umask)
    try:
        part = reopened(directory)
    finally:
        os.umask(before)
    folder = directory / PARTS_FOLDER
    assert stat.S_IMODE((folder / part.name).stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    part.discard()


def test_a_link_of_a_parts_name(directory: Path, outside: Path) -> None:
    """If an attacker guesses a part's name, a link of that name is not followed."""
    output = prepared(directory)
    part = begun(output)
    [place] = hidden_files(directory)
    part.discard()
    place.unlink(missing_ok=True)
    place.symlink_to(outside / "victim")
    with contextlib.suppress(AttemptError):
        path = store(output)
        assert not path.is_symlink()
    assert (outside / "victim").read_bytes() == b"precious"


def plant(place: Path, kind: str) -> None:
    """Make something at a path where a run would make a file of its own."""
    precious = place.parent.parent / "precious"
    precious.write_bytes(V1)
    match kind:
        case "link":
            place.symlink_to(precious)
        case "link to nowhere":
            place.symlink_to("nowhere")
        case "second name":
            place.hardlink_to(precious)
        case "FIFO":
            os.mkfifo(place)
        case "directory":
            place.mkdir()
            (place / "inside").write_bytes(b"precious")


@pytest.mark.leaves_parts
@pytest.mark.parametrize("suffix", [".part", ".json", ".draft"])
@pytest.mark.parametrize(
    "kind", ["link", "link to nowhere", "second name", "FIFO", "directory"]
)
def test_a_planted_file(directory: Path, kind: str, suffix: str) -> None:
    """No planted file is followed, written to or waited for, and the run stores its file."""
    keep_part(directory)
    path = known_part(directory)
    if suffix == ".draft":
        path.with_suffix(".json").unlink()
    place = path.with_suffix(suffix)
    place.unlink(missing_ok=True)
    plant(place, kind)
    assert_starts_over(directory)
    prepared(directory).tidy()
    assert (directory / "precious").read_bytes() == V1
    assert not (path.parent / "nowhere").exists()
    if kind == "directory":
        assert (place / "inside").read_bytes() == b"precious"


@pytest.mark.parametrize("act", ["publish", "remove", "replace"])
def test_a_part_that_changes_before_it_is_locked(
    directory: Path, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that another run publishes or removes between open and lock is not written to."""
    prepared(directory)
    path, target = known_part(directory), directory / "file"
    parts = PartsFolder(
        open_folder(os.fsencode(directory)),
        PARTS_FOLDER,
        path="parts",
        missing_features=MissingFeatures("out"),
    )
    path.write_bytes(b"whole")
    real_flock = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        monkeypatch.undo()
        if act == "publish":
            path.replace(target)
        else:
            path.unlink()
        if act == "replace":
            path.write_bytes(b"of another")
        real_flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    descriptor = parts.lock_part(path.name, may_create=True)
    assert descriptor is not None
    assert os.path.samestat(os.fstat(descriptor), path.stat())
    os.close(descriptor)
    assert path.read_bytes() == (b"of another" if act == "replace" else b"")
    assert act != "publish" or target.read_bytes() == b"whole"
    path.unlink()


def test_leftovers(directory: Path) -> None:
    """tidy() keeps a part that has a note, and removes a part without one."""
    prepared(directory).tidy()
    assert not (directory / PARTS_FOLDER).exists()
    note_path = keep_part(directory)
    prepared(directory).tidy()
    assert known_part(directory).exists()
    note_path.unlink()
    prepared(directory).tidy()
    assert not known_part(directory).exists()


@pytest.mark.parametrize("is_second", [False, True])
def test_a_part_that_another_run_writes(directory: Path, is_second: bool) -> None:
    """tidy() leaves a part that another run writes, even before it has a note.

    `is_second` is whether two other runs have a part for the same URL.
    """
    first = reopened(directory)
    part = reopened(directory) if is_second else first
    part.begin(ETAG, None)
    part.write(b"abc")
    prepared(directory).tidy()
    assert (directory / PARTS_FOLDER / part.name).exists()
    for each in {part, first}:
        each.discard()
