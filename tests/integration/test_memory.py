"""The memory of a run, which does not depend on the size of its files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import run_cli
from tests.support.nginx import Nginx

MIB = 1 << 20
SMALL, LARGE = 1 * MIB, 256 * MIB
"""Bytes of the files. A file of 1 GiB gives the same result in four times the time."""
ALLOWED_GROWTH = 6 * MIB

# The program, which prints its peak memory at the end. getrusage is no use here: for a new
# process it gives the memory of the one that started it.
MEASURED = """
import sys
from pathlib import Path
from url_downloader.main import main
status = main()
fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(int(fields["VmHWM"].split()[0]) * 1024)
sys.exit(status)
"""
PROGRAM = (sys.executable, "-c", MEASURED)


@pytest.fixture(scope="module")
def folder(nginx: Nginx) -> Iterator[Path]:
    """Return a folder with sparse files of zeros."""
    folder = nginx.root / "zeros"
    folder.mkdir()
    for size in (SMALL, LARGE):
        (folder / f"{size}.bin").touch()
        os.truncate(folder / f"{size}.bin", size)
    yield folder
    shutil.rmtree(folder)


def peak_memory(nginx: Nginx, target: Path, *, size: int, has_checksum: bool) -> int:
    """Return the peak memory in bytes of a run for one file of `size` bytes."""
    option = f"  checksum=sha-256={digest_of_zeros(size)}\n" if has_checksum else ""
    entry = f"{nginx.url(f'/zeros/{size}.bin')}\n{option}"
    try:
        result = run_cli("-", "-d", target, "-q", program=PROGRAM, stdin=entry.encode())
        assert result.status == 0, result
        assert (target / f"{size}.bin").stat().st_size == size
    finally:
        shutil.rmtree(target, ignore_errors=True)
    return int(result.stdout)


def digest_of_zeros(size: int) -> str:
    """Return the SHA-256 of so many zeros, a multiple of 1 MiB."""
    digest = hashlib.sha256()
    for _ in range(size // MIB):
        digest.update(bytes(MIB))
    return digest.hexdigest()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("has_checksum", [False, True], ids=["plain", "checksum"])
def test_large_as_small(nginx: Nginx, folder: Path, tmp_path: Path, has_checksum: bool) -> None:
    """A large file takes as much memory as one of 1 MiB, with and without a checksum."""
    assert folder.exists()
    small, large = (
        peak_memory(nginx, tmp_path / "downloads", size=size, has_checksum=has_checksum)
        for size in (SMALL, LARGE)
    )
    assert large - small < ALLOWED_GROWTH


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_the_simulation_of_long_lists() -> None:
    """The benchmark of memory runs the whole program, with a list of any length."""
    command = (sys.executable, "-m", "tests.benchmarks.memory", "500")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("HTTP 404 Not Found") >= 500
    assert 10 * MIB < int(done.stdout) < 100 * MIB
