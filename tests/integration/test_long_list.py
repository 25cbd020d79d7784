"""A list of which an interrupted run has read only a small part."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.support.cli import RunningCli, run_cli
from tests.support.reports import read_report
from tests.support.scripted_server import Reply, ScriptedServer
from tests.support.waiting import wait_until

LINES = 300_000
WITH_OPTIONS = 50
EXIT_LATENCY = 20.0
"""Seconds: far more than the exit takes, far less than the 30 s that making all jobs takes."""


@pytest.fixture
def urls(server: ScriptedServer) -> list[str]:
    """Return a long list of URLs; some names come twice, and some of the first files exist."""
    folders = [f"a/{number}.bin" for number in range(LINES - 1000)]
    folders += [f"b/{number}.bin" for number in range(1000)]
    for name in folders[:200:10]:
        server.play(f"/{name}", Reply(body=b"x"))
    return [server.url(f"/{name}") for name in folders]


def write_list(path: Path, urls: list[str]) -> None:
    """Write the URLs to a list, the last ones with options."""
    plain, others = urls[:-WITH_OPTIONS], urls[-WITH_OPTIONS:]
    lines = [f"{url}\n" for url in plain]
    lines += [f"# a comment\n{url}\n  header=X-Number: {n}\n" for n, url in enumerate(others)]
    path.write_text("".join(lines))


@pytest.mark.parametrize("has_ledger", [True, False])
def test_interrupted(urls: list[str], tmp_path: Path, *, has_ledger: bool) -> None:
    """Each URL has succeeded or is in the failed list, once, in order and with its options.

    A name with a suffix, which another URL of the list has caused, is kept: by the ledger, or
    without one in the failed list.
    """
    source, report, failed = (tmp_path / name for name in ("list", "report", "failed"))
    write_list(source, urls)
    options = ("-d", tmp_path / "d", "--report", report, "--failed-out", failed, "-q")
    without = () if has_ledger else ("--no-ledger",)
    with RunningCli(source, *options, *without) as run:
        wait_until(
            lambda: report.exists() and report.read_bytes().count(b"\n") > 20, what="lines"
        )
        began = time.monotonic()
        run.signal(signal.SIGINT)
        result = run.wait_with_open_stdin()
        seconds = time.monotonic() - began
    assert result.status == 128 + signal.SIGINT, result
    assert not result.has_traceback, result
    assert seconds < EXIT_LATENCY, f"{seconds:.2f} s"
    records = read_report(report.read_text())
    done = {each["url"] for each in records if each["status"] == "success"}
    lines = failed.read_text().splitlines()
    assert [line for line in lines if line.startswith("http")] == [
        url for url in urls if url not in done
    ]
    assert sum(line.startswith("  header=X-Number: ") for line in lines) == WITH_OPTIONS
    if not has_ledger:
        # Of 1000 names that come twice, the second one of each has a suffix.
        assert sum(line.startswith("  out=") for line in lines) == 1000


def test_checksums(server: ScriptedServer, tmp_path: Path) -> None:
    """URLs that were not read have their checksums in the failed list, too."""
    source, sums, failed = (tmp_path / name for name in ("list", "sums", "failed"))
    names = [f"{number}.bin" for number in range(100)]
    digest = "ab" * 32
    source.write_text("".join(f"{server.url(f'/{name}')}\n" for name in names))
    sums.write_text("".join(f"{digest}  {name}\n" for name in names))
    options = ("-w1", "--queue-size=1", "--max-failures=1", "--checksums", sums)
    result = run_cli(source, "-d", tmp_path / "d", "--failed-out", failed, *options)
    assert result.status == 5, result
    lines = [line for line in failed.read_text().splitlines() if not line.startswith("#")]
    assert lines[::2] == source.read_text().splitlines()
    assert lines[1::2] == [f"  checksum=sha-256={digest}"] * len(names)


def test_other_spellings(server: ScriptedServer, tmp_path: Path) -> None:
    """Without a ledger, a URL that was not read is in the failed list once, however spelled."""
    source, failed = tmp_path / "list", tmp_path / "failed"
    urls = [server.url(f"/{name}") for name in ("z", "a", "b")]
    source.write_text("\n".join([*urls, f"{urls[2]}#part", f"{urls[2]} ", ""]))
    options = ("-d", tmp_path / "d", "--deadline=0.0001", "--failed-out", failed, "--no-ledger")
    assert run_cli(source, *options).status == 5
    lines = failed.read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == urls
