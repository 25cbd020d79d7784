"""Ledgers of processes that are killed, that write by turns, or that fill a disk."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.hardship import SmallDisk
from tests.support.jobs import make_event
from tests.support.ledgers import success
from tests.support.reference import ROOT
from tests.support.waiting import wait_until
from url_downloader.ledger.ledger import Ledger
from url_downloader.ledger.writer import MAX_BATCH
from url_downloader.shared.models import JobRecord, JobStatus

SEED = 16
KILLS = 12
ENDLESS = 10**9
TIMEOUT = 120.0


@contextmanager
def recording(path: Path, prefix: str, count: int) -> Iterator[subprocess.Popen[str]]:
    """Run a process that records jobs; it is killed after the block."""
    words = (sys.executable, "-m", "tests.support.recording", str(path), prefix, str(count))
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def numbers_of(process: subprocess.Popen[str], count: int | None = None) -> list[int]:
    """Return the next numbers of committed jobs, or all until the process has ended."""
    assert process.stdout
    lines = process.stdout if count is None else (next(process.stdout) for _ in range(count))
    return [int(line) for line in lines]


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_sigkill(tmp_path: Path) -> None:
    """After SIGKILL at any moment, all that was committed is there, and the ledger is whole."""
    path, chance = tmp_path / "ledger.db", random.Random(SEED)
    known: set[str] = set()
    for kill in range(KILLS):
        with recording(path, f"{kill}-", ENDLESS) as process:
            told = numbers_of(process, chance.randrange(1, 4000))
            process.kill()
            told += numbers_of(process)
        known |= {f"{kill}-{number}" for number in told}
        names = {name for (name,) in rows(path, "SELECT name FROM entry")}
        assert known <= names
        # The batch that was committed when the process was killed, but not told.
        assert len(names) - len(known) <= MAX_BATCH
        known = {str(name) for name in names}
        assert rows(path, "PRAGMA integrity_check") == [("ok",)]
        assert rows(path, "SELECT max(id), max(ended) FROM run") == [(kill + 1, None)]
        ledger = Ledger(path)
        ledger.open()
        assert ledger.by_name({min(known)})
        ledger.finish(None)


def test_two_processes_by_turns(tmp_path: Path) -> None:
    """Two processes that write at the same time both record all their jobs."""
    path, count = tmp_path / "ledger.db", 6000
    with recording(path, "a", count) as first, recording(path, "b", count) as second:
        assert numbers_of(first) == numbers_of(second) == [*range(1, count + 1)]
        assert (first.wait(TIMEOUT), second.wait(TIMEOUT)) == (0, 0)
    query = "SELECT run, count(*), min(job), max(job) FROM entry GROUP BY run"
    assert rows(path, query) == [(1, count, 1, count), (2, count, 1, count)]
    assert rows(path, "SELECT status FROM run") == [(0,), (0,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_the_disk_is_full(disk: SmallDisk) -> None:
    """A full disk is named once; what was committed before is there, and no more is taken."""
    path = disk.path / "ledger.db"
    committed: list[str] = []
    failures: list[str] = []

    def note(records: Sequence[JobRecord]) -> None:
        committed.extend(record.job.output for record in records)

    ledger = Ledger(path)
    ledger.committed.append(note)
    ledger.on_failed = failures.append
    ledger.open()
    ledger.start()
    number = 0
    while ledger.is_on and number < 10**6:
        number += 1
        record = success(f"file{number}")
        job = record.job._replace(job_id=number)
        ledger.on_event(make_event(record._replace(job=job), JobStatus.RUNNING))
    wait_until(lambda: bool(failures), what="the failure")
    ledger.finish(3)
    assert failures == [f"{path}: the ledger can't be written: the disk is full"]
    assert disk.remount("size=64m")
    assert [name for (name,) in rows(path, "SELECT name FROM entry ORDER BY id")] == committed
    assert len(committed) >= MAX_BATCH
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
