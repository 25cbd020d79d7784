"""Two runs at once in one directory: neither takes a file of the other for its own."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.support.cli import RunningCli, run_cli
from tests.support.output_folder import assert_holds
from tests.support.scripted_server import Reply, Request, ScriptedServer
from url_downloader.naming.filenames import with_suffix

HELD, MINE, OTHER = "/held", "/mine/x", "/other/x"
LAST_MODIFIED = "Wed, 01 Jan 2020 00:00:00 GMT"


@pytest.fixture
def all_may_go(server: ScriptedServer) -> threading.Event:
    """Serve three files; the reply for the first waits for the returned event."""
    event = threading.Event()

    def held(_: Request) -> Reply:
        event.wait(60)
        return Reply(body=b"held")

    def of_same_length(request: Request) -> Reply:
        if request.header("If-Modified-Since"):
            return Reply(status=304)
        return Reply(body=b"mine!", headers={"Last-Modified": LAST_MODIFIED})

    server.play(HELD, held)
    server.play(MINE, of_same_length)
    server.play(OTHER, Reply(body=b"other", headers={"Last-Modified": LAST_MODIFIED}))
    return event


@pytest.mark.parametrize("option", ["--progress=never", "-c", "-nc", "-N"])
def test_a_file_that_appears(
    server: ScriptedServer, tmp_path: Path, all_may_go: threading.Event, option: str
) -> None:
    """A file that another run has just finished is no existing file of this URL.

    The run has given the name before; its single worker waits for another file meanwhile.
    """
    options = ("-", "-d", tmp_path, "-q", "-w1", option)
    with RunningCli(*options) as run:
        run.send(f"{server.url(HELD)}\n{server.url(MINE)}\n".encode())
        run.close_stdin()
        server.wait_for_requests(1)
        assert run_cli(*options, stdin=server.url(OTHER).encode()).status == 0
        all_may_go.set()
        result = run.wait()
    assert result.status == 0, result
    suffixed = with_suffix("x", server.url(MINE))
    wanted = {"held": b"held", "x": b"other", suffixed: b"mine!"}
    assert_holds(tmp_path, wanted)
    lines = "\n".join(map(server.url, (OTHER, MINE))).encode()
    count = server.count()
    assert run_cli("-", "-d", tmp_path, "-q", "-c", stdin=lines).status == 0
    assert server.count() == count
    assert_holds(tmp_path, wanted)
