"""Hosts in trouble, as users see them: SIGUSR1, the metrics file, the report, the summary."""

from __future__ import annotations

import re
import signal
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import RunningCli, ask_for_state, run_cli
from tests.support.reports import read_report, samples
from tests.support.scripted_server import HOST, Reply, ScriptedServer
from tests.support.waiting import wait_until

URLS = 40
PAUSE = 500
TOO_LONG = 7200


@pytest.fixture
def refusing() -> Iterator[str]:
    """Yield the origin of a host that refuses connections."""
    with socket.socket() as sock:
        # It does not listen, and no other program can.
        sock.bind((HOST, 0))
        yield f"http://{HOST}:{sock.getsockname()[1]}"


def busy(server: ScriptedServer, seconds: int) -> str:
    """Let a server ask its clients to wait so many seconds; return its origin."""
    server.play("/", Reply(status=429, headers={"Retry-After": str(seconds)}))
    return server.url("")


def write_list(path: Path, *origins: str) -> Path:
    """Write a list with many URLs of each of these hosts, whose login is in the URL."""
    logins = [origin.replace("//", "//user:secret@") for origin in origins]
    path.write_text("".join(f"{login}/?{n}\n" for n in range(URLS) for login in logins))
    return path


def by_host(report: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the records of a report by the origin of their URLs."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in read_report(report.read_text()):
        found.setdefault(record["url"].partition("/?")[0], []).append(record)
    return found


def assert_paused(records: Sequence[dict[str, Any]], host: str) -> None:
    """Check that most jobs of a host are unfinished, and have its pause."""
    pauses = [each["host_trouble"] for each in records if each["status"] == "unfinished"]
    assert len(pauses) > URLS // 2
    assert {(each["host"], each["phase"]) for each in pauses} == {(host, "paused")}
    assert all(each["reason"].startswith("HTTP 429 ") for each in pauses)
    [until] = {datetime.fromisoformat(each["until"]) for each in pauses}
    assert 0 < (until - datetime.now(UTC)).total_seconds() < PAUSE * 1.1


def test_a_host_that_is_paused_and_one_that_refuses(
    server: ScriptedServer, refusing: str, tmp_path: Path
) -> None:
    """During the run and after a signal, both hosts are named, with reason and time."""
    paused = busy(server, PAUSE)
    source = write_list(tmp_path / "list", paused, refusing)
    report, metrics = tmp_path / "report", tmp_path / "run.prom"
    files = ("--report", report, "--metrics-file", metrics)
    state = re.compile(
        rf"(?s).* {paused}: paused, next request in [5-9]m\d\ds, \d+ URLs wait: HTTP 429 "
        rf".* {refusing}: (failing|down), next request .*: .*[Rr]efused"
    )
    with RunningCli(source, "-d", tmp_path / "d", *files, "--monitor-interval=0.05") as run:
        wait_until(lambda: "| hosts: 1 paused, 1 " in run.stderr_so_far(), what="a status line")
        wait_until(lambda: state.match(ask_for_state(run)) is not None, what="both hosts")
        wait_until(lambda: samples(metrics)["hosts/paused"] == 1, what="the pause")
        during = samples(metrics)
        run.signal(signal.SIGTERM)
        result = run.wait()
    assert during["hosts/failing"] + during["hosts/down"] == 1
    assert during["parked_jobs"] > 0
    after = samples(metrics)
    assert (after["hosts/paused"], after["host_troubles_total/paused"]) == (0, 1)
    assert result.status == 128 + signal.SIGTERM, result
    assert_paused(by_host(report)[paused], paused)
    assert "secret" not in result.stderr + report.read_text() + metrics.read_text()


def test_a_host_that_asks_for_too_long_a_pause(server: ScriptedServer, tmp_path: Path) -> None:
    """Its URLs fail without a request; the summary has one line, the report the time."""
    throttled = busy(server, TOO_LONG)
    source = write_list(tmp_path / "list", throttled)
    report = tmp_path / "report"
    result = run_cli(source, "-d", tmp_path / "d", "--report", report, "-w2")
    assert result.status == 4, result
    kinds = Counter(each["error_kind"] for each in by_host(report)[throttled])
    refused = kinds["retry-after-too-long"]
    assert refused > URLS // 2
    assert kinds.total() == URLS
    assert server.count() == URLS - refused
    assert re.search(
        rf"^{throttled}: {refused} URLs given up: HTTP 429 .*longer than --max-retry-after$",
        result.stderr,
        re.MULTILINE,
    ), result
    assert result.stderr.count("\nfailed: ") == URLS - refused
    last = by_host(report)[throttled][-1]["attempts"]
    assert [(each["host"], each["http_status"]) for each in last] == [(None, None)]
    assert 0 < last[0]["retry_after"] < TOO_LONG
