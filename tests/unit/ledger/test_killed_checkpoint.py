"""A ledger whose run was killed while it moved pages from the log to the file."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.ledgers import record_run, success
from url_downloader.ledger.database import open_reader, open_writer
from url_downloader.ledger.file_checks import check_file
from url_downloader.shared.errors import InputError


def test_a_kill_in_a_checkpoint(tmp_path: Path) -> None:
    """A ledger whose header is newer than its pages is whole: the log has the others."""
    path = record_run(tmp_path / "ledger.db", [success("a")])
    killed = tmp_path / "killed.db"
    with closing(open_writer(path, is_synced=False)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("BEGIN")
        for number in range(2, 500):
            connection.execute(
                "INSERT INTO entry SELECT ?, key, fold, url, name || ?, state, cause, attempts,"
                " ended, size, mtime, modified, etag, digest, run, job, mark, status, excused,"
                " queued, started, worked, received, message FROM entry WHERE id = 1",
                (number, number),
            )
        connection.execute("COMMIT")
        shutil.copy(path, killed)
        shutil.copy(f"{path}-wal", f"{killed}-wal")
    # A checkpoint writes the pages in their order, so the header is the first.
    with path.open("rb") as whole, killed.open("r+b") as file:
        file.write(whole.read(4096))
    cut = tmp_path / "cut.db"
    shutil.copy(killed, cut)
    with pytest.raises(InputError, match="is cut off"):
        check_file(cut)
    assert check_file(killed) == 1
    with closing(open_reader(killed)) as reader:
        assert reader.execute("SELECT count(*) FROM entry").fetchone() == (499,)
