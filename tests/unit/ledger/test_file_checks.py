"""Files that are no ledger of this program: each is refused by name and left as it is."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.ledgers import record_run, success
from url_downloader.ledger import file_checks
from url_downloader.ledger.file_checks import check_file, kept_open
from url_downloader.ledger.ledger import Ledger
from url_downloader.ledger.schema import VERSION
from url_downloader.shared.errors import InputError

Spoil = Callable[[Path], object]

SIZE, VERSION_AT, APPLICATION_AT = 4096, 60, 68


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a ledger with one entry."""
    return record_run(tmp_path / "ledger.db", [success("a")])


def put(path: Path, number: int, *, at: int) -> None:
    """Replace a number in the header of a database."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(struct.pack(">i", number))


def replace_by_database(path: Path) -> None:
    """Replace the file by the database of another program."""
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE entry (id)")


def replace_by_link(path: Path) -> None:
    """Replace the file by a link to it under another name."""
    path.symlink_to(path.rename(path.with_name("other.db")))


def replace_by_folder(path: Path) -> None:
    """Replace the file by a folder."""
    path.unlink()
    path.mkdir()


def replace_by_pipe(path: Path) -> None:
    """Replace the file by a FIFO, whose open would block."""
    path.unlink()
    os.mkfifo(path)


BAD: dict[str, tuple[Spoil, str]] = {
    "newer": (lambda path: put(path, VERSION + 1, at=VERSION_AT), "newer version"),
    "no version": (lambda path: put(path, 0, at=VERSION_AT), "damaged"),
    "foreign": (lambda path: put(path, 1, at=APPLICATION_AT), "another program"),
    "database": (replace_by_database, "another program"),
    "no database": (lambda path: path.write_bytes(b"x" * SIZE), "is not a ledger"),
    "text": (lambda path: path.write_text("list"), "is not a ledger"),
    "truncated": (lambda path: os.truncate(path, SIZE), "cut off"),
    "truncated header": (lambda path: os.truncate(path, 50), "is not a ledger"),
    "empty": (lambda path: os.truncate(path, 0), "is empty"),
    "link": (replace_by_link, "is a link, a folder or a device"),
    "folder": (replace_by_folder, "is a link, a folder or a device"),
    "pipe": (replace_by_pipe, "is a link, a folder or a device"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused(path: Path, name: str) -> None:
    """The message names the file, its fault and the options; not one byte has changed."""
    spoil, fault = BAD[name]
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    files = sorted(each.name for each in path.parent.iterdir())
    with pytest.raises(InputError, match=fault) as raised:
        Ledger(path).open()
    for word in (str(path), "--ledger FILE", "--no-ledger"):
        assert word in str(raised.value)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert sorted(each.name for each in path.parent.iterdir()) == files


def test_an_unreadable_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that the user may not read is no reason to go on without it."""

    def refuse(*_: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InputError, match="can't be read: Permission denied"):
        check_file(path)


def test_a_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a directory of another user, a ledger that this user has not made is refused."""
    own = os.geteuid()
    if own == 0:
        os.chown(path, 12345, -1)
        os.chown(path.parent, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    with pytest.raises(InputError, match="belongs to another user"):
        check_file(path)
    assert check_file(path, is_only_read=True) == VERSION


def test_a_ledger_passes(path: Path) -> None:
    """A ledger of this version is accepted, and a file that is missing is none."""
    assert check_file(path) == VERSION
    assert check_file(path.with_name("missing")) is None
    assert check_file(path / "below-a-file") is None


def test_an_open_file_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While this process has a connection, no second descriptor drops SQLite's locks."""

    def never(_: Path) -> NoReturn:
        raise AssertionError("the header was read")

    monkeypatch.setattr(file_checks, "_header", never)
    with kept_open(path):
        with kept_open(path):
            pass
        assert check_file(path) == VERSION
    with pytest.raises(AssertionError, match="the header was read"):
        check_file(path)


def test_a_second_ledger_keeps_the_locks_of_the_first(path: Path) -> None:
    """Two ledgers of one process on one file: both answer, and the locks of SQLite stay."""
    first, second = Ledger(path), Ledger(path)
    first.open()
    locks = _locks(path)
    second.open()
    try:
        assert locks
        assert locks <= _locks(path)
        assert first.by_name({"a"}) == second.by_name({"a"}) != {}
    finally:
        second.finish(0)
        first.finish(0)


def _locks(path: Path) -> set[str]:
    """Return the locks of processes on the files beside the path, by inode."""
    inodes = {each.stat().st_ino for each in path.parent.iterdir()}
    lines = Path("/proc/locks").read_text("ascii").splitlines()
    return {line.partition(": ")[2] for line in lines if _inode(line) in inodes}


def _inode(line: str) -> int:
    return int(line.split()[-3].rpartition(":")[2])
