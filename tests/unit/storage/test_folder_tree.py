"""Folders of the output directory: they are made, found again, and never outside of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.output_directories import (
    descriptor_count,
    hidden_files,
    prepared,
    store,
)
from url_downloader.config.settings import OutputSettings
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.storage.folder_tree import MAX_PATH, OPEN_FOLDERS
from url_downloader.storage.output_directory import OutputDirectory


def test_a_missing_directory(tmp_path: Path) -> None:
    """The directory is made with its parents; a second run leaves the files in it unchanged."""
    directory = tmp_path / "a/b/c"
    prepared(directory).tidy()
    (directory / "kept").write_bytes(b"kept")
    prepared(directory).tidy()
    assert [path.name for path in directory.iterdir()] == ["kept"]


@pytest.mark.parametrize("below", ["link/file.bin", "link/victim", "link/deep/er/file.bin"])
def test_a_link_that_leads_out(directory: Path, outside: Path, below: str) -> None:
    """Through a link to a folder outside, no file is written or replaced, no folder made."""
    output = prepared(directory)
    (directory / "link").symlink_to(outside)
    with pytest.raises(AttemptError, match="out of the output directory") as caught:
        store(output, below)
    assert caught.value.kind is ErrorKind.LOCAL
    assert [path.name for path in outside.rglob("*")] == ["victim"]
    assert (outside / "victim").read_bytes() == b"precious"
    assert hidden_files(directory) == []


def test_links_that_stay_inside(directory: Path, tmp_path: Path) -> None:
    """The directory may be a link, and a link in it may lead to another folder in it."""
    directory.mkdir()
    alias = tmp_path / "alias"
    alias.symlink_to(directory)
    output = prepared(alias)
    (directory / "real").mkdir()
    (directory / "link").symlink_to("real")
    store(output, "link/file.bin")
    assert (directory / "real/file.bin").read_bytes() == b"new"


@pytest.mark.parametrize("act", ["remove", "move", "replace", "link inside"])
def test_a_folder_that_is_moved_or_removed(directory: Path, act: str) -> None:
    """The folder is made or opened again: a later file is where its path leads."""
    output = prepared(directory)
    folder = store(output, "a/b/first").parent
    if act == "remove":
        shutil.rmtree(folder.parent)
    else:
        folder.rename(directory / "moved")
    if act == "replace":
        folder.mkdir()
    if act == "link inside":
        (directory / "other").mkdir()
        folder.symlink_to(directory / "other")
    path = store(output, "a/b/second")
    assert path.read_bytes() == b"new"
    assert not (directory / "moved/second").exists()


def test_a_folder_that_a_link_replaces(directory: Path, outside: Path) -> None:
    """If a link that leads out replaces a folder in use, no file is stored or found there."""
    output = prepared(directory)
    store(output, "a/b/first")
    (directory / "a/b").rename(directory / "moved")
    (directory / "a/b").symlink_to(outside)
    for name in ("a/b/second", "a/b/c/third", "a/b/victim"):
        with pytest.raises(AttemptError, match="/a/b leads out"):
            store(output, name)
    with pytest.raises(AttemptError, match="/a/b leads out"):
        output.existing("a/b/victim")
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_bytes() == b"precious"


def test_the_longest_path(directory: Path) -> None:
    """A file whose path has the system's greatest length is stored; a longer path fails."""
    output = prepared(directory)
    room = MAX_PATH - len(os.fsencode(directory)) - len("/file")
    deep = "/".join("d" * ((room + 1) // 2 - 10))
    assert store(output, f"{deep}/file").read_bytes() == b"new"
    with pytest.raises(AttemptError, match="File name too long"):
        store(output, f"{deep}/{'n' * 30}/file")
    # shutil.rmtree() of Python 3.11 fails in folders as deep as these.
    subprocess.run(["rm", "-r", str(directory / "d")], check=True)


def test_the_number_of_open_folders(directory: Path) -> None:
    """A run keeps few folders open, however many it writes to, and none after its end."""
    before = descriptor_count()
    with OutputDirectory(OutputSettings(directory=directory)) as output:
        for n in range(50):
            store(output, f"{n % 20}/{n}/file")
            assert descriptor_count() - before <= OPEN_FOLDERS + 2
    assert descriptor_count() == before
