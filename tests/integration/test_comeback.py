"""Servers that go away and come back: the run waits for them, and loses no file."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.support.cli import CliResult, RunningCli, run_cli
from tests.support.output_folder import HIDDEN, visible
from tests.support.ranges import ranged
from tests.support.scripted_server import (
    Action,
    Answer,
    Cut,
    Hold,
    Raw,
    Reply,
    Request,
    Reset,
    ScriptedServer,
)
from tests.support.sizes import sizes_of
from tests.support.waiting import wait_until

KIB, MIB = 1 << 10, 1 << 20
OUTAGE = 5.0
# Ten delays of up to 4 s add up to less than the outage once in a hundred thousand runs.
PATIENT = ("--max-retries", "10", "--retry-delay", "1", "--retry-max-delay", "4")
STUBBORN = ("--max-retries", "30", "--retry-delay", "0.01", "--retry-max-delay", "0.1")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return an output directory that does not exist yet."""
    return tmp_path / "downloads"


def assert_complete(result: CliResult, target: Path, bodies: dict[str, bytes]) -> None:
    """Check that the run succeeded, with these files and no others."""
    assert result.status == 0, result
    assert result.totals is not None
    assert result.totals.downloaded == result.totals.total == len(bodies), result
    assert [path.name for path in visible(target)] == sorted(bodies)
    assert {name: (target / name).read_bytes() for name in bodies} == bodies


def script(bodies: dict[str, bytes], until: threading.Event | None) -> dict[str, Action]:
    """Return the script of a server; with `until` no large file ends before it is set."""
    actions: dict[str, Action] = {}
    for name, body in bodies.items():
        is_held = until is not None and len(body) > MIB
        delivery = Hold(until, after=len(body) - KIB) if until and is_held else None
        actions[f"/{name}"] = ranged(body, delivery=delivery)
    return actions


def refusals(run: RunningCli) -> int:
    """Return the number of attempts with a refused connection in the log."""
    return run.stderr_so_far().count("refused")


def test_server_comes_back(target: Path) -> None:
    """A server that is gone for 5 s in mid-run loses no file, and parts are resumed."""
    luck, never = Random(5), threading.Event()
    sizes = [3 * MIB if number % 4 == 0 else number * KIB for number in range(12)]
    bodies = {f"file{number}": luck.randbytes(size) for number, size in enumerate(sizes)}
    with RunningCli("-", "-d", target, "-w4", *PATIENT) as run:
        with ScriptedServer(script(bodies, never)) as first:
            url_list = "".join(f"{first.url(f'/{name}')}\n" for name in bodies)
            run.send(url_list.encode())
            parts = target / HIDDEN
            wait_until(
                lambda: sum(n > 2 * MIB for n in sizes_of(parts.glob("*.part"))) == 3,
                what="three large files in mid-body",
            )
        wait_until(lambda: refusals(run) > 3, what="attempts that are refused")
        assert not never.wait(OUTAGE)
        with ScriptedServer(script(bodies, None), port=first.port) as second:
            result = run.wait()
            requests = second.requests()
    assert_complete(result, target, bodies)
    ranges = [request.path for request in requests if request.header("Range")]
    assert sorted(ranges) == ["/file0", "/file4", "/file8"]


def whole(body: bytes) -> Reply:
    """Return the file, and the end of the connection."""
    return Reply(body=body, keep_alive=False)


SPOILT: dict[str, Callable[[bytes], Answer]] = {
    "before-the-head": lambda body: Raw(b"", Reset(0)),
    "in-the-head": lambda body: Raw(whole(body).message, Reset(20)),
    "in-the-body": lambda body: Reply(body=body, delivery=Reset(len(body) // 2)),
    "at-the-last-byte": lambda body: Reply(body=body, delivery=Reset(len(body) - 1)),
    "closed": lambda body: Raw(b"", Cut(0)),
}


def every_third(body: bytes, spoil: Callable[[bytes], Answer]) -> Action:
    """Return an action that damages the file on every third connection."""

    def answer(request: Request) -> Answer:
        return whole(body) if request.connection % 3 else spoil(body)

    return answer


@pytest.mark.parametrize("way", SPOILT)
def test_every_third_connection_is_lost(server: ScriptedServer, target: Path, way: str) -> None:
    """A server that loses every third connection costs retries, and no file."""
    bodies = {f"file{number}": Random(number).randbytes(10 * KIB) for number in range(60)}
    for name, body in bodies.items():
        server.play(f"/{name}", every_third(body, SPOILT[way]))
    url_list = "".join(f"{server.url(f'/{name}')}\n" for name in bodies).encode()
    result = run_cli("-", "-d", target, "-w8", *STUBBORN, stdin=url_list)
    assert_complete(result, target, bodies)
    assert result.totals is not None
    assert result.totals.retries == server.count() - len(bodies)
    assert result.totals.retries >= len(bodies) // 3
