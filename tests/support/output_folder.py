"""The files that runs leave in an output directory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tests.support.sizes import sizes_of
from tests.support.waiting import wait_until

HIDDEN = ".url-downloader"
"""The name of the folder for the ledger, parts and their notes."""
LEDGER_FILES = frozenset({"ledger.db", "ledger.lock"})
"""Names of the files that a run with a ledger leaves in the hidden folder."""


def visible(target: Path) -> list[Path]:
    """Return the entries of the directory, sorted, without the hidden folder.

    The hidden folder, if there is one, must have the ledger and its lock, and nothing else.
    """
    if (target / HIDDEN).exists():
        assert hidden_files(target) == LEDGER_FILES, hidden_files(target)
    return sorted(path for path in target.iterdir() if path.name != HIDDEN)


def hidden_files(target: Path) -> set[str]:
    """Return the names in the hidden folder; none without it."""
    return {path.name for path in (target / HIDDEN).glob("*")}


def files_of(target: Path) -> dict[str, bytes]:
    """Return the contents of the finished files by name; none without the directory."""
    if not target.exists():
        return {}
    return {path.name: path.read_bytes() for path in target.iterdir() if path.is_file()}


def assert_holds(target: Path, files: Mapping[str, bytes]) -> None:
    """Check that the directory has these files, perhaps a ledger, and nothing else."""
    names = [path.name for path in visible(target)]
    assert names == sorted(files), names
    assert files_of(target) == files


def recorded_jobs(target: Path) -> int:
    """Return the number of ended jobs in the ledger, also during a run."""
    path = target / HIDDEN / "ledger.db"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM entry").fetchone()
    return int(count)


def part_sizes(target: Path) -> list[int]:
    """Return the sizes of the parts.

    Each must have a valid note, and nothing else be there but a ledger.
    """
    paths = sorted(target / HIDDEN / name for name in hidden_files(target) - LEDGER_FILES)
    found = [path for path in paths if path.suffix == ".part"]
    assert [path.with_suffix(".json") for path in found] == [
        path for path in paths if path.suffix != ".part"
    ]
    for path in found:
        json.loads(path.with_suffix(".json").read_bytes())
    return [path.stat().st_size for path in found]


def bytes_in_parts(target: Path) -> int:
    """Return the number of bytes in parts, also during a run."""
    return sum(sizes_of((target / HIDDEN).glob("*.part")))


def wait_for_parts(target: Path, size: int) -> None:
    """Return once there are so many bytes in parts."""
    wait_until(lambda: bytes_in_parts(target) >= size, what=f"{size} bytes in parts")
