"""The command `verify` as a process: what it prints, its exit status, signals, memory."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cli import MAIN, ROOT, CliResult, RunningCli, clean_environment, run_cli
from tests.support.ledgers import IN_DIRECTORY, failure, of_file, record_run, success
from tests.support.scripted_server import Reply, ScriptedServer
from tests.support.terminal import Terminal
from tests.support.waiting import wait_until
from url_downloader.shared.job_options import Checksum

HUGE = 1 << 40
"""Bytes of a sparse file that takes far longer to read than a test."""
ALLOWED_GROWTH = 8 << 20
"""Bytes; a row of a ledger takes about 200."""
# The program, which prints its peak memory at the end.
MEASURED = """
import sys
from contextlib import suppress
from pathlib import Path
from url_downloader.main import main
main()
fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(int(fields["VmHWM"].split()[0]) * 1024)
"""


def sha256(data: bytes) -> Checksum:
    """Return the digest of the data."""
    return Checksum("sha-256", hashlib.sha256(data).hexdigest())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return an output directory that is empty."""
    target = tmp_path / "out"
    target.mkdir()
    return target


def verify(target: Path, *words: str | Path) -> CliResult:
    """Verify an output directory; return the result, which must not have a traceback."""
    result = run_cli("verify", "-d", target, *words)
    assert not result.has_traceback, result
    return result


def test_after_a_run(server: ScriptedServer, target: Path) -> None:
    """What a run has downloaded is as recorded, until someone changes it."""
    for name in ("one", "two", "three"):
        server.play(f"/{name}", Reply(body=name.encode()))
    urls = "".join(f"{server.url(f'/{name}')}\n" for name in ("one", "two", "three", "none"))
    sum_line = f"  checksum=sha-256={sha256(b'three').digest}\n"
    urls = urls.replace("/three\n", f"/three\n{sum_line}")
    assert run_cli("-", "-d", target, stdin=urls.encode()).status == 1
    good = verify(target)
    assert (good.status, good.stdout) == (0, ""), good
    assert good.stderr == (
        "3 files compared, 0 differ\n2 by size and time only: no digest is known\n"
    )
    times = (target / "three").stat()
    (target / "three").write_bytes(b"thr33")
    os.utime(target / "three", ns=(times.st_atime_ns, times.st_mtime_ns))
    (target / "two").write_bytes(b"two!")
    (target / "one").unlink()
    bad = verify(target)
    assert bad.status == 1, bad
    assert sorted(bad.stdout.splitlines()) == [
        "one: is missing",
        f"three: sha-256 is {sha256(b'thr33').digest}, not {sha256(b'three').digest}",
        "two: has 4 bytes, not 3",
    ]
    assert bad.stderr.startswith("3 files compared, 3 differ\n")


def test_checksums(target: Path) -> None:
    """Checksums of the user are compared, too; names without an entry are counted."""
    (target / "sub").mkdir()
    for name in ("a", "sub/b"):
        (target / name).write_bytes(b"12345")
    record_run(target / IN_DIRECTORY, [of_file(target / name, name) for name in ("a", "sub/b")])
    sums = target.parent / "SHA256SUMS"
    right, wrong = sha256(b"12345").digest, sha256(b"other").digest
    sums.write_text(f"{right}  a\n{right} *./sub/b\n")
    assert verify(target, "--checksums", sums).status == 0
    sums.write_text(f"{wrong}  a\n{right}  c\n")
    result = verify(target, "--checksums", sums)
    assert (result.status, result.stdout) == (1, f"a: sha-256 is {right}, not {wrong}\n")
    assert "1 of 2 checksums are for files that the ledger does not have" in result.stderr


def test_another_directory(target: Path) -> None:
    """A ledger elsewhere is compared with the output directory, which has to exist."""
    path = record_run(target / "x.db", [success("a")])
    result = run_cli("verify", "--ledger", path, "-d", target)
    assert (result.status, result.stdout) == (1, "a: is missing\n"), result
    result = run_cli("verify", "--ledger", path, "-d", target / "none")
    assert (result.status, result.stdout) == (3, ""), result
    assert f"{target / 'none'}: there is no such directory" in result.stderr


def test_a_moved_directory(server: ScriptedServer, target: Path) -> None:
    """A directory that was moved has its ledger with it, whose names still hold."""
    server.play("/a", Reply(body=b"12345"))
    assert run_cli("-", "-d", target, stdin=server.url("/a").encode()).status == 0
    moved = target.rename(target.with_name("moved"))
    assert (verify(moved).status, verify(target).status) == (0, 3)


def record_huge(target: Path) -> None:
    """Record a file that takes very long to read."""
    path = target / "huge"
    path.touch()
    os.truncate(path, HUGE)
    record_run(target / IN_DIRECTORY, [of_file(path, "huge", digest=sha256(b""))])


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal(target: Path, number: signal.Signals, status: int) -> None:
    """A signal ends the command in the middle of a file, without a traceback."""
    record_huge(target)
    with RunningCli("verify", "-d", target) as run:
        wait_until(lambda: has_open(run.pid, target / "huge"), what="the open file")
        run.signal(number)
        result = run.wait()
    assert (result.status, result.stdout) == (status, ""), result
    assert result.stderr.startswith("0 files compared"), result


def has_open(pid: int, path: Path) -> bool:
    """Tell whether a process has opened the file."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            if link.readlink() == path:
                return True
    return False


def test_progress(target: Path) -> None:
    """On a terminal a line says how far the command is, and makes way for differences."""
    record_run(target / IN_DIRECTORY, [success("gone\u202e")])
    with Terminal("verify", "-d", target) as terminal:
        assert terminal.wait() == 1
        assert terminal.rows[:2] == ["gone\\u202e: is missing", "1 file compared, 1 differs"]
    record_huge(target)
    with Terminal("verify", "-d", target) as terminal:
        terminal.wait_for(
            lambda rows: bool(re.search(r"compared: 1, [\d.]+ [MG]iB read", "\n".join(rows))),
            what="progress",
        )
        terminal.type(b"\x03")
        assert terminal.wait() == 130


def test_a_closed_pipe(target: Path) -> None:
    """A reader that has gone does not change the exit status, which is still the truth."""
    record_run(target / IN_DIRECTORY, (success(f"{n}") for n in range(5000)))
    read, write = os.pipe()
    os.close(read)
    try:
        result = subprocess.run(
            [*MAIN, "verify", "-d", str(target)],
            check=False,
            cwd=ROOT,
            env=clean_environment(),
            stdout=write,
            stderr=subprocess.PIPE,
        )
    finally:
        os.close(write)
    assert result.returncode == 1
    assert result.stderr.startswith(b"5000 files compared, 5000 differ\n")


@pytest.mark.parametrize("word", ["status", "verify"])
def test_memory(target: Path, word: str) -> None:
    """A ledger of fifty thousand hosts takes no more memory than one of fifty."""

    def peak(count: int) -> int:
        directory = target / f"{count}"
        directory.mkdir()
        urls = (f"http://host{n}.example/{n}" for n in range(count))
        records = (
            failure(f"{n}", url) if n % 2 else success(f"{n}", url)
            for n, url in enumerate(urls)
        )
        record_run(directory / IN_DIRECTORY, records)
        result = run_cli(word, "-d", directory, program=(sys.executable, "-c", MEASURED))
        return int(result.stdout.splitlines()[-1])

    assert peak(50_000) < peak(50) + ALLOWED_GROWTH
