"""Pipes whose other end does nothing: the first signal ends a run that waits for it."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.cli import MAIN, ROOT, clean_environment
from tests.support.scripted_server import Reply, ScriptedServer
from tests.support.waiting import wait_until

PATIENT = 30.0
SMALLEST_PIPE = 4096


@contextmanager
def process(
    *arguments: str | Path, stdout: int | None = None, stderr: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the program with its streams on these descriptors; kill it at the end."""
    running = subprocess.Popen(
        [*MAIN, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=stdout if stdout is not None else subprocess.DEVNULL,
        stderr=stderr if stderr is not None else subprocess.DEVNULL,
        env=clean_environment(),
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


@contextmanager
def unread_pipe() -> Iterator[tuple[int, int]]:
    """Yield both ends of a pipe of the smallest size, which is not read."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, SMALLEST_PIPE)
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def is_full(writer: int) -> bool:
    """Return whether a write to the pipe would block."""
    return not select.select([], [writer], [], 0)[1]


def urls(server: ScriptedServer, folder: Path, count: int) -> Path:
    """Write a list of missing URLs, each of which is a line in the log."""
    path = folder / "list"
    path.write_text("".join(server.url(f"/{number}\n") for number in range(count)))
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", ["-w1", "-w32"])
def test_a_full_stderr(
    server: ScriptedServer, tmp_path: Path, number: signal.Signals, workers: str
) -> None:
    """A reader of the log that stops reading blocks the run, but not its end."""
    server.play("/", Reply(status=404))
    source = urls(server, tmp_path, 2000)
    with (
        unread_pipe() as (_, writer),
        process(source, "-d", tmp_path / "out", workers, stderr=writer) as running,
    ):
        wait_until(lambda: is_full(writer), what="a full pipe")
        running.send_signal(number)
        assert running.wait(PATIENT) == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_full_stdout_of_a_dry_run(
    server: ScriptedServer, tmp_path: Path, number: signal.Signals
) -> None:
    """A reader of the plan that stops reading does not block the end either."""
    source = urls(server, tmp_path, 5000)
    with unread_pipe() as (_, writer), process(source, "--dry-run", stdout=writer) as running:
        wait_until(lambda: is_full(writer), what="a full pipe")
        running.send_signal(number)
        assert running.wait(PATIENT) == 128 + number


def test_a_slow_reader_of_stderr_gets_all(server: ScriptedServer, tmp_path: Path) -> None:
    """No line is lost while the run goes on, however late it is read."""
    source = urls(server, tmp_path, 300)
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, SMALLEST_PIPE)
    with (
        open(reader, "rb") as stream,  # noqa: PTH123
        process(source, "-d", tmp_path / "out", stderr=writer) as running,
    ):
        wait_until(lambda: is_full(writer), what="a full pipe")
        os.close(writer)
        text = stream.read()
        assert running.wait(PATIENT) == 4
    assert len([line for line in text.splitlines() if b" ERROR " in line]) == 300


@pytest.mark.parametrize(
    "option",
    [
        "--failed-out",
        "--cookies",
        "--netrc",
        "--checksums",
        "--report",
        "--log-file",
        "--ca-cert",
        "--cert",
        "-H@",
        "list",
    ],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_fifo_without_a_partner(
    server: ScriptedServer, tmp_path: Path, option: str, number: signal.Signals
) -> None:
    """With a FIFO for any option, the first signal ends the wait for its other end."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    source = fifo if option == "list" else urls(server, tmp_path, 1)
    given = {"list": (), "-H@": (f"-H@{fifo}",)}.get(option, (option, fifo))
    report = tmp_path / "report"
    plain = () if option == "--report" else ("--report", report)
    with process(source, "-d", tmp_path / "out", *given, *plain) as running:
        if option == "--failed-out":
            # It is opened after all jobs have ended, without blocking.
            wait_until(lambda: report.exists() and report.stat().st_size > 0, what="the end")
        else:
            wait_until(lambda: is_waiting(running.pid, fifo), what="the FIFO")
        running.send_signal(number)
        assert running.wait(PATIENT) in (128 + number, -number)


def is_waiting(pid: int, fifo: Path) -> bool:
    """Return whether the process waits for the other end of a FIFO, or has it open."""
    descriptors = Path(f"/proc/{pid}/fd")
    with suppress(OSError):
        has_it = any(each.readlink() == fifo for each in descriptors.iterdir())
        return has_it or Path(f"/proc/{pid}/wchan").read_text() == "wait_for_partner"
    return False
