"""Look-ups in the ledger, through a connection that only reads."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from url_downloader.ledger.database import close_reader, open_reader
from url_downloader.ledger.file_checks import kept_open
from url_downloader.ledger.rows import COLUMNS, ENTRY_COLUMNS, Row, entry_of, is_safe, record_of
from url_downloader.ledger.schema import State, fold_hash
from url_downloader.naming.filenames import fold
from url_downloader.shared.errors import InputError
from url_downloader.shared.ledger_entries import LedgerEntry, UrlIdentity
from url_downloader.shared.models import JobRecord

_ROW = ", ".join(COLUMNS)
_MAX_VALUES = 512
"""Values of one statement, at most; SQLite takes 32,766, and 999 before version 3.32."""


class Lookups:
    """Look-ups in a ledger that exists.

    Args:
        path: Path of the ledger.

    Raises:
        sqlite3.Error: The ledger can't be opened.

    Threads: all methods from any thread.
    """

    def __init__(self, path: Path) -> None:
        # Held during each statement: SQLite's connections are for one thread at a time.
        self._lock = threading.Lock()
        self._opened = ExitStack()
        self._opened.enter_context(kept_open(path))
        self._connection = open_reader(path)
        self._opened.callback(close_reader, self._connection, path)

    def close(self) -> None:
        """Close the connection; calling it again has no effect."""
        with self._lock:
            self._opened.close()

    def by_identity(
        self, identities: Collection[UrlIdentity]
    ) -> Mapping[UrlIdentity, Sequence[LedgerEntry]]:
        """Return the entries of each URL that is known, oldest first."""
        found: dict[UrlIdentity, list[LedgerEntry]] = {}
        query = f"SELECT {ENTRY_COLUMNS} FROM entry WHERE key IN"  # noqa: S608 - constants
        for values in self._select(query, [each.key for each in identities]):
            entry = entry_of(values)
            # Other URLs may have the same hash.
            if entry.identity in identities and is_safe(entry.name):
                found.setdefault(entry.identity, []).append(entry)
        for entries in found.values():
            entries.sort()
        return found

    def by_name(self, folded: Collection[str]) -> Mapping[str, LedgerEntry]:
        """Return the entries of the names that are known, by folded name."""
        hashes = {fold_hash(each): each for each in folded}
        query = f"SELECT {ENTRY_COLUMNS} FROM entry WHERE fold IN"  # noqa: S608 - constants
        found = {}
        for values in self._select(query, [*hashes]):
            entry = entry_of(values)
            if (name := fold(entry.name)) in folded and is_safe(entry.name):
                found[name] = entry
        return found

    def folders(self, folded: Collection[str]) -> Mapping[str, str]:
        """Return the paths of recorded files' folders, by folded path, if they are known."""
        hashes = [fold_hash(each) for each in folded]
        rows = self._select("SELECT name FROM folder WHERE fold IN", hashes)
        names = {fold(name): name for (name,) in rows if is_safe(name)}
        return {each: names[each] for each in names.keys() & set(folded)}

    def record(self, run: int, job_id: int) -> JobRecord | None:
        """Return the record of a job; None if the ledger does not have it."""
        query = f"SELECT {_ROW} FROM entry WHERE run = ? AND job = ?"  # noqa: S608 - constants
        rows = self._fetch(query, (run, job_id))
        return record_of(Row(*rows[-1])) if rows else None

    def records(
        self, run: int, *, after: int, limit: int, failed_only: bool
    ) -> Sequence[JobRecord]:
        """Return at most `limit` records of jobs with a number above `after`, in order."""
        condition = f"AND state = {State.FAILED}" if failed_only else ""
        query = (
            f"SELECT {_ROW} FROM entry INDEXED BY entry_job"  # noqa: S608 - constants
            f" WHERE run = ? AND job > ? {condition} ORDER BY job LIMIT ?"
        )
        return [record_of(Row(*row)) for row in self._fetch(query, (run, after, limit))]

    def _select(self, query: str, values: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query that ends in IN, for all values."""
        for begin in range(0, len(values), _MAX_VALUES):
            part = values[begin : begin + _MAX_VALUES]
            # SQLite keeps a few statements compiled, so there are few different lengths.
            length = 1 << (len(part) - 1).bit_length()
            marks = ",".join("?" * length)
            yield from self._fetch(
                f"{query} ({marks})", [*part, *([part[0]] * (length - len(part)))]
            )

    def _fetch(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        # All rows at once: an open transaction would keep the log from being emptied.
        with self._lock:
            return self._connection.execute(query, values).fetchall()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Convert the errors of SQLite in the block.

    Raises:
        InputError: The ledger can't be read.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise InputError(f"{path}: the ledger can't be read: {error}") from error


class LedgerRecords:
    """Records of one run, which are read from the ledger after the run, too.

    Each method opens the ledger anew, and raises an InputError if it can't be read. It
    implements `shared.history.PastRecords`.

    Args:
        path: Path of the ledger.
        run: Number of the run.

    Threads: any.
    """

    is_on = True

    def __init__(self, path: Path, run: int) -> None:
        self._path = path.absolute()
        self._run = run

    def record(self, job_id: int) -> JobRecord | None:
        """Return the record of an ended job; None if the ledger does not have it."""
        with reading(self._path), closing(Lookups(self._path)) as lookups:
            return lookups.record(self._run, job_id)

    def records(
        self, *, after: int, limit: int, failed_only: bool = False
    ) -> Sequence[JobRecord]:
        """Return at most `limit` records of jobs with a number above `after`, in order."""
        with reading(self._path), closing(Lookups(self._path)) as lookups:
            return lookups.records(self._run, after=after, limit=limit, failed_only=failed_only)
