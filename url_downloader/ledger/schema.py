"""The schema of the ledger, its version, and the migrations from each earlier version.

Times are whole numbers since the epoch: `ended` in milliseconds, `mtime` in nanoseconds,
`modified` in seconds. `queued` is the time from the registration to the end of a job, `started`
that from the registration to its first attempt, and `worked` that in attempts, in milliseconds:
small numbers take few bytes. Names are relative to the output directory, so that it can be
moved.
"""

from __future__ import annotations

import enum
import sqlite3

from url_downloader.naming.filenames import fold
from url_downloader.shared.ledger_entries import near_hash

APPLICATION_ID = 0x75646C67
"""Number in the header of the file, which says that it is a ledger: `udlg` in ASCII."""
VERSION = 1
"""Version of the schema, in the header of the file as well."""

_TABLES = """
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,  -- in the order of first ending
    key INTEGER NOT NULL,    -- hash of the URL's key; entries of one key differ by their names
    fold INTEGER NOT NULL,   -- hash of the folded name; a name belongs to one entry
    url TEXT NOT NULL,       -- without user name, password and signature
    name TEXT NOT NULL,
    state INTEGER NOT NULL,  -- see State
    cause TEXT,              -- of a failure, as the summary names it
    attempts INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    size INTEGER,            -- of the file; NULL unless it is known to be complete
    mtime INTEGER,
    modified INTEGER,        -- Last-Modified
    etag TEXT,
    digest BLOB,             -- a byte for the algorithm, then the digest
    run INTEGER NOT NULL,    -- in which the URL ended last
    job INTEGER NOT NULL,    -- its number in that run
    mark INTEGER NOT NULL,   -- hash of URL and options, keyed with a secret of that run
    status INTEGER,          -- HTTP status of the last reply
    excused INTEGER NOT NULL,
    queued INTEGER NOT NULL,
    started INTEGER,
    worked INTEGER NOT NULL,
    received INTEGER NOT NULL,
    message TEXT             -- of a failure
);
CREATE INDEX entry_key ON entry (key);
CREATE INDEX entry_fold ON entry (fold);
CREATE INDEX entry_job ON entry (run, job);
CREATE INDEX entry_failed ON entry (cause) WHERE state = 0;
CREATE TABLE folder (    -- folders of recorded files
    fold INTEGER NOT NULL,
    name TEXT PRIMARY KEY
) WITHOUT ROWID;
CREATE INDEX folder_fold ON folder (fold);
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,  -- milliseconds since the epoch
    ended INTEGER,             -- NULL while it goes on, and after a kill
    status INTEGER,            -- exit status
    settings TEXT NOT NULL,    -- JSON object of those that differ from the defaults
    aggregates TEXT            -- JSON object of the numbers of the run
);
"""

MIGRATIONS: dict[int, str] = {}
"""Statements that lead from each earlier version to the next one."""


class State(enum.IntEnum):
    """State of an entry: a failure, or the way in which the URL got its file."""

    FAILED = 0
    DOWNLOADED = 1
    RESUMED = 2
    SKIPPED = 3
    NOT_MODIFIED = 4


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty database.

    Raises:
        sqlite3.Error: The database refuses.
    """
    connection.executescript(
        f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
        f"{_TABLES} COMMIT;"
    )


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a ledger of an earlier version to this one, all steps in one transaction.

    Raises:
        sqlite3.Error: The database refuses.
    """
    steps = "".join(MIGRATIONS[each] for each in range(version, VERSION))
    connection.executescript(f"BEGIN; {steps} PRAGMA user_version = {VERSION}; COMMIT;")


def fold_hash(folded: str) -> int:
    """Return the hash of a folded name, as the columns `fold` have it."""
    return near_hash(folded)


def name_hash(name: str) -> int:
    """Return the hash of a name, as the columns `fold` have it."""
    return fold_hash(fold(name))
