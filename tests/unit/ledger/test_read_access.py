"""Access to a ledger for a process that only reads it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.ledgers import record_run, success
from url_downloader.ledger.file_checks import check_file
from url_downloader.ledger.read_access import id_ranges, opened_ledger
from url_downloader.shared.errors import InputError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a ledger with one entry."""
    return record_run(tmp_path / "ledger.db", [success("a")])


def refusal(path: Path) -> str:
    """Return the message about a ledger that can't be read."""
    with pytest.raises(InputError) as caught, opened_ledger(path):
        pass
    return str(caught.value)


def cut(path: Path) -> None:
    """Remove the last page."""
    os.truncate(path, path.stat().st_size - 4096)


def make_newer(path: Path) -> None:
    """Give the file a version that no program has yet."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def make_foreign(path: Path) -> None:
    """Make the file that of another program."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 7")


def make_folder(path: Path) -> None:
    """Replace the file by a folder."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("http://h/\n" * 50), "is not a ledger"),
        (cut, "is cut off"),
        (make_newer, "newer version"),
        (make_foreign, "another program"),
        (make_folder, "a folder"),
    ],
)
def test_what_is_no_ledger(path: Path, damage: Callable[[Path], None], *, fault: str) -> None:
    """The message names file and fault, and no option that only a run has."""
    damage(path)
    message = refusal(path)
    assert message.startswith(f"{path}: ")
    assert fault in message
    assert message.endswith("; name another ledger with --ledger FILE")


def test_no_ledger(tmp_path: Path) -> None:
    """Without a ledger the message says how to name one, and nothing is made."""
    message = refusal(tmp_path / "none" / "ledger.db")
    assert "there is no ledger" in message
    assert "--dir DIR" in message
    assert [*tmp_path.iterdir()] == []


def test_damage_inside(path: Path) -> None:
    """Damage that only a query meets is a fault of the ledger, too."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    assert "the ledger can't be read" in refusal(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_ledger_of_another_user(path: Path) -> None:
    """Root may look at the ledger of a user, in which no run of root would write."""
    for each in (path, path.parent):
        os.chown(each, 4321, 4321)
    with pytest.raises(InputError, match="another user"):
        check_file(path)
    with opened_ledger(path) as connection:
        assert connection.execute("SELECT count(*) FROM entry").fetchone() == (1,)


def test_nothing_is_written(path: Path) -> None:
    """A reader can't change the ledger, leaves its file as it is, and makes no other file."""
    before = path.read_bytes()
    refused = pytest.raises(sqlite3.OperationalError, match="readonly")
    with opened_ledger(path) as connection, refused:
        connection.execute("DELETE FROM entry")
    assert path.read_bytes() == before
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize(
    ("ids", "ranges"),
    [
        ([], []),
        ([1], [(1, 10)]),
        ([1, 10, 11], [(1, 10), (11, 20)]),
        ([5, 14, 15, 10**12], [(5, 14), (15, 24), (10**12, 10**12 + 9)]),
    ],
)
def test_ranges(ids: list[int], ranges: list[tuple[int, int]]) -> None:
    """The ranges cover all numbers in order, and pass over long gaps."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO entry VALUES (?)", [(each,) for each in ids])
        assert [*id_ranges(connection, step=10)] == ranges
