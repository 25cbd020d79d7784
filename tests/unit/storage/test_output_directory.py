"""Output directories from the first file to the end of a run, on a real disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.jobs import make_job
from tests.support.output_directories import (
    JOB,
    begun,
    descriptor_count,
    hidden_files,
    prepared,
    publish,
    store,
    visible_files,
)
from url_downloader.config.settings import OutputSettings
from url_downloader.shared.errors import AttemptError, OutputError
from url_downloader.shared.file_facts import FileVersion
from url_downloader.storage.output_directory import PARTS_FOLDER, OutputDirectory


@pytest.mark.parametrize("name", ["file.bin", "a/b/c.bin", "sp ace", "ü.bin", "-x", "n" * 255])
def test_a_published_file(directory: Path, name: str) -> None:
    """publish() makes the folders of the file, and returns its path; the file has all bytes."""
    output = prepared(directory)
    part = begun(output)
    for data in (b"abc", b"", b"de"):
        part.write(data)
    assert part.size == 5
    path = publish(output, part, name)
    assert path == directory / name
    assert path.read_bytes() == b"abcde"


def test_an_empty_file(directory: Path) -> None:
    """A part to which nothing was written is published as a file of 0 bytes."""
    output = prepared(directory)
    path = publish(output, begun(output))
    assert path.read_bytes() == b""


def test_a_part_before_it_is_published(directory: Path) -> None:
    """An unfinished file is in the hidden folder alone, and a finished one is not in it."""
    output = prepared(directory)
    part = begun(output)
    part.write(bytes(1 << 20))
    assert [name for name in visible_files(directory) if name != "a"] == []
    publish(output, part, "a/file.bin")
    assert visible_files(directory) == ["a", "a/file.bin"]
    assert hidden_files(directory) == []


def test_parts_of_several_jobs(directory: Path) -> None:
    """Each of several open parts has its own bytes, and is published or discarded by itself."""
    output = prepared(directory)
    parts = [begun(output, make_job(n)) for n in range(4)]
    for n, part in enumerate(parts):
        part.write(b"%d" % n * 1000)
    parts[0].discard()
    for n, part in enumerate(parts[1:], start=1):
        publish(output, part, f"{n}.bin")
    assert visible_files(directory) == ["1.bin", "2.bin", "3.bin"]
    assert all((directory / f"{n}.bin").read_bytes() == b"%d" % n * 1000 for n in (1, 2, 3))


def test_the_hidden_folder_after_a_run(directory: Path) -> None:
    """tidy() removes the hidden folder if it is empty; calling it again has no effect."""
    output = prepared(directory)
    store(output)
    output.tidy()
    assert [path.name for path in directory.iterdir()] == ["file.bin"]
    output.tidy()


def test_the_hidden_folder_with_an_open_part(directory: Path) -> None:
    """tidy() leaves the part of an attempt that has not ended."""
    output = prepared(directory)
    part = begun(output)
    output.tidy()
    assert len(hidden_files(directory)) == 1
    assert publish(output, part).exists()


@pytest.mark.parametrize(
    "place",
    ["file", "file/below", "dangling/below", "loop", "loop/below", "/proc/nothing", "/proc/1"],
)
def test_a_directory_that_can_t_be_used(tmp_path: Path, place: str) -> None:
    """If the path is no directory, or takes no files, the error names the path and --dir."""
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "dangling").symlink_to("/proc/nothing")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError, match="--dir") as caught:
        prepared(tmp_path / place)
    assert str(tmp_path / place) in str(caught.value)
    assert (tmp_path / "file").read_bytes() == b"kept"


def test_a_part_that_outlives_its_run(directory: Path) -> None:
    """After a run, a thread may still write to its part; it can't make or publish one.

    When the part is discarded, no descriptor is open and no file is left.
    """
    before = descriptor_count()
    with OutputDirectory(OutputSettings(directory=directory)) as output:
        part = begun(output)
    part.write(b"late")
    with pytest.raises(AttemptError, match="the run has ended"):
        publish(output, part)
    with pytest.raises(AttemptError, match="the run has ended"):
        output.create(JOB)
    part.discard()
    del part
    assert descriptor_count() == before
    assert (visible_files(directory), hidden_files(directory)) == ([], [])


def test_has_leftovers(directory: Path) -> None:
    """has_leftovers is true once a part is kept that can be resumed."""
    with OutputDirectory(OutputSettings(directory=directory)) as output:
        for size, is_kept in ((10, False), (1 << 20, True)):
            assert not output.has_leftovers
            part = output.create(JOB)
            part.begin('"v1"', None)
            part.write(bytes(size))
            assert part.keep() is is_kept
        assert output.has_leftovers


def test_two_runs_in_one_process(directory: Path) -> None:
    """Two runs of a program in one directory have no effect on each other's files."""
    with OutputDirectory(OutputSettings(directory=directory)) as first:
        part = begun(first)
        part.write(b"first")
        with OutputDirectory(OutputSettings(directory=directory)) as second:
            store(second, "second.bin", data=b"second")
        store(first, "third.bin", data=b"third")
        publish(first, part)
    assert sorted(path.name for path in directory.iterdir()) == [
        *("file.bin", "second.bin", "third.bin")
    ]


def test_a_hidden_folder_that_is_removed_during_the_run(directory: Path) -> None:
    """The run makes the hidden folder again, and later files are stored."""
    output = prepared(directory)
    store(output)
    shutil.rmtree(directory / PARTS_FOLDER)
    assert store(output, "next.bin").read_bytes() == b"new"


def test_a_name_that_the_locale_lacks(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's name is UTF-8 in any locale; os.fsencode() of its path returns this name."""
    output = prepared(directory)
    monkeypatch.setattr(os, "fsdecode", lambda data: data.decode("latin-1"))
    part, version = output.create(JOB), FileVersion(None, None)
    path = output.publish(part, "文件", version=version, replaces=True).path
    assert path == f"{directory}/文件".encode().decode("latin-1")
    assert (directory / "文件").exists()
