"""Connections to a ledger, its creation, and the meaning of their errors."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import quote

from url_downloader.ledger import schema
from url_downloader.ledger.file_checks import has_log
from url_downloader.ledger.ledger_lock import LOCK_FILE, LedgerBusyError, LedgerLock

_WRITER_CACHE = 4096
"""KiB of pages that the writer's connection keeps in memory; with less, it is slower."""
_READER_CACHE = 1024
"""The same for a connection that reads; with more, it is no faster."""
_CHECKPOINT_PAGES = 8000
"""Pages of 4 KiB in the write-ahead log after which a commit moves them to the database.

Most of them are written many times until then, but moved only once."""
_BUSY_SECONDS = 10.0
"""Seconds that SQLite waits for its own locks; our lock makes such waits rare."""
_CLOSE_SECONDS = 5.0
"""Seconds that a reader waits for the lock, to remove the files of an unused log."""


def create_file(path: Path) -> None:
    """Make a new ledger, unless there is a file; the caller holds the lock.

    The file appears under its name when it is complete.

    Raises:
        sqlite3.Error, OSError: The system refuses.
    """
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.new")
    # A killed run may have left one. The log of a ledger that was removed would bring it back.
    for file, suffixes in ((draft, ("", "-wal", "-shm", "-journal")), (path, ("-wal", "-shm"))):
        for suffix in suffixes:
            file.with_name(file.name + suffix).unlink(missing_ok=True)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        connection = _connect(draft, mode="rw")
        try:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = MEMORY")
            schema.create(connection)
            _use_write_ahead_log(connection)
        finally:
            connection.close()
        with suppress(FileExistsError):
            _link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _link(draft: Path, path: Path) -> None:
    """Give the draft its name, unless a file has it.

    Raises:
        FileExistsError: A file has the name.
    """
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:
        # The file system has no hard links. The caller's lock keeps other runs away.
        if not path.exists():
            draft.rename(path)


def open_writer(path: Path, *, is_synced: bool) -> sqlite3.Connection:
    """Return a connection that can write; the caller holds the lock.

    Args:
        path: Path of a ledger that was checked.
        is_synced: Whether each commit is written through to the disk.

    Raises:
        sqlite3.Error: SQLite does not work there.
    """
    connection = _connect(path, mode="rw")
    try:
        _use_write_ahead_log(connection)
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_synced else 'NORMAL'}")
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        # No files in /tmp for what a statement may have to undo.
        connection.execute("PRAGMA temp_store = MEMORY")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version < schema.VERSION:
            schema.migrate(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that only reads, also in a directory that can't be written.

    `close_reader` closes it.

    Raises:
        sqlite3.Error: The ledger can't be opened.
    """
    connection = _connect(path, mode="ro")
    try:
        connection.execute("SELECT 1 FROM entry LIMIT 1").fetchone()
    except sqlite3.Error as error:
        connection.close()
        if has_log(path) or not isinstance(error, sqlite3.OperationalError):
            raise
        # Without a log the file can't change while nobody can write the directory.
        connection = _connect(path, mode="ro&immutable=1")
    connection.execute(f"PRAGMA cache_size = -{_READER_CACHE}")
    return connection


def close_reader(connection: sqlite3.Connection, path: Path) -> None:
    """Close a connection that `open_reader` returned, and remove the files of an unused log.

    A connection that only reads leaves them behind, so a writing one is opened and closed.
    """
    connection.close()
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return
    lock_file = path.with_name(LOCK_FILE)
    with suppress(OSError, LedgerBusyError, sqlite3.Error), ExitStack() as held:
        # No other connection may be opened or closed at the same moment. A run makes the lock
        # file before it opens the ledger, so without that file there is no other one.
        if lock_file.exists():
            lock = LedgerLock(lock_file, max_wait=_CLOSE_SECONDS)
            held.callback(lock.close)
            held.enter_context(lock)
        with closing(_connect(path, mode="rw")) as writer:
            writer.execute("SELECT 1 FROM entry LIMIT 1")


def _connect(path: Path, *, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch to WAL: only with it, a reader does not stop the writer.

    Raises:
        sqlite3.OperationalError: The file system can't do that.
    """
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError("no write-ahead log")


def is_full(error: Exception) -> bool:
    """Tell whether the disk is full."""
    number = error.errno if isinstance(error, OSError) else None
    name = getattr(error, "sqlite_errorname", "")
    # The second one is the failure to enlarge the file with the index of the log.
    is_sqlite = name in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")
    return is_sqlite or number in (errno.ENOSPC, errno.EDQUOT)


def reason_of(error: Exception) -> str:
    """Return the reason of an error for the user."""
    if is_full(error):
        return "the disk is full"
    if isinstance(error, LedgerBusyError):
        return f"another run has locked it for too long ({error})"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
