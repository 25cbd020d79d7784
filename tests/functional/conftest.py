"""Fixtures for tests of the network: a client, servers with and without TLS, and look-ups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dialling import System, slow_look_ups
from tests.support.http_clients import running_client
from tests.support.scripted_server import ScriptedServer
from url_downloader.config.server_settings import ServerSettings
from url_downloader.network.client import HttpClient
from url_downloader.network.resolver import Resolver


@pytest.fixture
def client(
    bare_environment: None, monkeypatch: pytest.MonkeyPatch, ca_bundle: Path
) -> Iterator[HttpClient]:
    """Yield a client that follows up to three redirects and trusts the tests' own authority."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_bundle))
    with running_client(ServerSettings(), max_redirects=3) as running:
        yield running


@pytest.fixture(params=["http", "https"])
def any_server(request: pytest.FixtureRequest) -> ScriptedServer:
    """Return a scripted server, without TLS and then with it; `client` trusts it."""
    name = "server" if request.param == "http" else "tls_server"
    running: ScriptedServer = request.getfixturevalue(name)
    return running


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """Yield the look-ups of the system."""
    with slow_look_ups(monkeypatch) as it:
        yield it


@pytest.fixture
def resolver() -> Resolver:
    """Return a resolver."""
    return Resolver()
