"""Batches of ended jobs: one row for each name, and facts about files that still hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.ledgers import KEYS, failure, record_run, success
from url_downloader.ledger import batch, lookups, rows
from url_downloader.ledger.lookups import Lookups
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.ledger_entries import LedgerEntry, UrlHistory, UrlIdentity
from url_downloader.shared.models import JobRecord, Outcome, SourceFacts

A, B = "http://h/a", "http://h/b"
DIGEST = Checksum("sha-256", "ab" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a ledger that does not exist yet."""
    return tmp_path / "ledger.db"


@contextmanager
def opened(path: Path) -> Iterator[Lookups]:
    """Open the ledger for look-ups during the block."""
    with closing(Lookups(path)) as it:
        yield it


def entries(path: Path, url: str) -> Sequence[LedgerEntry]:
    """Return the entries of a URL."""
    identity = KEYS.identity(url)
    with opened(path) as ledger:
        return ledger.by_identity({identity}).get(identity, [])


def entry(path: Path, url: str) -> LedgerEntry:
    """Return the only entry of a URL."""
    (it,) = entries(path, url)
    return it


def column(path: Path, name: str) -> list[object]:
    """Return a column of all entries, in order of first ending."""
    with closing(sqlite3.connect(path)) as connection:
        query = f"SELECT {name} FROM entry ORDER BY id"
        return [value for (value,) in connection.execute(query)]


def with_source(
    record: JobRecord,
    *,
    etag: str | None = None,
    modified: float | None = None,
    digests: tuple[Checksum, ...] = (),
) -> JobRecord:
    """Return the record of a success with other facts about the origin of the file."""
    assert record.result
    source = SourceFacts(etag=etag, modified=modified, digests=digests)
    return record._replace(result=record.result._replace(source=source))


def with_past(record: JobRecord, past: LedgerEntry) -> JobRecord:
    """Return the record with the entry that its URL had when the list was read."""
    assert record.job.history
    history = UrlHistory(record.job.history.identity, 0, past)
    return record._replace(job=record.job._replace(history=history))


def test_a_row_has_the_facts_of_its_job(path: Path) -> None:
    """What a job found out is there for the next run."""
    whole = success("a", A, size=7, mtime_ns=10**18 + 1)
    whole = with_source(whole, etag='"1"', modified=99.5, digests=(DIGEST,))
    record_run(path, [whole])
    found = entry(path, A)
    assert found == LedgerEntry(
        row=1,
        identity=KEYS.identity(A),
        name="a",
        run=1,
        is_success=True,
        mark=0,
        size=7,
        mtime_ns=10**18 + 1,
        modified=99,
        etag='"1"',
        digest=f"sha-256={'ab' * 32}",
    )


@pytest.mark.parametrize("number", range(4))
def test_the_strongest_digest_is_kept(path: Path, number: int) -> None:
    """Of several digests of a file, in any order, the ledger has the longest."""
    every = [
        Checksum(name, "0" * digits)
        for name, digits in (("md5", 32), ("sha-1", 40), ("sha-256", 64), ("sha-512", 128))
    ]
    given = (*every[number:], *every[:number])
    record_run(path, [with_source(success("a", A), digests=given)])
    assert entry(path, A).digest == f"sha-512={'0' * 128}"


def test_a_failure_leaves_the_old_file(path: Path) -> None:
    """A URL that fails after a success is a failure, and its old file is still known."""
    first = with_source(success("a", A), etag='"1"', modified=9.0, digests=(DIGEST,))
    record_run(path, [first])
    before = entry(path, A)
    record_run(path, [failure("a", A)])
    assert entry(path, A) == before._replace(run=2, is_success=False)
    record_run(path, [failure("a", A)])
    assert entry(path, A) == before._replace(run=3, is_success=False)


@pytest.mark.parametrize("outcome", [Outcome.SKIPPED, Outcome.NOT_MODIFIED])
@pytest.mark.parametrize("mtime_ns", [10**18, None])
def test_a_kept_file_keeps_its_facts(
    path: Path, outcome: Outcome, mtime_ns: int | None
) -> None:
    """A file that was not transferred is the one that the ledger knows."""
    first = with_source(success("a", A), etag='"1"', modified=9.0, digests=(DIGEST,))
    record_run(path, [first])
    before = entry(path, A)
    record_run(path, [success("a", A, mtime_ns=mtime_ns, outcome=outcome)])
    assert entry(path, A) == before._replace(run=2)


def test_a_reply_has_newer_facts(path: Path) -> None:
    """The validators of a 304 take the place of the old ones; the digest stays."""
    first = with_source(success("a", A), etag='"1"', modified=9.0, digests=(DIGEST,))
    record_run(path, [first])
    kept = success("a", A, outcome=Outcome.NOT_MODIFIED)
    record_run(path, [with_source(kept, etag='"2"', modified=10.0)])
    found = entry(path, A)
    assert (found.etag, found.modified) == ('"2"', 10)
    assert found.digest == f"sha-256={'ab' * 32}"


@pytest.mark.parametrize(
    "second",
    [
        success("a", A, size=6, outcome=Outcome.SKIPPED),
        success("a", A, mtime_ns=10**18 + 1, outcome=Outcome.NOT_MODIFIED),
        success("a", A),
        success("a", A, mtime_ns=None),
        success("a", A, outcome=Outcome.RESUMED),
    ],
    ids=["other size", "other time", "replaced", "replaced, of unknown end", "resumed"],
)
def test_another_file_has_no_old_facts(path: Path, second: JobRecord) -> None:
    """Validators and digest of a file are never those of another one."""
    first = with_source(success("a", A), etag='"1"', modified=9.0, digests=(DIGEST,))
    record_run(path, [first])
    record_run(path, [second])
    assert second.result
    found, is_whole = entry(path, A), second.result.mtime_ns is not None
    assert (found.etag, found.modified, found.digest) == (None, None, None)
    assert found.size == (second.result.size if is_whole else None)
    assert found.mtime_ns == second.result.mtime_ns


def test_a_name_goes_to_another_url(path: Path) -> None:
    """A URL that took the file of another one by out= has the name, and the other none."""
    record_run(path, [success("latest", A), success("b", B)])
    record_run(path, [success("Latest", "http://h/new")])
    assert entries(path, A) == []
    assert column(path, "name") == ["b", "Latest"]


def test_a_name_keeps_its_row(path: Path) -> None:
    """The same URL with the same name keeps its row, also where the case differs."""
    record_run(path, [success("a", A), success("b", B)])
    record_run(path, [success("A", A)])
    assert [(each.row, each.name, each.run) for each in entries(path, A)] == [(1, "A", 2)]


def test_a_url_may_have_several_files(path: Path) -> None:
    """Two names of one URL are two rows, oldest first."""
    record_run(path, [success("b", A), success("a", A)])
    assert [each.name for each in entries(path, A)] == ["b", "a"]


def test_a_failed_url_gives_its_name_back(path: Path) -> None:
    """A URL that failed, and now has a file of another name, has no row for the old name."""
    record_run(path, [failure("a", A), success("b", B)])
    record_run(path, [with_past(success("server-name", A), entry(path, A))])
    assert [each.name for each in entries(path, A)] == ["server-name"]
    assert entry(path, B).name == "b"


def test_a_success_keeps_its_other_name(path: Path) -> None:
    """A file that is there stays known after its URL got another name."""
    record_run(path, [success("a", A)])
    record_run(path, [with_past(success("c", A), entry(path, A))])
    assert [each.name for each in entries(path, A)] == ["a", "c"]


def test_the_number_of_a_row_may_be_used_again(path: Path) -> None:
    """Two jobs of a failed URL delete its old row, and not the row that has its number then."""
    record_run(path, [failure("a", A)])
    past = entry(path, A)
    record_run(path, [with_past(success("x", A), past)])
    assert entry(path, A).row == past.row
    record_run(path, [with_past(success("y", A), past)])
    assert [each.name for each in entries(path, A)] == ["x", "y"]


def test_a_name_twice_in_a_batch(path: Path) -> None:
    """Of two jobs of a batch with the same name, the later one is recorded."""
    record_run(path, [success("a", A), success("b", B), success("A", "http://h/late")])
    assert column(path, "url") == ["http://h/late", B]
    assert column(path, "job") == [3, 2]
    assert column(path, "name") == ["A", "b"]


def test_a_long_batch(path: Path) -> None:
    """Rows of a batch of any length are all there, new ones and old ones."""
    record_run(path, [success(f"{number:03}") for number in range(0, 500, 3)])
    record_run(path, [success(f"{number:03}") for number in range(499)])
    assert {*column(path, "name")} == {f"{number:03}" for number in range(499)}
    assert len(column(path, "name")) == 499
    assert set(column(path, "run")) == {2}


def test_indices_follow_their_rows(path: Path) -> None:
    """After changes of all kinds, SQLite finds each index in order."""
    record_run(path, [failure("a", A), success("b", B), failure("c", "http://h/c", code=None)])
    changes = [success("A", A), failure("b", B, code=500), failure("c", "http://h/c")]
    record_run(path, [*changes, success("d")])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        query = "SELECT cause FROM entry WHERE state = 0 ORDER BY cause"
        assert connection.execute(query).fetchall() == [("http-404",), ("http-500",)]


def test_folders_of_files_are_known(path: Path) -> None:
    """Each folder above a recorded file is known by its folded path, and no other."""
    record_run(path, [success("Sub/deep/a"), success("b")])
    asked = {"sub", "sub/deep", "sub/deep/a", "b", "other"}
    with opened(path) as ledger:
        assert ledger.folders(asked) == {"sub": "Sub", "sub/deep": "Sub/deep"}


def test_many_folders(path: Path) -> None:
    """Each file of a batch may have a folder of its own, and each of them is known."""
    record_run(path, [success(f"d{number}/a") for number in range(499)])
    record_run(path, [success(f"d{number}/b") for number in range(500)])
    folders = {f"d{number}" for number in range(500)}
    with opened(path) as ledger:
        assert ledger.folders(folders) == {each: each for each in folders}


def test_equal_hashes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """URLs and names whose hashes are equal by chance are told apart by their texts."""
    monkeypatch.setattr(rows, "fold_hash", lambda _: 7)
    monkeypatch.setattr(lookups, "fold_hash", lambda _: 7)
    monkeypatch.setattr(batch, "name_hash", lambda _: 7)
    same = [_with_key(success("a", A), 1), _with_key(success("b", B), 1)]
    record_run(path, same)
    record_run(path, [_with_key(success("b", B, size=6), 1)])
    with opened(path) as ledger:
        found = ledger.by_identity({UrlIdentity(1, A), UrlIdentity(1, "http://h/c")})
        assert {each: [it.name for it in its] for each, its in found.items()} == {
            UrlIdentity(1, A): ["a"]
        }
        assert ledger.by_name({"b", "c"}).keys() == {"b"}
    assert column(path, "size") == [5, 6]


def test_the_clock_is_set_back(path: Path) -> None:
    """A run whose clock is behind the last one's is the later run, and its rows count."""
    record_run(path, [failure("a", A)], started=2000.0, ended=2001.0)
    record_run(path, [success("a", A)], started=1000.0, ended=1001.0)
    assert (entry(path, A).run, entry(path, A).is_success) == (2, True)


@pytest.mark.parametrize(
    ("created_at", "started_at", "finished_at"),
    [
        (1.7e9, 1.7e9 + 0.25, 1.7e9 + 2.5),
        # The clock was set back during the job.
        (1.7e9, 1.7e9 - 3600, 1.7e9 - 3599.5),
        # A job that was given up without an attempt.
        (1.7e9, None, 1.7e9 + 86400),
    ],
)
def test_times_come_back(
    path: Path, created_at: float, started_at: float | None, finished_at: float
) -> None:
    """The record of an ended job has its times, to the millisecond."""
    record = success("a")._replace(created_at=created_at, worked=0.125)
    record_run(path, [record._replace(started_at=started_at, finished_at=finished_at)])
    with opened(path) as ledger:
        found = ledger.record(1, 1)
    assert found
    assert (found.created_at, found.finished_at) == (created_at, finished_at)
    assert (found.started_at, found.worked) == (started_at, 0.125)


def test_a_message_that_is_no_utf_8(path: Path) -> None:
    """Bytes of a folder's name in the message of a failure are escaped."""
    record_run(path, [failure("a", message="d\udcff/a: Is a directory"), failure("é")])
    assert column(path, "message") == ["d\\udcff/a: Is a directory", "HTTP 404 Not Found"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../a", "a/../../b", "", ".", "a//b", "a\0b"])
def test_a_name_that_leads_elsewhere(path: Path, name: str) -> None:
    """A name that was edited to lead out of the output directory is unknown."""
    record_run(path, [success("a", A), success("b", B)])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE entry SET name = ? WHERE id = 1", (name,))
    assert entries(path, A) == []
    assert entry(path, B).name == "b"


def _with_key(record: JobRecord, key: int) -> JobRecord:
    history = record.job.history
    assert history
    identity = history.identity._replace(key=key)
    return record._replace(job=record.job._replace(history=history._replace(identity=identity)))
