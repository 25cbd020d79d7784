"""The servers of the benchmark: an nginx and a slow server on the loopback address."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.benchmarks.rows import MEDIUM_SIZE, QUICK_MILLISECONDS, Kind, Row
from tests.benchmarks.slow_server import BODY_SIZE, HOSTS, body_of
from tests.support.nginx import Nginx, running_nginx
from tests.support.processes import start_bound, stop
from tests.support.waiting import wait_until

SMALL_SIZE = 1024
BIG_SIZE = 256 << 20
_SIZES = {Kind.SMALL: SMALL_SIZE, Kind.MEDIUM: MEDIUM_SIZE, Kind.BIG: BIG_SIZE}
_BLOCK = 4 << 20
# The time to log each 404 is not that of the tools.
_QUIET = "access_log off; log_not_found off;"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSite:
    """The servers, and the right contents of their files.

    Args:
        nginx: Server of the files below its root.
        slow_port: Port of the slow server.
    """

    nginx: Nginx
    slow_port: int

    def prepare(self, row: Row) -> None:
        """Create the files of a row, if it needs any."""
        if row.kind in (Kind.SLOW, Kind.HOSTS, Kind.MISSING):
            return
        folder = self._folder(row)
        folder.mkdir(exist_ok=True)
        for name in row.names():
            if not (folder / name).exists():
                _fill(folder / name, _SIZES[row.kind])

    def urls(self, row: Row, count: int, *, run: int) -> Sequence[str]:
        """Return the first `count` URLs of a row, which have the run for the slow server."""
        names = [name for name, _ in zip(row.names(), range(count), strict=False)]
        if row.kind is Kind.HOSTS:
            return [self._url_of_host(row, n, name=name) for n, name in enumerate(names)]
        if row.kind is not Kind.SLOW:
            return [self.nginx.url(f"/{row.kind.name.lower()}/{name}") for name in names]
        start = f"http://127.0.0.1:{self.slow_port}/{row.milliseconds}"
        return [f"{start}/{row.failures(n)}/{run}/{name}" for n, name in enumerate(names)]

    def _url_of_host(self, row: Row, n: int, *, name: str) -> str:
        slow, *quick = HOSTS
        is_slow = row.is_slow(n)
        host = slow if is_slow else quick[n // 2 % row.quick_hosts]
        milliseconds = row.milliseconds if is_slow else QUICK_MILLISECONDS
        if row.quick_hosts == 1 and not is_slow:
            milliseconds = 0
        return f"http://{host}:{self.slow_port}/{milliseconds}/0/0/{name}"

    def has_quick_files(self, row: Row, folder: Path) -> bool:
        """Tell whether all files of the quick hosts are in a folder, and complete."""
        there = (each for each in os.scandir(folder) if each.name.endswith(".bin"))
        complete = {each.name for each in there if each.stat().st_size == BODY_SIZE}
        return complete.issuperset(row.quick_names())

    def wrong_files(self, row: Row, folder: Path, *, count: int) -> Sequence[str]:
        """Return the names of wrong, unwanted and missing files in a folder."""
        wanted = set() if row.kind is Kind.MISSING else set(list(row.names())[:count])
        there = {path.name for path in folder.iterdir()}
        if row.kind is Kind.HOSTS:
            # The tool was stopped when the quick files were there.
            wanted = there = set(row.quick_names())
        wrong = [name for name in wanted & there if not self._is_right(row, folder / name)]
        return sorted(wrong + list(wanted ^ there))

    def _is_right(self, row: Row, path: Path) -> bool:
        if row.kind in (Kind.SLOW, Kind.HOSTS):
            return path.read_bytes() == body_of(path.name)
        return _are_equal(path, self._folder(row) / path.name)

    def _folder(self, row: Row) -> Path:
        return self.nginx.root / row.kind.name.lower()


@contextmanager
def running_site(scratch: Path) -> Iterator[BenchmarkSite]:
    """Yield the servers, which run during the block.

    Args:
        scratch: Empty folder for all their files.
    """
    root, prefix = scratch / "www", scratch / "nginx"
    root.mkdir()
    prefix.mkdir()
    with (
        running_nginx(root, prefix, trustme.CA(), locations=_QUIET) as nginx,
        _running_slow_server(scratch / "slow.log") as port,
    ):
        yield BenchmarkSite(nginx=nginx, slow_port=port)


@contextmanager
def _running_slow_server(log: Path) -> Iterator[int]:
    script = Path(__file__).with_name("slow_server.py")
    process = start_bound([sys.executable, str(script)], log=log)
    try:
        wait_until(lambda: _has_ended(process) or log.read_text().endswith("\n"), what="a port")
        yield int(log.read_text())
    finally:
        stop(process)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def fill_and_forget(path: Path, size: int) -> None:
    """Make the system get so many bytes of memory, for the next files in memory."""
    with path.open("wb") as file:
        for _ in range(0, size, _BLOCK):
            file.write(bytes(_BLOCK))
    path.unlink()


def _fill(path: Path, size: int) -> None:
    """Write a file of random blocks."""
    with path.open("wb") as file:
        while size > 0:
            block = os.urandom(min(size, 4096)) * 1024
            size -= file.write(block[: min(size, _BLOCK)])


def _are_equal(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while (block := first.read(_BLOCK)) == second.read(_BLOCK):
            if not block:
                return True
    return False
