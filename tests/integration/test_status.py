"""The command `status` as a process: beside a run, after it, after a kill, in a pipe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.cli import MAIN, ROOT, RunningCli, clean_environment, run_cli
from tests.support.hardship import without_rights
from tests.support.ledgers import IN_DIRECTORY, failure, record_run, success
from tests.support.scripted_server import Hold, Reply, ScriptedServer
from tests.support.terminal import Terminal
from tests.support.waiting import wait_until

MODULE = (sys.executable, "-m", "url_downloader")


def status_of(directory: Path, *words: str | Path) -> str:
    """Return what the command prints about an output directory; it must succeed."""
    result = run_cli("status", "-d", directory, *words)
    assert (result.status, result.stderr) == (0, ""), result
    return result.stdout


def entries_of(directory: Path) -> dict[str, int]:
    """Return the numbers of entries by state, without the states that have none."""
    entries = json.loads(status_of(directory, "--json"))["entries"]
    return {state: count for state, count in entries.items() if count}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path of an output directory that does not exist."""
    return tmp_path / "out"


@pytest.mark.parametrize("program", [MAIN, MODULE], ids=["main.py", "module"])
def test_after_a_run(server: ScriptedServer, target: Path, program: Sequence[str]) -> None:
    """Each way to start the program tells what the run has left."""
    server.play("/a", Reply(body=b"12345"))
    urls = f"{server.url('/a')}\n{server.url('/b')}\n".encode()
    run_cli("-", "-d", target, "-w", "3", program=program, stdin=urls)
    result = run_cli("status", "-d", target, program=program)
    assert (result.status, result.stderr) == (0, ""), result
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[:3] == [
        f"ledger: {target / IN_DIRECTORY}",
        "URLs: 1 failed, 1 downloaded",
        "complete files: 5 B",
    ]
    for line in ("1  http-404", f"1  {server.url().rstrip('/')}", "max_workers = 3"):
        assert line in lines
    assert any(line.endswith(": exit status 1") for line in lines)


def test_beside_a_run(server: ScriptedServer, target: Path) -> None:
    """While a run goes on, the command tells how far it is, and the run takes no notice."""
    release = threading.Event()
    server.play("/a", Reply(body=b"1"))
    server.play("/b", Reply(body=b"2", delivery=Hold(release)))
    urls = f"{server.url('/a')}\n{server.url('/b')}\n".encode()
    with RunningCli("-", "-d", target) as run:
        run.send(urls)
        wait_until((target / IN_DIRECTORY).exists, what="the ledger")
        wait_until(lambda: entries_of(target) == {"downloaded": 1}, what="the first file")
        assert ": running or killed" in status_of(target)
        release.set()
        result = run.wait()
    assert (result.status, entries_of(target)) == (0, {"downloaded": 2}), result
    assert ": exit status 0" in status_of(target)


def test_after_a_kill(server: ScriptedServer, target: Path) -> None:
    """After a kill the command tells what was recorded, and the next run goes on."""
    release = threading.Event()
    server.play("/a", Reply(body=b"1"))
    server.play("/b", Reply(body=b"2", delivery=Hold(release)), Reply(body=b"2"))
    urls = f"{server.url('/a')}\n{server.url('/b')}\n".encode()
    with RunningCli("-", "-d", target) as run:
        run.send(urls)
        wait_until((target / IN_DIRECTORY).exists, what="the ledger")
        wait_until(lambda: entries_of(target) == {"downloaded": 1}, what="the first file")
        run.signal(signal.SIGKILL)
        assert run.wait().status == -signal.SIGKILL
    release.set()
    assert entries_of(target) == {"downloaded": 1}
    assert ": running or killed" in status_of(target)
    assert run_cli("-", "-d", target, "-c", stdin=urls).status == 0
    assert entries_of(target) == {"downloaded": 2}


def test_the_failed_list_is_a_list(server: ScriptedServer, target: Path) -> None:
    """The list of the failed URLs, given to the program, brings their files."""
    server.play("/a", Reply(status=404), Reply(body=b"1"))
    server.play("/b", Reply(status=404), Reply(body=b"2"))
    server.play("/c", Reply(body=b"3"))
    paths = ("/a", "/b", "/c")
    urls = "".join(f"{server.url(path)}\n  out=sub{path} x\n" for path in paths).encode()
    assert run_cli("-", "-d", target, stdin=urls).status == 1
    failed = status_of(target, "--failed")
    assert failed.count("# failed: HTTP 404") == 2
    assert run_cli("-", "-d", target, stdin=failed.encode()).status == 0
    contents = {path.name: path.read_bytes() for path in (target / "sub").iterdir()}
    assert contents == {"a x": b"1", "b x": b"2", "c x": b"3"}
    assert (server.count("/c"), status_of(target, "--failed")) == (1, "")


def test_a_ledger_elsewhere(tmp_path: Path) -> None:
    """A ledger is named by an option, or without one; the output directory need not exist."""
    path = record_run(tmp_path / "x.db", [success("a")])
    one, other = run_cli("status", path), run_cli("status", "--ledger", path, "-d", "none")
    assert one.stdout == other.stdout == f"ledger: {path}\n" + one.stdout.partition("\n")[2]
    assert "URLs: 1 downloaded\n" in one.stdout


@pytest.mark.parametrize("word", ["status", "verify"])
def test_without_a_ledger(target: Path, word: str) -> None:
    """Without a ledger the status is 3, and the message says how to name one."""
    result = run_cli(word, "-d", target)
    assert (result.status, result.stdout) == (3, ""), result
    assert result.stderr.startswith(f"url-downloader {word}: {target / IN_DIRECTORY}: there is")
    assert result.stderr.count("\n") == 1
    assert not target.exists()


def test_a_list_of_that_name(server: ScriptedServer, tmp_path: Path) -> None:
    """A list called status is given as ./status, or after an option."""
    server.play("/a", Reply(body=b"1"))
    (tmp_path / "status").write_text(server.url("/a"))
    code = "import os, runpy, sys; os.chdir(sys.argv.pop(1)); sys.argv[0] = 'url-downloader'\n"
    code += "runpy.run_module('url_downloader', run_name='__main__', alter_sys=True)"
    program = (sys.executable, "-c", f"import sys; sys.path.insert(0, '{ROOT}')\n{code}")
    for number, words in enumerate((("./status",), ("-q", "status")), start=1):
        result = run_cli(tmp_path, *words, program=program)
        assert (result.status, server.count("/a")) == (0, number), result


def test_a_read_only_directory(server: ScriptedServer, target: Path) -> None:
    """The command needs no right to write, whether the run has ended or was killed."""
    server.play("/a", Reply(body=b"1"))
    assert run_cli("-", "-d", target, stdin=server.url("/a").encode()).status == 0
    folder = (target / IN_DIRECTORY).parent
    folder.chmod(0o500)
    try:
        program = without_rights(MAIN)
        for word in ("status", "verify"):
            result = run_cli(word, "-d", target, program=program)
            assert result.status == 0, result
        assert sorted(path.name for path in folder.iterdir()) == ["ledger.db", "ledger.lock"]
    finally:
        folder.chmod(0o700)


def test_an_unreadable_ledger(target: Path) -> None:
    """A ledger without the right to read it is named, with the reason."""
    target.mkdir()
    path = record_run(target / IN_DIRECTORY, [success("a")])
    path.chmod(0)
    result = run_cli("status", "-d", target, program=without_rights(MAIN))
    assert (result.status, result.stdout) == (3, ""), result
    assert f"{path}: the ledger can't be read: Permission denied" in result.stderr


def many_failures(target: Path) -> None:
    """Record more failures than a pipe holds as text."""
    target.mkdir()
    record_run(target / IN_DIRECTORY, (failure(f"{n}") for n in range(5000)))


@pytest.mark.parametrize("word", ["status", "verify"])
def test_a_full_disk(target: Path, word: str) -> None:
    """Output that can't be written is an error, not a success."""
    target.mkdir()
    record_run(target / IN_DIRECTORY, [success("a"), failure("b")])
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [*MAIN, word, "-d", str(target)],
            check=False,
            cwd=ROOT,
            env=clean_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert result.returncode == 3, result
    assert b"standard output can't be written: No space left on device" in result.stderr


class Piped:
    """The command with a pipe for its output, and stderr in a file."""

    def __init__(self, target: Path) -> None:
        self._log = target.parent / "stderr"
        with self._log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*MAIN, "status", "-d", str(target), "--failed"],
                cwd=ROOT,
                env=clean_environment(),
                stdout=subprocess.PIPE,
                stderr=stderr,
            )

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit status and what stderr got."""
        assert self.process.stdout is not None
        try:
            status = self.process.wait(60)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.process.wait()
        return status, self._log.read_text()


def test_a_closed_pipe(target: Path) -> None:
    """A reader that has seen enough, such as head, is no error."""
    many_failures(target)
    piped = Piped(target)
    assert piped.process.stdout is not None
    assert piped.process.stdout.readline().startswith(b"# failed")
    piped.process.stdout.close()
    assert piped.end() == (0, "")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal(target: Path, number: signal.Signals, status: int) -> None:
    """A signal ends the command while its reader is slow; there is no traceback."""
    many_failures(target)
    piped = Piped(target)
    assert piped.process.stdout is not None
    os.read(piped.process.stdout.fileno(), 1)
    piped.process.send_signal(number)
    assert piped.end() == (status, "")


def test_a_terminal(target: Path) -> None:
    """On a terminal no text of a server can move the cursor."""
    target.mkdir()
    failed = failure("a\u202eb", "http://h/x", message="\x1b[2J\x07bad")
    record_run(target / IN_DIRECTORY, [failed])
    with Terminal("status", "-d", target, "--failed") as terminal:
        assert terminal.wait() == 0
        assert "# failed: \\x1b[2J\\x07bad" in terminal.text
        assert "out=a\\u202eb" in terminal.text
        assert b"\x1b" not in terminal.written
