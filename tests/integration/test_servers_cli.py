"""Options for servers, with the real command: no output has a secret."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import pytest
import trustme

from tests.support.cli import CliResult, run_cli
from tests.support.proxies import PASSWORD, http_proxy, socks_proxy
from tests.support.scripted_server import Reply, ScriptedServer

BODY = b"0123456789"
SECRET = "s3cret"


def download(
    tmp_path: Path, *options: str | Path, urls: str, env: dict[str, str] | None = None
) -> CliResult:
    """Run the program with the most detailed log."""
    result = run_cli("-v", "-d", tmp_path / "out", *options, "-", stdin=urls.encode(), env=env)
    assert not result.has_traceback, result
    assert SECRET not in result.stdout + result.stderr
    return result


def test_secrets_from_files(server: ScriptedServer, tmp_path: Path) -> None:
    """Headers, cookies and logins can come from files instead of the command line."""
    (tmp_path / "headers").write_text(f"# key\nX-Key: {SECRET}\n")
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    (tmp_path / "cookies").write_text(
        f"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tc\t{SECRET}\n"
    )
    server.play("/a", Reply(body=BODY))
    server.play("/b", Reply(status=302, headers={"Location": "/a"}))
    result = download(
        tmp_path,
        *("-H", f"@{tmp_path / 'headers'}", "--netrc", tmp_path / "netrc"),
        *("--cookies", tmp_path / "cookies", "-U", "agent", "--referer", "http://r.test/"),
        *("--max-redirects", "0"),
        urls=f"{server.url('/a')}\n{server.url('/b')}\n",
    )
    assert result.status == 1
    assert result.causes == {"redirect": 1}
    for request in server.requests():
        assert request.header("X-Key") == SECRET
        assert request.header("Cookie") == f"c={SECRET}"
        login = base64.b64encode(f"me:{SECRET}".encode()).decode()
        assert request.header("Authorization") == f"Basic {login}"
        assert request.header("User-Agent") == "agent"
        assert request.header("Referer") == "http://r.test/"


@pytest.mark.parametrize("way", ["--proxy", "environment", "socks"])
def test_through_a_proxy(
    tls_server: ScriptedServer, ca_bundle: Path, tmp_path: Path, way: str
) -> None:
    """HTTPS goes through CONNECT; the login for the proxy is in no output."""
    tls_server.play("/a", Reply(body=BODY))
    with socks_proxy() if way == "socks" else http_proxy() as proxy:
        options = () if way == "environment" else ("--proxy", proxy.url())
        result = download(
            tmp_path,
            *("--ca-cert", ca_bundle, *options),
            urls=tls_server.url("/a"),
            env={"HTTPS_PROXY": proxy.url()} if way == "environment" else {},
        )
    assert result.status == 0, result
    assert proxy.served == [f"CONNECT 127.0.0.1:{tls_server.port}"]
    assert PASSWORD not in result.stderr


def test_insecure_is_said_once(tmp_path: Path) -> None:
    """-k accepts untrusted certificates, with one warning; without it no request is made."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer(tls=context) as server:
        urls = "".join(f"{server.url(f'/{name}')}\n" for name in "abc")
        for name in "abc":
            server.play(f"/{name}", Reply(body=BODY))
        careful = download(tmp_path, urls=urls)
        assert (careful.status, careful.causes, server.count()) == (4, {"certificate": 3}, 0)
        careless = download(tmp_path, "-k", urls=urls)
    assert careless.status == 0
    assert careless.stderr.count("--insecure: ") == 1
    assert "InsecureRequestWarning" not in careless.stderr
    assert len([*(tmp_path / "out").glob("?")]) == 3


@pytest.mark.parametrize("option", ["--cookies", "--netrc", "--ca-cert", "--cert"])
def test_a_file_that_is_not_there(server: ScriptedServer, tmp_path: Path, option: str) -> None:
    """A missing file ends the run at its start, with status 3 and the reason."""
    result = download(tmp_path, option, tmp_path / "none", urls=server.url("/a"))
    assert result.status == 3
    assert f"{tmp_path / 'none'}" in result.stderr
    assert "No such file" in result.stderr
    assert server.count() == 0


def test_forbidden_addresses(server: ScriptedServer, tmp_path: Path) -> None:
    """A proxy that would evade the check of addresses is a usage error before any request."""
    options = ("--only-public", "--deny-net", "10.0.0.0/8")
    proxy = server.url("").replace("//", f"//me:{SECRET}@")
    refused = download(tmp_path, *options, urls=server.url("/a"), env={"http_proxy": proxy})
    assert refused.status == 2
    assert "http_proxy: " in refused.stderr
    assert "NO_PROXY" in refused.stderr
    assert "--trust-proxy" in refused.stderr
    assert not (tmp_path / "out").exists()
    assert not server.requests()
    trusted = download(
        tmp_path,
        *(*options, "--trust-proxy", "--dry-run"),
        urls=server.url("/a"),
        env={"http_proxy": proxy},
    )
    assert trusted.status == 0


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_address_of_another_machine(
    server: ScriptedServer, tmp_path: Path, address: str
) -> None:
    """An --interface that this machine does not have ends the run at its start, status 3."""
    result = download(tmp_path, "--interface", address, urls=server.url("/a"))
    assert result.status == 3
    assert f"--interface: no connection can come from {address}: " in result.stderr
    assert server.count() == 0


def test_an_address_of_this_machine(server: ScriptedServer, tmp_path: Path) -> None:
    """An address that the machine has is accepted for --interface."""
    server.play("/a", Reply(body=BODY))
    result = download(tmp_path, "--interface", "127.0.0.1", urls=server.url("/a"))
    assert result.status == 0
