"""A ledger is made whole or not at all, migrated, and read where nothing can be written."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.ledgers import record_run, success
from url_downloader.ledger import database, schema
from url_downloader.ledger.database import create_file, open_reader, open_writer
from url_downloader.ledger.file_checks import check_file
from url_downloader.ledger.ledger import Ledger
from url_downloader.shared.errors import InputError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a ledger that does not exist yet."""
    return tmp_path / "ledger.db"


def names(path: Path) -> list[str]:
    """Return the names of the entries."""
    with closing(open_reader(path)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM entry ORDER BY id")]


def test_a_new_ledger(path: Path) -> None:
    """A new ledger is complete, for its owner only, and alone in the folder."""
    create_file(path)
    assert check_file(path) == schema.VERSION
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [*path.parent.iterdir()] == [path]


def test_files_beside_a_ledger_are_for_its_owner(path: Path) -> None:
    """Log and index of an open ledger have the same permissions as the ledger."""
    create_file(path)
    with closing(open_writer(path, is_synced=False)) as connection:
        connection.execute("INSERT INTO run (started, settings) VALUES (1, '{}')")
        modes = {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
        assert len([*path.parent.iterdir()]) == 3
    assert modes == {0o600}


@pytest.mark.parametrize("half", [b"", b"SQLite format 3\0 and no more", b"x" * 9999])
def test_a_half_made_ledger_is_made_anew(path: Path, half: bytes) -> None:
    """What a killed run has left of a new ledger is replaced."""
    for suffix in ("", "-wal", "-journal"):
        path.with_name(f"{path.name}.new{suffix}").write_bytes(half)
    record_run(path, [success("a")])
    assert [*path.parent.iterdir()] == [path]
    assert names(path) == ["a"]


def test_a_failed_creation_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that can't be filled leaves no file, so that the next run finds none."""

    def fail(_: object) -> NoReturn:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(schema, "create", fail)
    with pytest.raises(sqlite3.OperationalError):
        create_file(path)
    assert [*path.parent.iterdir()] == []


def test_a_file_that_appears_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that gets the name while the ledger is made is not replaced."""
    link = os.link

    def late(draft: Path, target: Path) -> None:
        path.write_text("mine")
        link(draft, target)

    monkeypatch.setattr(os, "link", late)
    create_file(path)
    assert path.read_text() == "mine"
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_disk_without_hard_links(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """On a file system without hard links, a ledger is made all the same."""

    def refuse(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    record_run(path, [success("a")])
    assert [*path.parent.iterdir()] == [path]
    assert names(path) == ["a"]


def test_a_removed_ledger_is_forgotten(path: Path) -> None:
    """A ledger that the user removed, but not its log, does not come back."""
    record_run(path, [success("old")])
    log = path.with_name(f"{path.name}-wal")
    with closing(open_writer(path, is_synced=False)) as connection:
        connection.execute("UPDATE entry SET attempts = 7")
        kept = path.with_name("kept")
        shutil.copy(log, kept)
    path.unlink()
    kept.rename(log)
    record_run(path, [success("new")])
    assert names(path) == ["new"]


def test_an_existing_ledger_is_not_made_anew(path: Path) -> None:
    """Creation leaves a ledger, and a log of a killed run with commits, as they are."""
    record_run(path, [success("a")])
    with closing(open_writer(path, is_synced=False)) as connection:
        connection.execute("UPDATE entry SET name = 'b'")
        create_file(path)
        assert path.with_name(f"{path.name}-wal").stat().st_size > 0
    assert names(path) == ["b"]


STEPS = {1: "ALTER TABLE entry ADD COLUMN shape TEXT;", 2: "UPDATE entry SET shape = 'round';"}
"""Migrations of two versions that are made up."""


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that this program has the tables of two versions later."""
    monkeypatch.setattr(schema, "VERSION", 3)
    monkeypatch.setattr(schema, "MIGRATIONS", STEPS)
    monkeypatch.setattr("url_downloader.ledger.ledger.VERSION", 3)


def test_an_older_ledger_is_migrated(path: Path, request: pytest.FixtureRequest) -> None:
    """The tables of an earlier version become those of this one, and keep their rows."""
    record_run(path, [success("a")])
    request.getfixturevalue("newer")
    assert check_file(path) == 1
    ledger = Ledger(path)
    ledger.open()
    assert ledger.by_name({"a"})["a"].name == "a"
    ledger.finish(None)
    assert check_file(path) == 3
    with closing(open_reader(path)) as connection:
        assert connection.execute("SELECT shape FROM entry").fetchall() == [("round",)]


def test_a_failed_migration_changes_nothing(
    path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If one step fails, the ledger has its old version and its old tables."""
    record_run(path, [success("a")])
    request.getfixturevalue("newer")
    monkeypatch.setitem(STEPS, 2, "UPDATE nothing SET shape = 'round';")
    with pytest.raises(sqlite3.OperationalError):
        open_writer(path, is_synced=False)
    monkeypatch.undo()
    assert check_file(path) == 1
    assert names(path) == ["a"]
    with closing(open_reader(path)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(entry)")]
    assert "shape" not in columns


def test_a_damaged_ledger_is_refused(path: Path) -> None:
    """A ledger whose pages are overwritten is refused by name, as soon as that is seen."""
    record_run(path, [success("a")])
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * (size - 100))
    with pytest.raises(InputError, match="is a damaged ledger") as raised:
        Ledger(path).open()
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("has_log", [False, True])
def test_where_nothing_can_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch, has_log: bool
) -> None:
    """A ledger is taken for unchangeable only if it has no log that could have newer rows."""
    record_run(path, [success("a")])
    if has_log:
        path.with_name(f"{path.name}-wal").write_bytes(b"x" * 4096)
    modes = []

    def connect(_: Path, *, mode: str) -> sqlite3.Connection:
        modes.append(mode)
        if mode == "ro":
            return sqlite3.connect(":memory:")  # has no tables: an error, as from a bad place
        return sqlite3.connect(f"file:{path}?mode={mode}", uri=True)

    monkeypatch.setattr(database, "_connect", connect)
    if has_log:
        with pytest.raises(sqlite3.OperationalError):
            open_reader(path)
        assert modes == ["ro"]
    else:
        assert names(path) == ["a"]
        assert modes == ["ro", "ro&immutable=1"]
