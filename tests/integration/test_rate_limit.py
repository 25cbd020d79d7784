"""The option --limit-rate with a real nginx, and its switch SIGUSR2."""

from __future__ import annotations

import re
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.support.cli import RunningCli, numbers, run_cli
from tests.support.nginx import Nginx
from tests.support.output_folder import files_of
from tests.support.ranges import content
from tests.support.scripted_server import Hold, Reply, ScriptedServer
from tests.support.waiting import wait_until

SOON = 20.0
"""Seconds within which a run ends that would take hours, even on a busy machine."""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return an output directory that does not exist yet."""
    return tmp_path / "downloads"


def files_in(nginx: Nginx, folder: str, count: int, *, size: int) -> dict[str, bytes]:
    """Write files of this size for nginx; return their contents by name."""
    (nginx.root / folder).mkdir()
    files = {f"{number}": content(size + number % 3) for number in range(count)}
    for name, data in files.items():
        (nginx.root / folder / name).write_bytes(data)
    return files


@pytest.mark.parametrize("workers", [1, 64])
@pytest.mark.parametrize("tls", [False, True])
def test_many_small_files(
    nginx: Nginx, target: Path, ca_bundle: Path, *, workers: int, tls: bool
) -> None:
    """A thousand small files take the time of their bytes, and each is asked for once."""
    folder = f"small-{workers}-{tls}"
    files = files_in(nginx, folder, 1000, size=1024)
    entries = "".join(f"{nginx.url(f'/{folder}/{name}', tls=tls)}\n" for name in files)
    options = (f"-w{workers}", "--limit-rate=1M", "--ca-cert", ca_bundle)
    began = time.monotonic()
    result = run_cli("-", "-d", target, *options, stdin=entries.encode())
    assert time.monotonic() - began >= 1000 / 1024
    assert (result.status, numbers(result)) == (0, (1000, 0, 0)), result
    assert files_of(target) == files
    asked = [each.target for each in nginx.log_when_quiet() if f"/{folder}/" in each.target]
    assert len(asked) == 1000


def test_no_attempt_is_too_slow(nginx: Nginx, target: Path) -> None:
    """At 80 bytes per second for each of 64 workers, no attempt counts as slow or silent."""
    files = files_in(nginx, "slow", 64, size=100)
    entries = "".join(f"{nginx.url(f'/slow/{name}')}\n" for name in files)
    options = ("-w64", "--limit-rate=5k", "--speed-limit=100", "--speed-time=1", "-T2")
    result = run_cli("-", "-d", target, *options, stdin=entries.encode())
    assert result.status == 0, result
    assert result.totals is not None
    assert result.totals.retries == 0, result
    assert files_of(target) == files


def wait_for_line(run: RunningCli, pattern: str, *, count: int = 1) -> None:
    """Return once stderr has so many matches of `pattern`."""
    wait_until(
        lambda: len(re.findall(pattern, run.stderr_so_far())) >= count,
        what=f"{pattern!r} on stderr",
    )


ON, OFF = r"--limit-rate 1 B/s is on", r"--limit-rate 1 B/s is off; the next SIGUSR2"


NO_LIMIT = r"SIGUSR2 has no effect: the run has no --limit-rate"


@pytest.mark.parametrize(
    ("options", "lines"), [(["--limit-rate=1"], [OFF, ON, OFF]), ([], [NO_LIMIT] * 3)]
)
@pytest.mark.parametrize("option", ["-q", "-v"])
def test_the_switch(
    server: ScriptedServer, target: Path, *, options: list[str], lines: list[str], option: str
) -> None:
    """SIGUSR2 switches the limit off and on, if there is one, and a line says so each time."""
    release = threading.Event()
    server.play("/a", Reply(body=b"a" * 5000, delivery=Hold(release, 1000)))
    with RunningCli("-", "-d", target, *options, option) as run:
        run.send(server.url("/a\n").encode())
        server.wait_for_requests(1)
        for number, line in enumerate(lines):
            run.signal(signal.SIGUSR2)
            wait_for_line(run, line, count=lines[: number + 1].count(line))
        release.set()
        result = run.wait(SOON)
    assert result.status == 0, result
    assert files_of(target) == {"a": b"a" * 5000}
