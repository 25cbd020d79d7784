"""Facts about a ledger: totals, failures by cause and host, the last runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.ledgers import failure, record_run, success
from url_downloader.ledger import status
from url_downloader.ledger.database import open_writer
from url_downloader.ledger.read_access import opened_ledger
from url_downloader.ledger.status import (
    MAX_RANKED,
    FailedEntry,
    Totals,
    count_entries,
    failed_entries,
    last_runs,
)
from url_downloader.shared.models import JobRecord, Outcome


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a ledger that does not exist yet."""
    return tmp_path / "ledger.db"


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read two rows at a time."""
    monkeypatch.setattr(status, "_PAGE", 2)
    monkeypatch.setattr(status, "_LIST_PAGE", 2)


def totals_of(path: Path, records: Iterable[JobRecord] = ()) -> Totals:
    """Return the totals of a ledger, after a run with these records."""
    record_run(path, records)
    with opened_ledger(path) as connection:
        return count_entries(connection)


def change(path: Path, statement: str) -> None:
    """Change a ledger as another program could."""
    with closing(open_writer(path, is_synced=False)) as connection:
        connection.execute(statement)


@pytest.mark.usefixtures("small_pages")
def test_totals(path: Path) -> None:
    """Each entry counts in its state; the size is that of the complete files."""
    outcomes = [success(f"{each}", outcome=each, size=7) for each in Outcome]
    totals = totals_of(path, [*outcomes, success("x", mtime_ns=None), failure("y")])
    assert totals.states == {
        "failed": 1,
        "downloaded": 2,
        "resumed": 1,
        "skipped": 1,
        "not-modified": 1,
    }
    assert totals.size == 28


def test_an_empty_ledger(path: Path) -> None:
    """A ledger without entries has no failures, and zero in each state."""
    totals = totals_of(path)
    assert set(totals.states.values()) == {0}
    assert totals.causes == totals.hosts == ([], 0, 0)


@pytest.mark.usefixtures("small_pages")
def test_removed_entries(path: Path) -> None:
    """Numbers that no entry has any more are passed over, however many there are."""
    record_run(path, [failure(f"{n}") for n in range(9)])
    change(path, "DELETE FROM entry WHERE id IN (1, 2, 3, 4, 6)")
    change(path, "UPDATE entry SET id = 1000000 WHERE id = 9")
    assert totals_of(path).states["failed"] == 4
    with opened_ledger(path) as connection:
        assert [entry.row for entry in failed_entries(connection)] == [5, 7, 8, 1_000_000]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://h/", "http://h"),
        ("https://h/a/b", "https://h"),
        ("https://h.example:8443/a", "https://h.example:8443"),
        ("http://[::1]:80/a?b=/", "http://[::1]:80"),
        ("http://user:secret@h/a", "http://h"),
    ],
)
def test_hosts(path: Path, url: str, host: str) -> None:
    """A host is scheme, name and port, without user and password."""
    assert totals_of(path, [failure("a", url)]).hosts.first == [(host, 1)]


@pytest.mark.usefixtures("small_pages")
def test_ranking(path: Path) -> None:
    """The most frequent causes come first, with their counts over all pages."""
    records = [
        *[failure(f"a{n}", code=410) for n in range(3)],
        *[failure(f"b{n}", code=404) for n in range(5)],
        *[failure(f"c{n}", code=None) for n in range(4)],
        *[success(f"d{n}") for n in range(9)],
    ]
    causes = totals_of(path, records[::2] + records[1::2]).causes
    assert causes == ([("http-404", 5), ("connection-lost", 4), ("http-410", 3)], 0, 0)


def test_many_hosts(path: Path) -> None:
    """Hosts beyond the first ones are counted, and so are their failures."""
    records = [
        failure(f"{n}-{m}", f"http://h{n}/{m}") for n in range(MAX_RANKED + 5) for m in (1, 2)
    ]
    hosts = totals_of(path, [*records, failure("x", "http://h3/x")]).hosts
    assert hosts.first[0] == ("http://h3", 3)
    assert len(hosts.first) == MAX_RANKED
    assert (hosts.others, hosts.of_others) == (5, 10)


@pytest.mark.usefixtures("small_pages")
def test_an_early_stop(path: Path) -> None:
    """A count that has to stop does so after the page."""
    record_run(path, [success(f"{n}") for n in range(9)])
    answers = iter([False, False, True])
    with opened_ledger(path) as connection:
        totals = count_entries(connection, should_stop=lambda: next(answers))
    assert totals.states["downloaded"] == 4


def test_failed_entries(path: Path) -> None:
    """Failures come in the order in which they ended, without secrets of their URLs."""
    records = [
        failure("b", "http://u:p@h/b?X-Amz-Signature=1&id=2#f", message="HTTP 403"),
        success("c"),
        failure("sub/a", "http://h/x", message=""),
    ]
    record_run(path, records)
    with opened_ledger(path) as connection:
        assert [*failed_entries(connection)] == [
            FailedEntry(1, "http://h/b?id=2", "b", "HTTP 403"),
            FailedEntry(3, "http://h/x", "sub/a", ""),
        ]


@pytest.mark.parametrize("url", ["http://h/a\nhttp://evil/", "http://h/ a", "http://h/\u00e9"])
def test_a_changed_url(path: Path, url: str) -> None:
    """An entry is left out if its URL would put other lines into a list."""
    record_run(path, [failure("a"), failure("b")])
    change(path, f"UPDATE entry SET url = '{url}' WHERE id = 1")
    with opened_ledger(path) as connection:
        assert [entry.name for entry in failed_entries(connection)] == ["b"]


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a\n out=b", "a/", ""])
def test_a_changed_name(path: Path, name: str) -> None:
    """A name that no list can have is replaced by that of the URL."""
    record_run(path, [failure("a", "http://h/x.zip")])
    change(path, f"UPDATE entry SET name = '{name}'")
    with opened_ledger(path) as connection:
        assert [entry.name for entry in failed_entries(connection)] == ["x.zip"]


def test_last_runs(path: Path) -> None:
    """The latest runs come first; one that was killed has no end."""
    record_run(path, [], started=1.5, ended=2.25, status=4, settings={"max_workers": 2})
    record_run(path, [], started=3.0, aggregates={"jobs": {"failed": 1}})
    record_run(path, [], started=5.0, ended=6.0)
    with opened_ledger(path) as connection:
        third, second, first = last_runs(connection, limit=9)
        assert last_runs(connection, limit=1) == [third]
    assert (third.run, third.ended, third.status) == (3, 6.0, None)
    assert (second.ended, second.aggregates) == (None, {"jobs": {"failed": 1}})
    assert first == (1, 1.5, 2.25, 4, {"max_workers": 2}, {})


@pytest.mark.parametrize("text", ["", "{", "[1]", "1", "null"])
def test_changed_facts_of_a_run(path: Path, text: str) -> None:
    """Settings and numbers that are no objects are shown as empty."""
    record_run(path, [])
    change(path, f"UPDATE run SET settings = '{text}', aggregates = '{text}'")
    with opened_ledger(path) as connection:
        (run,) = last_runs(connection, limit=1)
    assert run.settings == run.aggregates == {}


@pytest.mark.usefixtures("small_pages")
def test_no_transaction_stays_open(path: Path) -> None:
    """Between two pages a run can empty its log, because nothing reads an old state."""
    record_run(path, [failure(f"{n}") for n in range(9)])
    with opened_ledger(path) as connection, closing(_writer(path)) as writer:
        pages = failed_entries(connection)
        next(pages)
        writer.execute("UPDATE entry SET attempts = 9")
        busy, _, _ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not busy
        assert len([*pages]) == 8
        count_entries(connection, should_stop=lambda: _can_checkpoint(writer))


def _writer(path: Path) -> sqlite3.Connection:
    connection = open_writer(path, is_synced=False)
    connection.execute("PRAGMA busy_timeout = 0")
    return connection


def _can_checkpoint(writer: sqlite3.Connection) -> bool:
    writer.execute("UPDATE entry SET attempts = attempts + 1")
    busy, _, _ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy
    return False
