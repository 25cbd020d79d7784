"""The spool of a list: what it is until the list is complete, and what becomes of it then."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from url_downloader.reports.list_spool import ListSpool, write_list
from url_downloader.shared.errors import OutputError


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path of a list that an earlier run has written."""
    path = tmp_path / "list"
    path.write_text("old")
    return path


@contextmanager
def open_spool(path: Path, *texts: str) -> Iterator[ListSpool]:
    """Open a spool for the block, and append these texts."""
    with closing(ListSpool(path)) as spool:
        for text in texts:
            os.write(spool.descriptor, text.encode())
        yield spool


def names_in(folder: Path) -> set[str]:
    """Return the names of all files in the folder."""
    return {path.name for path in folder.iterdir()}


def test_the_list_is_replaced_in_one_step(target: Path) -> None:
    """The old list stays until the new one is complete, which only its owner may read.

    A link stays a link, and no other file is left.
    """
    link = target.with_name("link")
    link.symlink_to(target)

    def rest() -> Sequence[str]:
        assert target.read_text() == "old"
        return ["long ", "list\xe4\r\n"]

    with open_spool(link, "a ", "very ") as spool:
        spool.finish(text for text in rest())
    assert link.is_symlink()
    assert target.read_bytes() == "a very long list\xe4\r\n".encode()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert names_in(target.parent) == {"list", "link"}


def test_a_list_that_was_not_there(tmp_path: Path) -> None:
    """A run without failures leaves an empty list, also if there was none before."""
    with open_spool(tmp_path / "list") as spool:
        spool.finish([])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"list": ""}


def test_the_spool_is_recognised(target: Path) -> None:
    """The spool is a hidden file whose name has the names of the list and the program."""
    with open_spool(target, "text"):
        (spool,) = names_in(target.parent) - {"list"}
        assert spool == ".list.url-downloader-1.tmp"
        assert stat.S_IMODE((target.parent / spool).stat().st_mode) == 0o600
        assert (target.parent / spool).read_text() == "text"


@pytest.mark.parametrize("name", ["x" * 255, "\xe4" * 127, "\U0001f600" * 63])
def test_a_long_name(tmp_path: Path, name: str) -> None:
    """The list may have the longest name that a file can have."""
    with open_spool(tmp_path / name, "text") as spool:
        spool.finish([])
    assert names_in(tmp_path) == {name}


def test_a_run_that_fails_leaves_the_old_list(target: Path) -> None:
    """A spool that is closed before its end is removed."""
    with open_spool(target, "text"):
        pass
    assert target.read_text() == "old"
    assert names_in(target.parent) == {"list"}


def test_an_error_leaves_the_old_list(target: Path) -> None:
    """After an error while the rest is written, only the old list is there."""
    with pytest.raises(ZeroDivisionError), open_spool(target, "text") as spool:
        spool.finish(f"{1 // number}" for number in (1, 0))
    assert target.read_text() == "old"
    assert names_in(target.parent) == {"list"}


def spool_of(target: Path) -> Path:
    """Return the path of the first spool of a list."""
    return target.with_name(f".{target.name}.url-downloader-1.tmp")


def leave_spool(target: Path) -> Path:
    """Leave the spool of a run that was killed; return its path."""
    path = spool_of(target)
    path.write_text("left")
    path.chmod(0o600)
    return path


def test_the_spool_of_a_killed_run_is_removed(target: Path) -> None:
    """The next run that writes the same list removes it, and another list's run does not."""
    left = leave_spool(target)
    with open_spool(target.with_name("other")):
        assert left.read_text() == "left"
    with open_spool(target, "new") as spool:
        assert left.read_text() == "new"
        spool.finish([])
    assert names_in(target.parent) == {"list"}


def test_two_runs_write_the_same_list(target: Path) -> None:
    """The spool of a run that goes on stays; the list is that of the run that ends last."""
    with open_spool(target, "first") as first, open_spool(target, "second") as second:
        assert len(names_in(target.parent)) == 3
        second.finish([])
        assert target.read_text() == "second"
        first.finish([])
    assert target.read_text() == "first"
    assert names_in(target.parent) == {"list"}


def plant_link(path: Path) -> None:
    """Make a link to the list at the path."""
    path.symlink_to(path.with_name("list"))


def plant_file(path: Path) -> None:
    """Make a file at the path that all users may read."""
    path.write_text("not a spool")
    path.chmod(0o644)


@pytest.mark.parametrize("plant", [plant_link, plant_file, Path.mkdir, os.mkfifo])
def test_other_files_are_no_spools(target: Path, plant: Callable[[Path], None]) -> None:
    """A file of the spool's name that no run has left stays, and is not written to."""
    path = spool_of(target)
    plant(path)
    before = path.lstat()
    with open_spool(target, "new") as spool:
        assert target.read_text() == "old"
        spool.finish([])
    assert path.lstat() == before
    assert target.read_text() == "new"


@pytest.mark.parametrize("is_left", [False, True])
def test_a_file_system_without_locks(
    target: Path, monkeypatch: pytest.MonkeyPatch, *, is_left: bool
) -> None:
    """The list is written without a lock; a spool of unknown use stays."""

    def flock(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    others = {leave_spool(target).name} if is_left else set()
    with open_spool(target, "new") as spool:
        spool.finish([])
    assert target.read_text() == "new"
    assert names_in(target.parent) == {"list", *others}


def test_a_folder_that_was_replaced(tmp_path: Path) -> None:
    """The whole list goes to the new folder; what is in the old one is left alone."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with open_spool(folder / "list", "whole ") as spool:
        folder.rename(tmp_path / "old")
        folder.mkdir()
        spool.finish(["list"])
    assert (folder / "list").read_text() == "whole list"
    assert names_in(folder) == {"list"}


def test_a_spool_that_was_removed(target: Path) -> None:
    """A spool that another program removes is written again."""
    with open_spool(target, "whole ") as spool:
        spool_of(target).unlink()
        spool.finish(["list"])
    assert target.read_text() == "whole list"
    assert names_in(target.parent) == {"list"}


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """The list can't be written, and the folder is not made again."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with open_spool(folder / "list", "text") as spool:
        folder.rename(tmp_path / "old")
        with pytest.raises(FileNotFoundError):
            spool.finish([])
    assert names_in(tmp_path) == {"old"}


def test_pipes_and_devices_stay(tmp_path: Path) -> None:
    """A pipe gets the whole list at the end, and is not replaced."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_text()))
    reader.start()
    with open_spool(fifo, "a ") as spool:
        assert names_in(tmp_path) == {"fifo"}
        spool.finish(["list"])
    reader.join()
    assert got == ["a list"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_file_in_place_of_a_pipe(tmp_path: Path) -> None:
    """A pipe that has become a file during the run is replaced as any file."""
    path = tmp_path / "path"
    os.mkfifo(path)
    with open_spool(path, "a ") as spool:
        path.unlink()
        spool.finish(["list"])
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"path": "a list"}


def test_a_list_without_its_spool(target: Path) -> None:
    """A list that is written anew replaces the old one in one step, too."""
    with open_spool(target, "not wanted"):
        write_list(target, ["a ", "list"])
        assert target.read_text() == "a list"
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with pytest.raises(ZeroDivisionError):
        write_list(target, (f"{1 // number}" for number in (1, 0)))
    assert {each.name: each.read_text() for each in target.parent.iterdir()} == {
        "list": "a list"
    }


@pytest.mark.parametrize("name", ["missing/list", "."])
def test_a_path_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    """The error comes before anything is downloaded."""
    with pytest.raises(OutputError, match=r"can't be written there: \w"):
        ListSpool(tmp_path / name)
    assert names_in(tmp_path) == set()
