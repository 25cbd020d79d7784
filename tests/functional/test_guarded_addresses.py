"""The address guard in requests: names that change, and connections that are kept."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.support.http_clients import running_client
from tests.support.http_requests import error_of, receive
from tests.support.scripted_server import Reply, ScriptedServer
from url_downloader.config.dial_settings import DialSettings
from url_downloader.config.server_settings import ServerSettings
from url_downloader.network import resolver
from url_downloader.network.client import HttpClient
from url_downloader.network.resolver import Address
from url_downloader.shared.models import ErrorKind

pytestmark = pytest.mark.usefixtures("bare_environment")
ONLY_ONE = DialSettings(is_public_only=True, allowed_nets=(ipaddress.ip_network("127.0.0.1"),))


@pytest.fixture
def guarded() -> Iterator[HttpClient]:
    """Yield a client that may connect to public addresses and to 127.0.0.1."""
    with running_client(ServerSettings(), dial=ONLY_ONE) as running:
        yield running


@pytest.fixture
def rebinds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets the addresses of each next look-up of a.test."""
    known = socket.getaddrinfo

    def rebind(*answers: Sequence[str]) -> None:
        left = iter(answers)

        def getaddrinfo(host: str, port: int, *more: Any, **options: Any) -> Sequence[Address]:
            if host != "a.test" or options.get("flags"):
                return known(host, port, *more, **options)
            return [found for each in next(left) for found in known(each, port, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return rebind


def test_a_name_that_changes(
    server: ScriptedServer,
    guarded: HttpClient,
    rebinds: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each look-up is judged: a name that leads elsewhere the second time is refused."""
    monkeypatch.setattr(resolver, "ANSWER_SECONDS", 0.0)
    server.play("/a", Reply(body=b"x", keep_alive=False))
    rebinds(["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1", "127.0.0.2"])
    url = f"http://a.test:{server.port}/a"
    assert receive(guarded, url).body == b"x"
    for _ in range(2):
        error = error_of(guarded, url)
        assert error.kind is ErrorKind.FORBIDDEN_ADDRESS
        assert "127.0.0.2" in error.message
    assert server.connections == 1


def test_a_connection_that_is_kept(
    server: ScriptedServer, guarded: HttpClient, rebinds: Callable[..., None]
) -> None:
    """A kept connection leads to the address that was judged, whatever the name means now."""
    server.play("/a", Reply(body=b"x"))
    rebinds(["127.0.0.1"], ["127.0.0.2"])
    for _ in range(2):
        assert receive(guarded, f"http://a.test:{server.port}/a").body == b"x"
    assert server.connections == 1


def test_a_connection_of_another_name(
    server: ScriptedServer, guarded: HttpClient, rebinds: Callable[..., None]
) -> None:
    """A kept connection serves its own origin only: another name is looked up and judged."""
    server.play("/a", Reply(body=b"x"))
    rebinds(["127.0.0.2"])
    assert receive(guarded, server.url("/a")).body == b"x"
    error = error_of(guarded, f"http://a.test:{server.port}/a")
    assert error.kind is ErrorKind.FORBIDDEN_ADDRESS
    assert server.count() == 1
