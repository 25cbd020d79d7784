"""Limits and pauses of real hosts; the requests that the servers have got are the judge."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.cli import CliResult, RunningCli, numbers, run_cli
from tests.support.scripted_server import Reply, ScriptedServer
from tests.support.waiting import wait_until

FILES = 60
SOON = 20.0
"""Seconds, generous, for the end of a run that was told to end."""
KEPT = Reply(body=b"kept")


@pytest.fixture
def other() -> Iterator[ScriptedServer]:
    """Yield a second server, which is another host."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder for the files of a test."""
    return tmp_path


def download(folder: Path, urls: Sequence[str], *options: str) -> CliResult:
    """Download URLs with 16 workers."""
    stdin = "".join(f"{url}\n" for url in urls).encode()
    return run_cli("-", "-d", folder / "downloads", "-w16", *options, stdin=stdin)


@pytest.mark.parametrize("cap", [1, 3])
def test_a_cap_of_connections(server: ScriptedServer, folder: Path, *, cap: int) -> None:
    """Never more connections than --per-host are open, idle ones included."""
    server.play("/a", KEPT)
    urls = [server.url(f"/a?{n}") for n in range(FILES)]
    result = download(folder, urls, f"--per-host={cap}")
    assert numbers(result) == (FILES, 0, 0), result
    assert server.most_open == cap


def test_a_cap_of_a_host_that_others_lead_to(
    server: ScriptedServer, other: ScriptedServer, folder: Path
) -> None:
    """A redirect to a capped host waits for a place there; the other host is asked again."""
    other.play("/b", KEPT)
    for n in range(FILES):
        server.play(f"/{n}", Reply(status=302, headers={"Location": other.url(f"/b?{n}")}))
    rules = folder / "rules.txt"
    rules.write_text(f"127.0.0.1:{other.port} per-host=2\n")
    urls = [server.url(f"/{n}") for n in range(FILES)]
    result = download(folder, urls, "--host-rules", str(rules))
    assert numbers(result) == (FILES, 0, 0), result
    assert other.most_open <= 2
    assert other.count() == FILES
    assert server.count() <= 2 * FILES


def test_a_rate_of_requests(
    server: ScriptedServer, other: ScriptedServer, folder: Path
) -> None:
    """No host gets more requests than --host-rate allows, through redirects neither."""
    for n in range(FILES):
        location = {"Location": server.url(f"/a?{n}")}
        other.play(f"/{n}", Reply(status=302, headers=location))
    server.play("/a", KEPT)
    urls = [
        (server if n % 2 else other).url(f"/{n}" if not n % 2 else "/a") for n in range(FILES)
    ]
    urls = [f"{url}?{n}" for n, url in enumerate(urls)]
    result = download(folder, urls, "--host-rate=30/s")
    assert numbers(result) == (FILES, 0, 0), result
    for each in (server, other):
        times = [request.time for request in each.requests()]
        seconds = times[-1] - times[0]
        assert seconds >= (len(times) - 1) / 30 * 0.95


def test_a_pause_that_the_server_asks_for(server: ScriptedServer, folder: Path) -> None:
    """After a Retry-After, no URL of the host is asked for until it is over."""
    wait = Reply(status=429, headers={"Retry-After": "2"})
    server.play("/a", KEPT, KEPT, wait, KEPT)
    urls = [server.url(f"/a?{n}") for n in range(FILES)]
    result = download(folder, urls, "--retry-on=429", "--retry-delay=0")
    assert numbers(result) == (FILES, 0, 0), result
    times = [request.time for request in server.requests()]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert len(times) == FILES + 1
    assert max(gaps) >= 1.9, "requests came in the pause"
    # How many begin before the reply is read depends on the machine. The third one got it.
    assert gaps.index(max(gaps)) >= 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_pause(
    server: ScriptedServer, folder: Path, *, number: signal.Signals
) -> None:
    """A run whose only host is paused ends soon; no URL has failed, all are in the list."""
    server.play("/a", Reply(status=429, headers={"Retry-After": "300"}))
    source, failed = folder / "list.txt", folder / "failed.txt"
    urls = [server.url(f"/a?{n}") for n in range(FILES)]
    source.write_text("".join(f"{url}\n" for url in urls))
    options = ("--retry-on=429", "--failed-out", failed, "--monitor-interval=0.1")
    with RunningCli(source, "-d", folder / "downloads", *options) as run:
        wait_until(lambda: "no request to it for" in run.stderr_so_far(), what="the pause")
        wait_until(lambda: f" of {FILES} |" in run.stderr_so_far(), what="the whole list")
        run.signal(number)
        result = run.wait_with_open_stdin(SOON)
    assert result.status == 128 + number, result
    assert numbers(result) == (0, 0, FILES)
    left = [line for line in failed.read_text().splitlines() if line.startswith("http")]
    assert left == urls
