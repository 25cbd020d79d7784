"""A batch of jobs that have ended, written to the ledger in one transaction."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from url_downloader.ledger.rows import (
    COLUMNS,
    OLD_COLUMNS,
    OldRow,
    Row,
    row_of,
    with_old_facts,
)
from url_downloader.ledger.schema import name_hash
from url_downloader.naming.filenames import fold
from url_downloader.shared.ledger_entries import LedgerEntry
from url_downloader.shared.models import JobRecord

MAX_ROWS = 256
"""Rows of one statement: single statements would hand the GIL over for each row."""
_COLUMNS = ", ".join(COLUMNS)
_CHANGES = ", ".join(
    # A row keeps its URL and its folded name. SQLite would write their indices anew.
    f"{name} = excluded.{name}"
    for name in COLUMNS
    if name not in ("id", "key", "fold", "url")
)
_Value = TypeVar("_Value")
_MARKS = f"({','.join('?' * len(COLUMNS))})"


class BatchWriter:
    """Writer of batches to one connection.

    Args:
        connection: Connection to the ledger, outside of a transaction.
        settings: Settings of the run that differ from the defaults, as JSON has them.
        started: Start of the run, in seconds since the epoch.

    Attributes:
        run: Number of the run; 0 before its row is written. Other threads may read it.

    Threads: one at a time.
    """

    def __init__(
        self, connection: sqlite3.Connection, settings: Mapping[str, object], *, started: float
    ) -> None:
        self.run = 0
        self._connection = connection
        self._settings = json.dumps(settings, default=str)
        self._started = round(started * 1000)
        self._folders: set[str] = set()

    def begin_run(self) -> None:
        """Write the row of the run; the caller has begun a transaction.

        Raises:
            sqlite3.Error: The ledger can't be written.
        """
        cursor = self._connection.execute(
            "INSERT INTO run (started, settings) VALUES (?, ?)", (self._started, self._settings)
        )
        self.run = cursor.lastrowid or 0

    def write(self, records: Sequence[JobRecord]) -> None:
        """Write the records of jobs; the caller has begun a transaction.

        Raises:
            sqlite3.Error: The ledger can't be written.
        """
        rows: dict[str, Row] = {}
        renamed: dict[int, LedgerEntry] = {}
        for record in records:
            history = record.job.history
            if history is None:
                continue
            name = fold((record.result and record.result.output) or record.job.output)
            row = row_of(record, history, run=self.run, folded=name)
            # A later job with the same name replaces the earlier one.
            rows[name] = row
            past = history.entry
            if past is not None and not past.is_success and past.name != row.name:
                renamed[past.row] = past
        known, outdated = self._merged(rows, renamed)
        self._delete(outdated)
        self._insert([row for name, row in rows.items() if name not in known])
        self._update([*known.values()])
        self._add_folders(row.name for row in rows.values())

    def note_aggregates(self, aggregates: Mapping[str, object]) -> None:
        """Write the numbers of the run; the caller has begun a transaction.

        Raises:
            sqlite3.Error: The ledger can't be written.
        """
        text = json.dumps(aggregates, default=str)
        values = (text, self.run)
        self._connection.execute("UPDATE run SET aggregates = ? WHERE id = ?", values)

    def end_run(self, ended: float, *, status: int | None) -> None:
        """Write the end of the run; the caller has begun a transaction.

        Args:
            ended: Seconds since the epoch.
            status: Exit status; None if there is none.

        Raises:
            sqlite3.Error: The ledger can't be written.
        """
        self._connection.execute(
            "UPDATE run SET ended = ?, status = ? WHERE id = ?",
            (round(ended * 1000), status, self.run),
        )

    def _merged(
        self, rows: Mapping[str, Row], renamed: Mapping[int, LedgerEntry]
    ) -> tuple[dict[str, Row], list[int]]:
        """Find the old rows of the names and of the renamed URLs.

        Returns:
            Rows that replace an old row of their URL, with its facts. Then the numbers of the
            old rows to delete: those of other URLs, and those of the renamed ones.
        """
        known: dict[str, Row] = {}
        outdated = []
        folds = [row.fold for row in rows.values()]
        folds += [name_hash(past.name) for past in renamed.values()]
        for old in self._old_rows(folds):
            name, identity = fold(old.name), (old.key, old.url)
            new, past = rows.get(name), renamed.get(old.id)
            if new is not None and (new.key, new.url) == identity:
                known[name] = with_old_facts(new, old)
            # The number of a row that was deleted may be another URL's by now.
            elif new is not None or (past is not None and past.identity == identity):
                outdated.append(old.id)
        return known, outdated

    def _old_rows(self, folds: Sequence[int]) -> Iterator[OldRow]:
        for part in _parts(folds):
            marks = ",".join("?" * len(part))
            query = f"SELECT {OLD_COLUMNS} FROM entry WHERE fold IN ({marks})"  # noqa: S608
            yield from map(OldRow._make, self._connection.execute(query, part).fetchall())

    def _delete(self, ids: Sequence[int]) -> None:
        for part in _parts(ids):
            marks = ",".join("?" * len(part))
            self._connection.execute(f"DELETE FROM entry WHERE id IN ({marks})", part)  # noqa: S608

    def _insert(self, rows: Sequence[Row]) -> None:
        # With OR FAIL, SQLite makes no copy of each page to undo a statement that fails. The
        # caller undoes the whole transaction then.
        for part in _parts(rows):
            self._write_rows("INSERT OR FAIL INTO entry", part)

    def _update(self, rows: Sequence[Row]) -> None:
        for part in _parts(rows):
            end = f" ON CONFLICT (id) DO UPDATE SET {_CHANGES}"
            self._write_rows("INSERT INTO entry", part, end=end)

    def _write_rows(self, verb: str, rows: Sequence[Row], *, end: str = "") -> None:
        marks = ",".join([_MARKS] * len(rows))
        self._connection.execute(
            f"{verb} ({_COLUMNS}) VALUES {marks}{end}",
            [*itertools.chain.from_iterable(rows)],
        )

    def _add_folders(self, names: Iterable[str]) -> None:
        new = {
            folder
            for name in names
            if "/" in name
            for folder in itertools.accumulate(name.split("/")[:-1], "{}/{}".format)
            if folder not in self._folders
        }
        if new:
            if len(self._folders) > MAX_FOLDERS:
                self._folders.clear()
            self._folders |= new
            # One statement for many rows, as for entries.
            for part in _parts([(name_hash(each), each) for each in new]):
                marks = ",".join(["(?,?)"] * len(part))
                self._connection.execute(
                    f"INSERT OR IGNORE INTO folder VALUES {marks}",  # noqa: S608 - marks
                    [*itertools.chain.from_iterable(part)],
                )


MAX_FOLDERS = 10_000
"""Folders that are remembered as written; they take about 1 MB."""


def _parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """Yield the values in parts whose lengths are powers of two, which are few statements.

    SQLite keeps compiled statements, and a statement of 256 rows takes long to compile.
    """
    begin, size = 0, MAX_ROWS
    while begin < len(values):
        while size > len(values) - begin:
            size //= 2
        yield values[begin : begin + size]
        begin += size
