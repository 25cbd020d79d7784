"""The writer of a ledger: the thread that records ended jobs, many in one transaction."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from url_downloader.ledger.ledger_lock import LedgerBusyError
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.models import JobRecord
from url_downloader.shared.threads import StoppableThread

MAX_BATCH = 500
"""Jobs of one transaction. As many more may wait; a kill loses no more than both."""
MAX_DELAY = 0.2
"""Seconds from the end of a job to its commit, if the batch is not full before."""
AGGREGATES_INTERVAL = 5.0
"""Seconds between two writes of the run's numbers."""


class RecordQueue:
    """Bounded queue of the records that the writer has not taken yet.

    Threads: `put` and `close` from any thread, `take` in the writer's.
    """

    def __init__(self) -> None:
        # Guards the fields below.
        self._changed = threading.Condition()
        self._records: deque[JobRecord] = deque()
        self._is_closed = False

    def put(self, record: JobRecord) -> None:
        """Add a record; wait while the queue is full. A closed queue drops it."""
        with self._changed:
            if len(self._records) < MAX_BATCH or self._is_closed:
                self._add(record)
                return
        # Not within the lock, because another thread with the turn may want the lock.
        with COMPUTE_TURN.released(), self._changed:
            while len(self._records) >= MAX_BATCH and not self._is_closed:
                self._changed.wait()
            self._add(record)

    def take(self, *, timeout: float) -> Sequence[JobRecord]:
        """Return a batch: after MAX_DELAY, or as soon as it is full or the queue is closed.

        Args:
            timeout: Seconds to wait for the first record.
        """
        with self._changed:
            if not self._records and not self._is_closed:
                self._changed.wait(timeout)
            ends = time.monotonic() + MAX_DELAY
            while 0 < len(self._records) < MAX_BATCH and not self._is_closed:
                if not self._changed.wait(max(0.0, ends - time.monotonic())):
                    break
            taken = [*self._records]
            self._records.clear()
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Let `take` return at once, and later records be dropped."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """Tell whether the queue is closed."""
        return self._is_closed

    def _add(self, record: JobRecord) -> None:
        """Add a record. The caller holds the lock."""
        if self._is_closed:
            return
        self._records.append(record)
        # The writer waits for the first one, and then for a full batch.
        if len(self._records) in (1, MAX_BATCH):
            self._changed.notify_all()


class LedgerWriter(StoppableThread):
    """Thread that writes batches until its queue is closed and empty.

    Args:
        queue: Queue to take records from.
        write: Function that writes a batch, which may be empty, in one transaction.
        on_error: Called with an error of `write`, after which the thread ends.
        on_crash: Called with an exception that escaped from the thread.

    Threads: made and started in one thread; its methods run in its own.
    """

    def __init__(
        self,
        queue: RecordQueue,
        *,
        write: Callable[[Sequence[JobRecord]], None],
        on_error: Callable[[Exception], None],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name="ledger", on_crash=on_crash)
        self._queue = queue
        self._write = write
        self._on_error = on_error
        self._has_written = False

    def run_once(self) -> bool:
        """Write one batch, or only the numbers of the run; return False at the end."""
        records = self._queue.take(timeout=AGGREGATES_INTERVAL)
        if not records and self._queue.is_closed:
            return False
        if records or self._has_written:
            try:
                self._write(records)
            except (sqlite3.Error, OSError, LedgerBusyError) as error:
                self._on_error(error)
                return False
            self._has_written = True
        return True

    def teardown(self) -> None:
        """Let no thread wait for the writer any more."""
        self._queue.close()
