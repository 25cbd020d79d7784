"""httpbin (the PyPI package), served by a process of its own on a loopback port.

It has its own process so that its warnings are no errors of the tests, and so that no test
waits for its threads that sleep (`/delay`, `/drip`). Served by werkzeug, replies without a
length are chunked, and each connection carries one reply.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import start_bound, stop
from tests.support.waiting import wait_until

HOST = "127.0.0.1"
_ROOT = Path(__file__).parents[2]


@contextmanager
def running_httpbin(folder: Path) -> Iterator[str]:
    """Yield the base URL of an httpbin, which runs during the block.

    Args:
        folder: Empty folder for its port and its log.

    Raises:
        RuntimeError: httpbin does not start.
    """
    port_file, log = folder / "port", folder / "httpbin.log"
    command = [sys.executable, "-m", "tests.support.httpbin_server", str(port_file)]
    process = start_bound(command, cwd=_ROOT, log=log)
    try:
        wait_until(
            lambda: port_file.exists() or process.poll() is not None, what="httpbin to start"
        )
        if not port_file.exists():
            raise RuntimeError(f"httpbin doesn't start:\n{log.read_text()}")
        yield f"http://{HOST}:{port_file.read_text()}"
    finally:
        stop(process)


def _serve(port_file: Path) -> None:
    """Serve until the process is killed; write the port when connections are accepted."""
    import httpbin  # noqa: PLC0415 - only the server process needs it
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

    server = make_server(HOST, 0, httpbin.app, threaded=True, request_handler=Handler)
    unfinished = port_file.with_suffix(".new")
    unfinished.write_text(str(server.port))
    unfinished.rename(port_file)
    server.serve_forever()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
