"""Two network namespaces with a link between them, which a test can cut."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.support.processes import start_bound, stop
from tests.support.waiting import wait_until

SERVER = "10.89.0.1"
CLIENT = "10.89.0.2"
HOSTS = tuple(f"10.89.1.{n}" for n in range(1, 9))
"""Addresses of the server, each of which is a host for the program."""
PORT = 8000


def can_make_namespaces() -> bool:
    """Tell whether this process may make network namespaces."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        return False
    with suppress(subprocess.CalledProcessError), ExitStack() as made:
        _make_namespace(f"probe-{os.getpid()}", made)
        return True
    return False


class Link:
    """Link between a client's namespace and that of an HTTP server.

    Args:
        client: Name of the client's namespace.
        server: Name of the server's namespace.
    """

    def __init__(self, client: str, server: str) -> None:
        self._client = client
        self._server = server

    def command(self, *words: str) -> Sequence[str]:
        """Return the command that runs another one in the client's namespace."""
        return ("ip", "netns", "exec", self._client, *words)

    def server_command(self, *words: str) -> Sequence[str]:
        """Return the command that runs another one in the server's namespace."""
        return ("ip", "netns", "exec", self._server, *words)

    def cut(self) -> None:
        """Take the client's end of the link down; its routes are gone."""
        _ip("-n", self._client, "link", "set", "near", "down")

    def mend(self) -> None:
        """Take the client's end of the link up again."""
        _ip("-n", self._client, "link", "set", "near", "up")
        _ip("-n", self._client, "route", "add", "default", "via", SERVER)


@contextmanager
def serving_namespace(folder: Path, log: Path) -> Iterator[Link]:
    """Yield the link to a server of the files in a folder; both are gone after the block."""
    client, server = f"client-{os.getpid()}", f"server-{os.getpid()}"
    with ExitStack() as made:
        _make_namespace(client, made)
        _make_namespace(server, made)
        link = Link(client, server)
        _ip(*f"link add near netns {client} type veth peer name far netns {server}".split())
        for address in (SERVER, *HOSTS):
            _ip("-n", server, "address", "add", f"{address}/24", "dev", "far")
        _ip("-n", client, "address", "add", f"{CLIENT}/24", "dev", "near")
        _ip("-n", server, "link", "set", "far", "up")
        link.mend()
        python = (sys.executable, "-m", "http.server", str(PORT), "--bind", "0.0.0.0")
        process = start_bound(link.server_command(*python), cwd=folder, log=log)
        made.callback(stop, process)
        wait_until(lambda: "Serving HTTP" in log.read_text(), what="the server")
        yield link


def _make_namespace(name: str, made: ExitStack) -> None:
    _ip("netns", "add", name)
    made.callback(_ip, "netns", "delete", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
