"""Addresses of servers, as users choose or forbid them: the command against real servers."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.cli import CliResult, run_cli
from tests.support.http_requests import redirect
from tests.support.scripted_server import Reply, ScriptedServer

BODY = b"0123456789"
LOCAL = "127.0.0.0/8"


@pytest.fixture
def site(server: ScriptedServer) -> ScriptedServer:
    """Return a server that has /a."""
    server.play("/a", Reply(body=BODY))
    return server


def download(folder: Path, url: str, *options: str) -> CliResult:
    """Return the end of a run for one URL, without retries."""
    target = folder / "out"
    return run_cli("-", "-d", target, "--max-retries=0", *options, stdin=f"{url}\n".encode())


def assert_forbidden(result: CliResult, *words: str) -> None:
    """Check that the only URL failed because its address is forbidden."""
    assert (result.status, result.causes) == (4, {"forbidden-address": 1}), result
    assert all(word in result.stderr for word in words), result


@pytest.mark.parametrize("host", ["a.test", "*"])
def test_a_fixed_address(site: ScriptedServer, tmp_path: Path, host: str) -> None:
    """--resolve gives the address of a host, which is asked by its own name."""
    fixed = f"--resolve={host}:{site.port}:127.0.0.1"
    assert download(tmp_path, f"http://a.test:{site.port}/a", fixed).status == 0
    assert (tmp_path / "out" / "a").read_bytes() == BODY
    assert site.requests()[0].header("Host") == f"a.test:{site.port}"


def test_the_address_that_connections_come_from(tmp_path: Path) -> None:
    """--interface sets the address that a server sees."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.settimeout(60)
        result = download(
            tmp_path,
            f"http://127.0.0.1:{port}/a",
            *("--interface=127.0.0.5", "--max-time=1"),
        )
        connected, (peer, _) = listener.accept()
        connected.close()
    assert (result.status, peer) == (4, "127.0.0.5")


@pytest.mark.parametrize(("option", "status"), [("-4", 0), ("-6", 4)])
def test_one_family(site: ScriptedServer, tmp_path: Path, option: str, status: int) -> None:
    """With -6, a host that has only an IPv4 address is not reached."""
    fixed = f"--resolve=a.test:{site.port}:127.0.0.1"
    result = download(tmp_path, f"http://a.test:{site.port}/a", option, fixed)
    assert result.status == status, result
    assert (site.connections > 0) == (status == 0)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0177.0.0.1", "0x7f.1", "localhost"]
)
def test_a_private_address(site: ScriptedServer, tmp_path: Path, host: str) -> None:
    """--only-public refuses it in each spelling, and opens no connection."""
    result = download(tmp_path, f"http://{host}:{site.port}/a", "--only-public")
    assert_forbidden(result, "loopback", "--only-public")
    assert site.connections == 0


def test_a_fixed_private_address(site: ScriptedServer, tmp_path: Path) -> None:
    """--only-public judges the addresses of --resolve, too."""
    fixed = f"--resolve=a.test:{site.port}:127.0.0.1"
    assert_forbidden(download(tmp_path, f"http://a.test:{site.port}/a", fixed, "--only-public"))
    assert site.connections == 0


def test_a_redirect_to_a_forbidden_address(site: ScriptedServer, tmp_path: Path) -> None:
    """Each address of a chain is judged; exceptions hold for the one that they name."""
    site.play("/from", redirect(site.url("/a").replace("127.0.0.1", "127.0.0.2")))
    options = ("--only-public", "--allow-net=127.0.0.1")
    assert_forbidden(download(tmp_path, site.url("/from"), *options), "127.0.0.2")
    assert (
        download(tmp_path, site.url("/a"), "--only-public", f"--allow-net={LOCAL}").status == 0
    )
    assert_forbidden(download(tmp_path, site.url("/a"), f"--deny-net={LOCAL}"), "--deny-net")
