"""The ledger of a run, with its thread: what is committed, and how it fails."""

from __future__ import annotations

import errno
import fcntl
import functools
import logging
import os
import pickle
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.jobs import make_event
from tests.support.ledgers import failure, success
from tests.support.waiting import wait_until
from url_downloader.ledger import open_file
from url_downloader.ledger.database import open_reader
from url_downloader.ledger.ledger import Ledger
from url_downloader.ledger.ledger_lock import LOCK_FILE, LedgerBusyError, LedgerLock
from url_downloader.ledger.lookups import LedgerRecords
from url_downloader.ledger.writer import MAX_BATCH
from url_downloader.shared.errors import InputError
from url_downloader.shared.models import JobRecord, JobStatus

TIMEOUT = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a ledger in an output directory without one."""
    return tmp_path / ".url-downloader" / "ledger.db"


class Run:
    """Run with a ledger, which is open and started.

    Attributes:
        ledger: The ledger.
        committed: Numbers of the jobs that are committed.
        failures: Messages of `on_failed`.
    """

    def __init__(self, path: Path) -> None:
        self.ledger = Ledger(path)
        self.committed: list[int] = []
        self.failures: list[str] = []
        self.ledger.committed.append(self._note)
        self.ledger.on_failed = self.failures.append
        self.ledger.aggregates = lambda: {"bytes": 5}
        self.ledger.open()
        self.ledger.start()

    def end(self, *records: JobRecord, first: int = 1) -> None:
        """End jobs, which are numbered from `first` on."""
        for number, record in enumerate(records, start=first):
            job = record.job._replace(job_id=number)
            self.ledger.on_event(make_event(record._replace(job=job), JobStatus.RUNNING))

    def wait_for(self, count: int) -> None:
        """Wait until so many jobs are committed."""
        wait_until(lambda: len(self.committed) >= count, what=f"{count} commits")

    def _note(self, records: Sequence[JobRecord]) -> None:
        self.committed += [record.job.job_id for record in records]


@contextmanager
def running(path: Path) -> Iterator[Run]:
    """Run the block with a ledger, and finish it with status 0."""
    run = Run(path)
    try:
        yield run
    finally:
        run.ledger.finish(0)


def many(count: int, name: str = "file") -> list[JobRecord]:
    """Return the records of jobs that succeeded."""
    return [success(f"{name}{number}") for number in range(count)]


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query after the run."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_a_ledger_is_made_by_the_first_job(path: Path) -> None:
    """Nothing is written before a job ends; then the run has a number, and its end is noted."""
    with running(path) as run:
        assert not path.exists()
        assert (run.ledger.run, run.ledger.is_on) == (0, True)
        run.end(success("a"), failure("b"))
        run.wait_for(2)
        assert run.ledger.run == 1
        assert run.ledger.by_name({"a", "b", "c"}).keys() == {"a", "b"}
        assert rows(path, "SELECT ended, status FROM run") == [(None, None)]
    run.ledger.finish(7)
    assert rows(path, "SELECT status, aggregates FROM run") == [(0, '{"bytes": 5}')]
    assert sorted(each.name for each in path.parent.iterdir()) == ["ledger.db", LOCK_FILE]
    assert not run.failures


def test_a_ledger_without_jobs(path: Path) -> None:
    """A run in which no job ends leaves no ledger, also if it never started."""
    with running(path):
        pass
    Ledger(path).finish(None)
    assert not path.parent.exists()


def test_the_rest_is_written_at_the_end(path: Path) -> None:
    """All jobs that ended before the end of the run are committed when it has ended."""
    with running(path) as run:
        run.end(*many(1234))
    assert sorted(run.committed) == [*range(1, 1235)]
    assert rows(path, "SELECT count(*) FROM entry") == [(1234,)]


def test_records_are_read_after_the_run(path: Path) -> None:
    """Records of ended jobs are there page by page, in another process as well."""
    with running(path) as run:
        run.end(*(failure(f"{n}") if n % 3 == 0 else success(f"{n}") for n in range(20)))
        run.wait_for(20)
        during = run.ledger.records(after=5, limit=4)
    past = pickle.loads(pickle.dumps(LedgerRecords(path, 1)))
    assert [each.job.job_id for each in during] == [6, 7, 8, 9]
    assert past.records(after=5, limit=4) == during
    failed = past.records(after=4, limit=3, failed_only=True)
    assert [each.job.job_id for each in failed] == [7, 10, 13]
    assert {each.status for each in failed} == {JobStatus.FAILED}
    assert past.record(7) == failed[0]
    assert past.record(21) is None
    assert LedgerRecords(path, 2).record(7) is None


def test_records_without_their_ledger(path: Path) -> None:
    """Records of a ledger that was removed or replaced can't be read, and the error says so."""
    with running(path) as run:
        run.end(failure("a"))
    assert run.ledger.record(1) is not None
    for change in (lambda: path.write_text("x" * 4096), path.unlink):
        change()
        for ask in (run.ledger.record, LedgerRecords(path, 1).record):
            with pytest.raises(InputError, match="the ledger can't be read") as raised:
                ask(1)
            assert str(path) in str(raised.value)


def test_a_reader_does_not_stop_the_writer(path: Path) -> None:
    """While a reader keeps its transaction open, jobs are committed, and it sees none."""
    with running(path) as run:
        run.end(success("before"))
        run.wait_for(1)
        with closing(open_reader(path)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM entry").fetchone() == (1,)
            run.end(*many(3 * MAX_BATCH), first=2)
            run.wait_for(1 + 3 * MAX_BATCH)
            assert reader.execute("SELECT count(*) FROM entry").fetchone() == (1,)
    assert not run.failures
    assert rows(path, "SELECT count(*) FROM entry") == [(1 + 3 * MAX_BATCH,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def remove(path: Path) -> None:
    """Remove the ledger alone."""
    path.unlink()


def replace(path: Path) -> None:
    """Replace the ledger by an equal file."""
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


def move_folder(path: Path) -> None:
    """Move the hidden folder away."""
    path.parent.rename(path.parent.with_name("moved"))


@pytest.mark.parametrize("change", [remove, replace, move_folder])
def test_a_ledger_that_is_gone(path: Path, change: object) -> None:
    """The run is told once that the ledger is gone, and no worker waits for it any more."""
    with running(path) as run:
        run.end(success("a"))
        run.wait_for(1)
        assert callable(change)
        change(path)
        run.end(success("b"), first=2)
        wait_until(lambda: bool(run.failures), what="the failure")
        run.end(*many(3 * MAX_BATCH), first=3)
    (message,) = run.failures
    assert str(path) in message
    assert "was removed or replaced" in message
    assert not run.ledger.is_on
    assert run.committed == [1]


def test_workers_wait_while_the_queue_is_full(path: Path) -> None:
    """While another run holds the lock, a worker waits, and goes on when it is released."""
    with running(path) as run:
        run.end(success("a"))
        run.wait_for(1)
        lock, ended = LedgerLock(path.with_name(LOCK_FILE)), threading.Event()

        def work() -> None:
            run.end(*many(5 * MAX_BATCH), first=2)
            ended.set()

        with closing(lock):
            with lock:
                worker = threading.Thread(target=work)
                worker.start()
                # Of the batch that is being written and the queue, no more can be taken.
                assert not ended.wait(0.2)
                assert run.committed == [1]
            assert ended.wait(TIMEOUT)
        worker.join()
        run.wait_for(1 + 5 * MAX_BATCH)
    assert not run.failures


def test_a_lock_that_is_held_for_too_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that can't get the lock says so, and frees the workers that wait."""
    impatient = functools.partial(LedgerLock, max_wait=0.1)
    monkeypatch.setattr(open_file, "LedgerLock", impatient)
    with running(path) as run:
        run.end(success("a"))
        run.wait_for(1)
        with closing(LedgerLock(path.with_name(LOCK_FILE))) as lock, lock:
            run.end(*many(5 * MAX_BATCH), first=2)
            wait_until(lambda: bool(run.failures), what="the failure")
    (message,) = run.failures
    assert f"another run has locked it for too long (process {os.getpid()})" in message
    assert rows(path, "SELECT name FROM entry") == [("a",)]


def test_one_run_at_a_time_has_the_lock(tmp_path: Path) -> None:
    """A lock that is held can't be taken, neither by another run nor by another thread."""
    one, two = (LedgerLock(tmp_path / "lock", max_wait=0) for _ in range(2))
    with closing(one), closing(two):
        for holder, other in ((one, two), (two, one), (one, one)):
            with holder, pytest.raises(LedgerBusyError), other:
                pass
            with other:
                pass


@pytest.mark.parametrize("text", ["", "process 12\n", "process \0\n", "my list\n"])
def test_the_holder_of_a_lock(tmp_path: Path, text: str) -> None:
    """The message names the process that has the lock; the file of another program is kept."""
    path = tmp_path / "lock"
    path.write_text(text)
    one, two = (LedgerLock(path, max_wait=0) for _ in range(2))
    with closing(one), closing(two), one:
        with pytest.raises(LedgerBusyError) as raised, two:
            pass
        is_foreign = text == "my list\n"
        own = f"process {os.getpid()}"
        assert str(raised.value) == ("its process is not known" if is_foreign else own)
        assert path.read_text() == (text if is_foreign else f"{own}\n")


@pytest.mark.parametrize("call", ["flock", "lockf"])
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EACCES, errno.EAGAIN])
def test_a_place_without_locks(
    path: Path,
    number: int,
    call: str,
    monkeypatch: pytest.MonkeyPatch,
    package_log: pytest.LogCaptureFixture,
) -> None:
    """Without locks, ours or SQLite's, one warning says so, and the run goes on without."""

    def refuse(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, call, refuse)
    with running(path) as run:
        run.end(*many(3 * MAX_BATCH))
    warnings = [each for each in package_log.records if each.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert str(path) in warnings[0].getMessage()
    assert os.strerror(number) in warnings[0].getMessage()
    assert not run.ledger.is_on
    assert run.ledger.by_name({"file1"}) == {}
    assert not run.failures
    assert not run.committed
    assert [*path.parent.iterdir()] == []


def test_two_runs_by_turns(path: Path) -> None:
    """Two runs that begin without a ledger both record all their jobs in one file."""
    with running(path) as first, running(path) as second:
        for begin in range(1, 4):
            first.end(success(f"a{begin}"), first=begin)
            second.end(success(f"b{begin}"), first=begin)
            first.wait_for(begin)
            second.wait_for(begin)
        assert first.ledger.by_name({"a3", "b3"}) == second.ledger.by_name({"a3", "b3"})
    assert {first.ledger.run, second.ledger.run} == {1, 2}
    found = rows(path, "SELECT name, run FROM entry ORDER BY name")
    names = [f"a{n}" for n in range(1, 4)] + [f"b{n}" for n in range(1, 4)]
    runs = [first.ledger.run] * 3 + [second.ledger.run] * 3
    assert found == [*zip(names, runs, strict=True)]
    assert rows(path, "SELECT count(*) FROM run WHERE status = 0") == [(2,)]
