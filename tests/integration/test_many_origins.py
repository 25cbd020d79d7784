"""Connections of a run over many origins: their number is bounded, and all of them end."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Set
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from tests.support.cli import RunningCli
from tests.support.nginx import Nginx, running_nginx
from tests.support.output_folder import visible
from url_downloader.shared.descriptors import MAX_IDLE

FILES = int(os.environ.get("URL_DOWNLOADER_MANY_FILES", "3000"))
"""Number of files; a run with 100000 of them, from 5000 origins, takes minutes."""
ORIGINS = max(600, FILES // 20)
"""Number of origins; more than the connections that may be open."""
WORKERS = 16
OTHER_SOCKETS = 8
"""Sockets that a program has for other purposes, such as its standard streams."""


@pytest.fixture
def everywhere(ca: trustme.CA, tmp_path: Path) -> Iterator[tuple[Nginx, int]]:
    """Yield an nginx with a port at all loopback addresses, and this port."""
    root, prefix = tmp_path / "www", tmp_path / "nginx"
    root.mkdir()
    prefix.mkdir()
    (root / "file").write_bytes(b"content")
    with socket.create_server(("0.0.0.0", 0)) as free:
        port = free.getsockname()[1]
    more = f"listen *:{port}; location /all/ {{ try_files /file =404; }}"
    with running_nginx(root, prefix, ca, locations=more) as nginx:
        yield nginx, port


def sockets_of(run: RunningCli) -> Set[str]:
    """Return the open sockets of a running program; none if it has ended."""
    found = set()
    with suppress(OSError):
        for each in Path(f"/proc/{run.pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(each.readlink()))
    return {name for name in found if name.startswith("socket:")}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_many_origins(everywhere: tuple[Nginx, int], tmp_path: Path) -> None:
    """Idle connections are bounded in all, and all end with the run."""
    nginx, port = everywhere
    hosts = [f"127.1.{n // 250}.{n % 250 + 1}:{port}" for n in range(ORIGINS)]
    url_list = tmp_path / "list"
    url_list.write_text("".join(f"http://{hosts[n % ORIGINS]}/all/{n}\n" for n in range(FILES)))
    most = 0
    with RunningCli(url_list, "-d", tmp_path / "out", f"-w{WORKERS}", "-q") as run:
        while run.is_running:
            most = max(most, len(sockets_of(run)))
            threading.Event().wait(0.01)
        result = run.wait(timeout=3600)
    assert result.status == 0, result
    assert WORKERS <= most <= MAX_IDLE + WORKERS + OTHER_SOCKETS
    assert len(visible(tmp_path / "out")) == FILES
    log = [entry for entry in nginx.log_when_quiet() if entry.target.startswith("/all/")]
    assert len(log) == FILES
