"""A ledger while it is open for writing: its lock, its connection, and its transactions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from url_downloader.ledger.batch import BatchWriter
from url_downloader.ledger.database import create_file, open_writer
from url_downloader.ledger.file_checks import check_file, file_id, is_replaced, kept_open
from url_downloader.ledger.ledger_lock import LOCK_FILE, LedgerLock
from url_downloader.ledger.writer import AGGREGATES_INTERVAL
from url_downloader.shared.models import JobRecord


class OpenFile:
    """File of a ledger, which the constructor makes if it is missing, and opens.

    Args:
        path: Absolute path of the file.
        is_synced: Whether each commit is written through to the disk.
        settings: Settings of the run that differ from the defaults.
        started: Start of the run, in seconds since the epoch.

    Attributes:
        batches: Writer of batches.

    Raises:
        sqlite3.Error, OSError, LedgerBusyError: SQLite or locks do not work there.

    Threads: one at a time.
    """

    def __init__(
        self, path: Path, *, is_synced: bool, settings: Mapping[str, object], started: float
    ) -> None:
        self._path = path
        self._next_aggregates = 0.0
        with ExitStack() as opened:
            # The hidden folder of an output directory; only its owner may read it.
            with suppress(FileExistsError):
                path.parent.mkdir(mode=0o700)
            self._lock = LedgerLock(path.with_name(LOCK_FILE))
            opened.callback(self._lock.close)
            with self._lock:
                if check_file(path) is None:
                    create_file(path)
                opened.enter_context(kept_open(path))
                self._id = file_id(path)
                self._connection = open_writer(path, is_synced=is_synced)
                opened.callback(self._connection.close)
            self.batches = BatchWriter(self._connection, settings, started=started)
            self._opened = opened.pop_all()

    def write(
        self, records: Sequence[JobRecord], aggregates: Callable[[], Mapping[str, object]]
    ) -> None:
        """Write a batch in one transaction, and the numbers of the run now and then.

        Raises:
            sqlite3.Error, OSError, LedgerBusyError: The ledger can't be written.
        """
        now = time.monotonic()
        with self.transaction():
            if not self.batches.run:
                self.batches.begin_run()
            self.batches.write(records)
            if now >= self._next_aggregates:
                self.batches.note_aggregates(aggregates())
                self._next_aggregates = now + AGGREGATES_INTERVAL

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block in a transaction, while no other run writes.

        Raises:
            sqlite3.Error, OSError, LedgerBusyError: The ledger can't be written.
        """
        with self._lock:
            # SQLite would write to a removed file without an error.
            if is_replaced(self._path, self._id):
                raise FileNotFoundError("it was removed or replaced")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file; the last connection empties its log."""
        try:
            with self._lock:
                self._connection.close()
        finally:
            self._opened.close()
