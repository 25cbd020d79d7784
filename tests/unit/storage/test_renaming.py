"""Renaming to a new name, and publishing beside another run: no file of it is replaced."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.output_directories import begun, prepared
from url_downloader.shared.errors import NameTakenError
from url_downloader.shared.file_facts import FileVersion
from url_downloader.storage import file_age, renaming
from url_downloader.storage.renaming import rename_new

VERSION = FileVersion(None, None)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    """Return the descriptor of a folder with the files `old` and `other`."""
    (tmp_path / "old").write_text("old")
    (tmp_path / "other").write_text("other")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture(params=["renameat2", "no such function", "EINVAL", "ENOSYS"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a system that can, or can't, rename to a new name in one step."""
    if request.param == "no such function":
        monkeypatch.setattr(renaming, "_renameat2", lambda: (None, lambda: 0))
    elif request.param != "renameat2":
        number = getattr(errno, request.param)
        monkeypatch.setattr(renaming, "_renameat2", lambda: (lambda *_: -1, lambda: number))


@pytest.mark.usefixtures("system")
def test_a_new_name(folder: int, tmp_path: Path) -> None:
    """A file gets a name that nothing has; any name that is taken is left alone."""
    rename_new("old", b"new", src_dir_fd=folder, dst_dir_fd=folder)
    assert (tmp_path / "new").read_text() == "old"
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    for taken in (b"other", b"link", b"folder"):
        with pytest.raises(FileExistsError):
            rename_new("new", taken, src_dir_fd=folder, dst_dir_fd=folder)
    assert (tmp_path / "other").read_text() == "other"
    assert sorted(os.listdir(tmp_path)) == ["folder", "link", "new", "other"]  # noqa: PTH208


def test_other_errors(folder: int) -> None:
    """Another error of the system is passed on with its number."""
    with pytest.raises(FileNotFoundError):
        rename_new("missing", b"new", src_dir_fd=folder, dst_dir_fd=folder)


def test_a_file_that_has_appeared(directory: Path) -> None:
    """A file that is younger than the run is not replaced, unless that is allowed."""
    output = prepared(directory)
    wait_for_a_tick(directory)
    (directory / "file").write_text("of another run")
    part = begun(output)
    part.write(b"new")
    with pytest.raises(NameTakenError) as caught:
        output.publish(part, "file", version=VERSION, replaces=False)
    assert not caught.value.age.is_older
    assert (directory / "file").read_text() == "of another run"
    published = output.publish(part, "file", version=VERSION, replaces=True)
    assert (directory / "file").read_bytes() == b"new"
    assert published.mtime_ns == (directory / "file").stat().st_mtime_ns


def test_a_file_that_is_older_than_the_run(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was there before the run is replaced; a new name is given as well.

    For a file that is only a little older, that is to be asked first.
    """
    directory.mkdir(exist_ok=True)
    (directory / "file").write_text("old")
    wait_for_a_tick(directory)
    output = prepared(directory)
    part = begun(output)
    with pytest.raises(NameTakenError) as caught:
        output.publish(part, "file", version=VERSION, replaces=False)
    assert caught.value.age.is_older
    part.discard()
    monkeypatch.setattr(file_age, "RECORDING_TIME", 0)
    for name in ("file", "new"):
        part = begun(output)
        part.write(b"new")
        output.publish(part, name, version=VERSION, replaces=False)
        assert (directory / name).read_bytes() == b"new"


def wait_for_a_tick(directory: Path) -> None:
    """Wait until a new file is younger than all earlier ones: file systems round times."""
    probe = directory / "probe"
    probe.touch()
    before = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == before:
        time.sleep(0.001)
        probe.unlink()
        probe.touch()
    probe.unlink()
