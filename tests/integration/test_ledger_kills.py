"""SIGKILL of runs with many small files: the ledger loses nothing, and doubts nothing."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.support.cli import RunningCli, run_cli
from tests.support.nginx import Nginx, running_nginx
from tests.support.output_folder import HIDDEN, visible
from tests.support.waiting import wait_until

KILLS = int(os.environ.get("URL_DOWNLOADER_KILLS", "6"))
URLS = int(os.environ.get("URL_DOWNLOADER_KILLED_URLS", "3000"))
WORKERS = 8
BATCH = 500
"""Jobs that the ledger writes at once; as many more may wait meanwhile."""
SEED = 20_261_127


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Small files that nginx serves, a list of them, and the output directory.

    Args:
        nginx: Server of the files.
        url_list: List of all URLs; the last one does not exist.
        target: Output directory.
    """

    nginx: Nginx
    url_list: Path
    target: Path

    @property
    def ledger(self) -> Path:
        """The ledger of the output directory."""
        return self.target / HIDDEN / "ledger.db"

    def finished(self) -> int:
        """Return the number of finished files."""
        if not self.target.exists():
            return 0
        return sum(name.endswith(".bin") for name in os.listdir(self.target))  # noqa: PTH208

    def recorded(self) -> set[str]:
        """Return the names of the files that a copy of the ledger has, after a kill.

        The copy must be whole.
        """
        copy = self.target.parent / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.ledger.parent, copy)
        with closing(sqlite3.connect(copy / "ledger.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = connection.execute("SELECT name FROM entry WHERE state > 0").fetchall()
        assert len({name for (name,) in rows}) == len(rows)
        return {name for (name,) in rows}


@pytest.fixture
def site(ca: trustme.CA, tmp_path: Path) -> Iterator[Site]:
    """Yield a server with many small files."""
    root, prefix = tmp_path / "www", tmp_path / "nginx"
    (root / "f").mkdir(parents=True)
    prefix.mkdir()
    names = [f"{number:06}.bin" for number in range(URLS)]
    for name in names:
        (root / "f" / name).write_text(name)
    with running_nginx(root, prefix, ca) as nginx:
        path = tmp_path / "list"
        path.write_text("".join(f"{nginx.url(f'/f/{name}')}\n" for name in [*names, "none"]))
        yield Site(nginx=nginx, url_list=path, target=tmp_path / "out")
    shutil.rmtree(root)


def kill_after(site: Site, files: int) -> None:
    """Run the program, and kill it once so many more files are finished."""
    began_with = site.finished()
    with RunningCli(site.url_list, "-d", site.target, "-c", "-q", f"-w{WORKERS}") as run:
        wait_until(
            lambda: not run.is_running or site.finished() >= began_with + files, what="files"
        )
        assert run.is_running, "the run ended before the kill, so that the test proves nothing"
        run.signal(signal.SIGKILL)
        run.wait()


def test_killed_runs(site: Site) -> None:
    """Each URL ends exactly once, and a kill costs no more than two batches of requests."""
    luck = random.Random(SEED)
    before: set[str] = set()
    for _ in range(KILLS):
        kill_after(site, luck.randint(0, URLS // (KILLS + 2)))
        if site.ledger.exists():
            recorded = site.recorded()
            # What a run has committed stays; and each recorded file is there.
            assert before <= recorded
            assert recorded <= {path.name for path in site.target.glob("*.bin")}
            before = recorded
    last = run_cli(site.url_list, "-d", site.target, "-c", "-q")
    assert last.status == 1, last
    assert not last.has_traceback
    files = {path.name: path.read_text() for path in visible(site.target)}
    assert files == {f"{number:06}.bin": f"{number:06}.bin" for number in range(URLS)}
    assert site.recorded() == set(files)
    asked = [entry for entry in site.nginx.log_when_quiet() if entry.target.endswith(".bin")]
    assert len(asked) - URLS <= KILLS * (WORKERS + 2 * BATCH)
    assert run_cli(site.url_list, "-d", site.target, "-c", "-q").status == 1
    again = site.nginx.log_when_quiet()
    assert [entry.target for entry in again[-1:]] == ["/f/none"]
    assert sum(entry.target.endswith(".bin") for entry in again) == len(asked)
