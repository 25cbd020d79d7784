"""The ledger of an output directory in one run: it answers look-ups, and records ended jobs.

The order of its use:

1. `open` checks an existing file, before the first name is given. Without a file nothing
   happens: a new one is made when the first job ends.
2. While the list is read, `by_identity`, `by_name` and `folders` answer from what is
   committed.
3. `start` starts the writer. `on_event` queues the records of jobs that end, and waits while
   the queue is full. The writer commits them in batches, each under the LedgerLock, and then
   calls the functions in `committed`.
4. `finish` writes the rest and the end of the run, and closes the file.

If SQLite or locks do not work in the directory, one warning says so, and the run goes on
without the ledger. If a ledger that worked can't be written any more, `on_failed` is called,
and the run has to end: names that left memory are known to the ledger alone.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from url_downloader.ledger.database import is_full, reason_of
from url_downloader.ledger.file_checks import check_file, file_id, place_of
from url_downloader.ledger.ledger_lock import LedgerBusyError
from url_downloader.ledger.lookups import LedgerRecords, Lookups, reading
from url_downloader.ledger.open_file import OpenFile
from url_downloader.ledger.schema import VERSION
from url_downloader.ledger.writer import LedgerWriter, RecordQueue
from url_downloader.shared.errors import InputError
from url_downloader.shared.ledger_entries import LedgerEntry, UrlIdentity
from url_downloader.shared.models import JobEvent, JobRecord
from url_downloader.shared.user_files import absolute

log = logging.getLogger(__package__)

Answer = TypeVar("Answer")


class Ledger:
    """Ledger of one run. It implements `shared.history.OpenLedger`.

    Args:
        path: Path of the file.
        is_synced: Whether each commit is written through to the disk.
        settings: Settings of the run that differ from the defaults, without secrets.
        utc_now: Wall clock, seconds since the epoch.

    Attributes:
        committed: Functions that are called with the records of each commit.
        on_failed: Called if the ledger can't be written any more.
        aggregates: Returns the numbers of the run.

    Threads: `open`, `start` and `finish` in one thread; look-ups and `on_event` in any; the
    attributes that are functions are called in the writer's.
    """

    def __init__(
        self,
        path: Path,
        *,
        is_synced: bool = False,
        settings: Mapping[str, object] | None = None,
        utc_now: Callable[[], float] = time.time,
    ) -> None:
        self.committed: list[Callable[[Sequence[JobRecord]], None]] = []
        self.on_failed: Callable[[str], None] = lambda message: log.error("%s", message)
        self.aggregates: Callable[[], Mapping[str, object]] = dict
        self._path = absolute(path)
        self._shown = path
        self._is_synced = is_synced
        self._settings = settings or {}
        self._utc_now = utc_now
        self._started = utc_now()
        self._is_on = True
        self._has_failed = False
        self._ended_run = 0
        self._queue = RecordQueue()
        self._thread: LedgerWriter | None = None
        self._file: OpenFile | None = None
        self._lookups: Lookups | None = None
        self._place: tuple[int, ...] | None = None

    @property
    def run(self) -> int:
        """Return the number of this run; it is set before its first entry can be found."""
        file = self._file
        return self._ended_run if file is None else file.batches.run

    @property
    def is_on(self) -> bool:
        """Tell whether the ledger can be used, as far as that is known."""
        return self._is_on

    def open(self) -> None:
        """Open the ledger if there is one.

        Raises:
            InputError: The file is no ledger, is newer than this program, or can't be read.
        """
        version = check_file(self._path)
        if version is None:
            return
        try:
            self._lookups = self._open_lookups(version)
        except sqlite3.DatabaseError as error:
            if is_full(error):
                # Without its names, files of other URLs would be replaced.
                raise InputError(
                    f"{self._shown}: the ledger can't be used: the disk is full; make room, or"
                    " use --no-ledger"
                ) from error
            if isinstance(error, sqlite3.OperationalError):
                self._switch_off(error)
                return
            raise InputError(f"{self._shown}: is a damaged ledger: {error}") from error
        except (OSError, LedgerBusyError) as error:
            self._switch_off(error)

    def start(self) -> None:
        """Start the writer's thread, unless the ledger can't be used."""
        if not self._is_on:
            return
        self._place = place_of(self._path)
        self._thread = LedgerWriter(
            self._queue, write=self._write, on_error=self._fail, on_crash=self._crashed
        )
        if not self._thread.try_start():
            self._thread = None
            self._fail(OSError("the system allows no more threads"))

    def on_event(self, event: JobEvent) -> None:
        """Queue the record of a job that has ended; wait while the queue is full."""
        record = event.record
        has_ended = record.status.is_terminal and event.previous is not None
        if has_ended and record.job.history is not None and self._is_on:
            self._queue.put(record)

    def by_identity(
        self, identities: Collection[UrlIdentity]
    ) -> Mapping[UrlIdentity, Sequence[LedgerEntry]]:
        """Return the entries of each URL that is known, oldest first."""
        return self._asked(lambda lookups: lookups.by_identity(identities), {})

    def by_name(self, folded: Collection[str]) -> Mapping[str, LedgerEntry]:
        """Return the entries of the names that are known, by folded name."""
        if self._lookups is None:
            return self._new_names(folded)
        return self._asked(lambda lookups: lookups.by_name(folded), {})

    def folders(self, folded: Collection[str]) -> Mapping[str, str]:
        """Return the paths of recorded files' folders, by folded path, if they are known."""
        return self._asked(lambda lookups: lookups.folders(folded), {})

    def record(self, job_id: int) -> JobRecord | None:
        """Return the record of an ended job; None if it is not committed."""
        lookups = self._lookups
        if lookups is not None:
            with reading(self._path):
                return lookups.record(self.run, job_id)
        return LedgerRecords(self._path, self.run).record(job_id) if self.run else None

    def records(
        self, *, after: int, limit: int, failed_only: bool = False
    ) -> Sequence[JobRecord]:
        """Return at most `limit` records of jobs with a number above `after`, in order."""
        lookups, page = self._lookups, {"after": after, "limit": limit}
        if lookups is not None:
            with reading(self._path):
                return lookups.records(self.run, **page, failed_only=failed_only)
        if not self.run:
            return []
        return LedgerRecords(self._path, self.run).records(**page, failed_only=failed_only)

    def finish(self, status: int | None) -> bool:
        """Write the rest and the end of the run, and close the file.

        Calling it again has no effect.

        Args:
            status: Exit status of the run; None if it has none.

        Returns:
            Whether no write has failed. A ledger that can't be used writes nothing.
        """
        self._queue.close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._ended_run = self.run
        file, self._file = self._file, None
        lookups, self._lookups = self._lookups, None
        if lookups is not None:
            lookups.close()
        try:
            if file is not None:
                with closing(file):
                    self._record_end(file, status)
        except (sqlite3.Error, OSError, LedgerBusyError) as error:
            log.warning("%s: the end of the run is not recorded: %s", self._shown, error)
        return not self._has_failed

    def _record_end(self, file: OpenFile, status: int | None) -> None:
        """Write the numbers and the end of the run, if the ledger has it.

        Raises:
            sqlite3.Error, OSError, LedgerBusyError: The ledger can't be written.
        """
        if file.batches.run and self._is_on:
            with file.transaction():
                file.batches.note_aggregates(self.aggregates())
                file.batches.end_run(self._utc_now(), status=status)

    def _asked(self, question: Callable[[Lookups], Answer], default: Answer) -> Answer:
        """Return the answer of the look-ups; the default if there is no ledger.

        Raises:
            InputError: The ledger can't be read, so the run ends.
        """
        lookups = self._lookups
        if lookups is None:
            return default
        try:
            return question(lookups)
        except sqlite3.Error as error:
            if self._lookups is None:
                # The run has ended, and an abandoned thread asks.
                return default
            self._fail(error, doing="read")
            raise InputError(f"{self._shown}: the ledger can't be read") from error

    def _new_names(self, folded: Collection[str]) -> Mapping[str, LedgerEntry]:
        """Return the entries of the names in a ledger that another run has just made."""
        if self._is_on and file_id(self._path):
            with suppress(sqlite3.Error), closing(Lookups(self._path)) as lookups:
                return lookups.by_name(folded)
        return {}

    def _write(self, records: Sequence[JobRecord]) -> None:
        """Write a batch, and make the file before the first one."""
        # The ledger may be off since the batch before; the queue had more then.
        if not self._is_on:
            return
        if self._file is None:
            try:
                if place_of(self._path) != self._place:
                    raise FileNotFoundError("the directory was removed or replaced")
                self._file = self._opened()
                self._lookups = self._lookups or Lookups(self._path)
            except (sqlite3.Error, OSError, LedgerBusyError) as error:
                if is_full(error):
                    raise
                self._switch_off(error)
                return
        self._file.write(records, self.aggregates)
        for listener in self.committed:
            listener(records)

    def _open_lookups(self, version: int) -> Lookups:
        if version < VERSION:
            # The writer brings the file to this version.
            self._opened().close()
        return Lookups(self._path)

    def _opened(self) -> OpenFile:
        return OpenFile(
            self._path,
            is_synced=self._is_synced,
            settings=self._settings,
            started=self._started,
        )

    def _switch_off(self, error: Exception) -> None:
        """Go on without the ledger, because it does not work in this place."""
        self._is_on = False
        self._queue.close()
        log.warning(
            "%s: no ledger can be kept there (%s), so the next run will not know this one",
            *(self._shown, reason_of(error)),
        )

    def _fail(self, error: Exception, *, doing: str = "written") -> None:
        """Report, once, that the ledger can't be read or written any more."""
        was_on, self._is_on = self._is_on, False
        self._has_failed = True
        self._queue.close()
        if was_on:
            self.on_failed(f"{self._shown}: the ledger can't be {doing}: {reason_of(error)}")

    def _crashed(self, error: BaseException) -> None:
        self._fail(RuntimeError(type(error).__name__))
