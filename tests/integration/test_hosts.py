"""Several hosts and a signal: no URL that was read ahead is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import RunningCli
from tests.support.output_folder import files_of
from tests.support.scripted_server import Reply, ScriptedServer, Stall
from tests.support.waiting import wait_until

URLS = 5000


@pytest.fixture
def servers() -> Iterator[list[ScriptedServer]]:
    """Yield a host that works, one whose replies stall, and one that is busy."""
    with ScriptedServer() as good, ScriptedServer() as slow, ScriptedServer() as busy:
        good.play("/a", Reply(body=b"good"))
        slow.play("/a", Reply(body=bytes(100), delivery=Stall(50)))
        busy.play("/a", Reply(status=503))
        yield [good, slow, busy]


def test_a_signal_loses_no_url(servers: list[ScriptedServer], tmp_path: Path) -> None:
    """Each URL that is not downloaded is in the failed list once, wherever it waited."""
    source, failed, target = (tmp_path / name for name in ("list", "failed", "downloads"))
    urls = [servers[n % 3].url(f"/a?{n}") for n in range(URLS)]
    source.write_text("".join(f"{url}\n  out={n}\n" for n, url in enumerate(urls)))
    options = ("-w8", "--retry-delay=0.1", "--failed-out", failed, "-q")
    with RunningCli(source, "-d", target, *options) as run:
        for server in servers:
            server.wait_for_requests(2)
        wait_until(lambda: len(files_of(target)) > 0, what="a file")
        run.signal(signal.SIGTERM)
        result = run.wait_with_open_stdin()
    assert result.status == 128 + signal.SIGTERM, result
    left = [line for line in failed.read_text().splitlines() if line.startswith("http")]
    done = {int(name) for name in files_of(target)}
    assert left == [url for n, url in enumerate(urls) if n not in done]
    assert len(done) > 0
