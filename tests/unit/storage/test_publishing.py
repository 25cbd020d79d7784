"""Publishing: a finished part gets its final name in one step, or an error says why not."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.support.output_directories import (
    JOB,
    begun,
    hidden_files,
    prepared,
    publish,
    store,
    visible_files,
)
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.file_facts import FileVersion
from url_downloader.shared.models import ErrorKind


def test_an_existing_file_is_replaced_atomically(directory: Path) -> None:
    """The old file is complete until the new one has its name; open readers keep the old."""
    output = prepared(directory)
    target = store(output, data=b"old old old")
    with target.open("rb") as reader:
        part = begun(output)
        part.write(b"new")
        assert target.read_bytes() == b"old old old"
        publish(output, part)
        assert reader.read() == b"old old old"
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077, 0o000])
def test_the_mode_of_a_file(directory: Path, umask: int) -> None:
    """A file has the permissions that the umask allows, like a file that the shell makes."""
    output = prepared(directory)
    before = os.umask(umask)
    try:
        path = store(output)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("planted", ["outside/victim", "outside/new", "outside", "itself"])
def test_a_link_of_the_files_name(directory: Path, outside: Path, planted: str) -> None:
    """A link that has the file's name is replaced, not followed; its target is unchanged."""
    output = prepared(directory)
    target = directory / "file.bin"
    target.symlink_to(target if planted == "itself" else outside.parent / planted)
    store(output)
    assert not target.is_symlink()
    assert target.read_bytes() == b"new"
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["taken", "file/below.bin"])
def test_a_name_that_is_taken(directory: Path, name: str) -> None:
    """A folder of the file's name, or a file of its folder's name, fails the job and stays."""
    output = prepared(directory)
    (directory / "taken").mkdir()
    (directory / "taken/inside").write_bytes(b"kept")
    (directory / "file").write_bytes(b"kept")
    with pytest.raises(AttemptError) as caught:
        store(output, name)
    assert caught.value.kind is ErrorKind.LOCAL
    assert name.partition("/")[0] in caught.value.message
    assert visible_files(directory) == ["file", "taken", "taken/inside"]
    assert (directory / "file").read_bytes() == b"kept"
    assert hidden_files(directory) == []


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_the_lock_during_the_rename(
    directory: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part is locked up to its rename: another run can neither remove nor resume it."""
    output, other = prepared(directory), prepared(directory)
    part = output.create(JOB)
    part.begin('"one"', size)
    part.write(bytes(size))
    real_replace = os.replace

    def replace(*args: Any, **named: Any) -> None:
        other.tidy()
        assert other.reopen(JOB) is None
        real_replace(*args, **named)

    monkeypatch.setattr(os, "replace", replace)
    assert publish(output, part).read_bytes() == bytes(size)


@pytest.mark.parametrize("is_synced", [True, False])
def test_the_order_of_syncs(
    tmp_path: Path, is_synced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --fsync, the file is synced before it has its name, and its folder afterwards.

    The parent of each new folder is synced, too, also that of the output directory.
    """
    directory = tmp_path / "new/out"
    target = directory / "a/b/file.bin"
    synced: list[tuple[int, int, bool]] = []

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        is_folder = stat.S_ISDIR(status.st_mode)
        synced.append((status.st_ino, -1 if is_folder else status.st_size, target.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    output = prepared(directory, is_synced=is_synced)
    for name in ("a/b/file.bin", "a/b/other.bin"):
        part = begun(output)
        part.write(b"abc")
        output.publish(part, name, version=FileVersion(1e9, None), replaces=True)
    folders = (tmp_path, tmp_path / "new", directory, directory / "a", directory / "a/b")
    top, new, out, a, b = (folder.stat().st_ino for folder in folders)
    file, other = target.stat().st_ino, target.with_name("other.bin").stat().st_ino
    expected = [
        *((top, -1, False), (new, -1, False)),
        *((file, 3, False), (out, -1, False), (a, -1, False), (b, -1, True)),
        *((other, 3, True), (b, -1, True)),
    ]
    assert synced == (expected if is_synced else [])


def other_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have renames from one folder to another fail, as between two file systems."""
    real_replace = os.replace

    def replace(source: Any, target: Any, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        if src_dir_fd != dst_dir_fd:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real_replace(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "replace", replace)


def test_a_folder_on_another_file_system(
    directory: Path, monkeypatch: pytest.MonkeyPatch, package_log: pytest.LogCaptureFixture
) -> None:
    """The part is copied with its time, then removed; a run logs one warning."""
    output = prepared(directory)
    other_file_system(monkeypatch)
    for name in ("a/file.bin", "a/other.bin"):
        part = begun(output)
        part.write(b"abc" * (1 << 20))
        version = FileVersion(1e9, None)
        path = Path(output.publish(part, name, version=version, replaces=True).path)
        assert (path.read_bytes(), path.stat().st_mtime) == (b"abc" * (1 << 20), 1e9)
    assert visible_files(directory) == ["a", "a/file.bin", "a/other.bin"]
    assert hidden_files(directory) == []
    [record] = package_log.records
    assert "files are copied" in record.getMessage()


def test_a_copy_that_fails(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the copy lacks bytes of the part, the old file stays, and the copy is removed."""
    output = prepared(directory)
    store(output, data=b"old")
    other_file_system(monkeypatch)
    monkeypatch.setattr("url_downloader.storage.publishing.write_all", lambda *_: None)
    with pytest.raises(AttemptError) as caught:
        store(output)
    assert caught.value.kind is ErrorKind.LOCAL
    assert (directory / "file.bin").read_bytes() == b"old"
    assert visible_files(directory) == ["file.bin"]
    assert hidden_files(directory) == []
