"""Access to a ledger for a process that is not its run: it only reads, page by page.

Each page is a statement of its own, so that no transaction stays open: a reader with an open
transaction would let the log of a running writer grow.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from url_downloader.ledger.database import close_reader, open_reader
from url_downloader.ledger.file_checks import check_file, kept_open
from url_downloader.shared.errors import InputError


@contextmanager
def opened_ledger(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a ledger for the block, in which each statement is a transaction of its own.

    Raises:
        InputError: There is no ledger, or it can't be read, in the block either.
    """
    if check_file(path, is_only_read=True) is None:
        raise InputError(
            f"{path}: there is no ledger; name the output directory of a run with --dir DIR, or"
            " a ledger with --ledger FILE"
        )
    try:
        with ExitStack() as opened:
            opened.enter_context(kept_open(path))
            connection = open_reader(path)
            opened.callback(close_reader, connection, path)
            yield connection
    except sqlite3.Error as error:
        raise InputError(f"{path}: the ledger can't be read: {error}") from error


def id_ranges(connection: sqlite3.Connection, *, step: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last number of ranges that cover all entries, in order.

    Args:
        connection: Connection to a ledger.
        step: Numbers in a range; a range has at most as many entries.
    """
    last = 0
    while True:
        query = "SELECT min(id) FROM entry WHERE id > ?"
        (first,) = connection.execute(query, (last,)).fetchone()
        if first is None:
            return
        last = first + step - 1
        yield first, last
