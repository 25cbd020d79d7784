"""Facts about a ledger for a user who asks from outside of a run.

The entries are read page by page. So the numbers of a ledger that a run writes to belong to
slightly different moments.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import NamedTuple

from url_downloader.ledger.read_access import id_ranges
from url_downloader.ledger.schema import State
from url_downloader.naming.filenames import name_from_url, safe_relative_path

MAX_RANKED = 20
"""Causes and hosts of failures that are named; the others are counted."""
_PAGE = 20_000
"""Rows that one statement counts. It takes some milliseconds."""
_LIST_PAGE = 1000
"""Failed URLs that one statement returns, at most."""
# The host ends at the first slash after `https://` or `http://`.
_COUNT_FAILURES = """
SELECT ifnull(cause, ''), substr(url, 1, instr(substr(url, 9), '/') + 7), count(*)
FROM entry NOT INDEXED WHERE id BETWEEN ? AND ? AND state = 0 GROUP BY 1, 2
"""
_COUNT_STATES = """
SELECT state, count(*), total(size) FROM entry NOT INDEXED WHERE id BETWEEN ? AND ? GROUP BY 1
"""
_FAILED = """
SELECT id, url, name, message FROM entry NOT INDEXED
WHERE id BETWEEN ? AND ? AND state = 0 ORDER BY id
"""
_RUNS = """
SELECT id, started, ended, status, settings, aggregates FROM run ORDER BY id DESC LIMIT ?
"""


class Ranking(NamedTuple):
    """Names with their counts, the most frequent ones first.

    Args:
        first: Names and counts of at most MAX_RANKED names.
        others: Number of the other names.
        of_others: Sum of the counts of the other names.
    """

    first: Sequence[tuple[str, int]]
    others: int
    of_others: int


class Totals(NamedTuple):
    """Numbers of entries in a ledger.

    Args:
        states: Number of entries in each state.
        size: Bytes of the files that are known to be complete.
        causes: Failures by cause.
        hosts: Failures by host: scheme, host and port.
    """

    states: Mapping[str, int]
    size: int
    causes: Ranking
    hosts: Ranking


class FailedEntry(NamedTuple):
    """URL that failed last.

    Args:
        row: Number of the entry in the ledger.
        url: URL without fragment, login and signature.
        name: Path of the file, relative to the output directory.
        message: Reason of the failure.
    """

    row: int
    url: str
    name: str
    message: str


class RunFacts(NamedTuple):
    """Run that has written to the ledger.

    Args:
        run: Number of the run.
        started: Start of the run, in seconds since the epoch.
        ended: End of the run; None if it still runs, or was killed.
        status: Exit status; None if it has none.
        settings: Settings that differ from the defaults.
        aggregates: Counters of the run when they were written last.
    """

    run: int
    started: float
    ended: float | None
    status: int | None
    settings: Mapping[str, object]
    aggregates: Mapping[str, object]


def count_entries(
    connection: sqlite3.Connection, *, should_stop: Callable[[], bool] = lambda: False
) -> Totals:
    """Count the entries of a ledger.

    Args:
        connection: Connection without an open transaction; it is in autocommit mode.
        should_stop: Tells whether to stop early, with the counts so far.
    """
    states = dict.fromkeys(State, 0)
    size = 0
    with closing(_FailureCounts()) as failures:
        for ids in id_ranges(connection, step=_PAGE):
            if should_stop():
                break
            for state, count, bytes_ in connection.execute(_COUNT_STATES, ids).fetchall():
                states[State(state)] += count
                size += int(bytes_)
            failures.add(connection.execute(_COUNT_FAILURES, ids).fetchall())
        causes, hosts = failures.ranking("cause"), failures.ranking("host")
    shown = {state.name.lower().replace("_", "-"): count for state, count in states.items()}
    return Totals(shown, size, causes=causes, hosts=hosts)


def failed_entries(connection: sqlite3.Connection) -> Iterator[FailedEntry]:
    """Yield the entries that failed last, in the order in which they ended first.

    Entries with a URL that no list can have are left out: another program has changed them.
    """
    for ids in id_ranges(connection, step=_LIST_PAGE):
        for row, url, name, message in connection.execute(_FAILED, ids).fetchall():
            if url.isascii() and url.isprintable() and " " not in url:
                yield FailedEntry(row, url, _safe_name(name, url), message or "")


def last_runs(connection: sqlite3.Connection, *, limit: int) -> Sequence[RunFacts]:
    """Return the last runs, the latest first."""
    return [
        RunFacts(
            run=run,
            started=started / 1000,
            ended=None if ended is None else ended / 1000,
            status=status,
            settings=_object(settings),
            aggregates=_object(aggregates),
        )
        for run, started, ended, status, settings, aggregates in connection.execute(
            _RUNS, (limit,)
        ).fetchall()
    ]


def _safe_name(name: str, url: str) -> str:
    """Return the name of a file, or that of the URL if no list can have the name."""
    with suppress(ValueError):
        return safe_relative_path(name)
    return name_from_url(url)


class _FailureCounts:
    """Counts of failures by cause and host.

    They are in a database of their own, which SQLite keeps in memory while it is small: the
    number of hosts has no bound.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute(
            "CREATE TABLE failures (cause, host, n, PRIMARY KEY (cause, host)) WITHOUT ROWID"
        )

    def close(self) -> None:
        self._database.close()

    def add(self, counts: Iterable[tuple[str, str, int]]) -> None:
        """Add causes and hosts with their counts."""
        self._database.executemany(
            "INSERT INTO failures VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET n = n + excluded.n",
            counts,
        )

    def ranking(self, column: str) -> Ranking:
        """Return the ranking of the causes or the hosts.

        Args:
            column: `cause` or `host`.
        """
        groups = f"SELECT {column} AS name, sum(n) AS n FROM failures GROUP BY 1"  # noqa: S608
        first = self._database.execute(
            f"{groups} ORDER BY n DESC, name LIMIT {MAX_RANKED}"
        ).fetchall()
        names, count = self._database.execute(
            f"SELECT count(*), total(n) FROM ({groups})"  # noqa: S608
        ).fetchone()
        return Ranking(first, names - len(first), int(count) - sum(n for _, n in first))


def _object(text: str | bytes | None) -> Mapping[str, object]:
    """Return the JSON object in a column; an empty one if it has none."""
    with suppress(ValueError):
        found = json.loads(text or "{}")
        if isinstance(found, dict):
            return found
    return {}
