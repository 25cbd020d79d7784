"""Connections of HttpClient: when they are used again, and which certificates they need."""

from __future__ import annotations

import ssl
from collections import Counter
from typing import Any

import pytest
import trustme

from tests.support.http_requests import body_of, error_of, open_reply, receive, redirect
from tests.support.scripted_server import Cut, Endless, Framing, Raw, Reply, ScriptedServer
from url_downloader.network.client import HttpClient
from url_downloader.network.connection import AbortableConnection
from url_downloader.network.strict_response import StrictResponse
from url_downloader.shared.models import ErrorKind

BODY = b"0123456789"
CHUNKED = Reply(body=BODY, framing=Framing.CHUNKED)


@pytest.mark.parametrize("reply", [Reply(body=BODY), CHUNKED, Reply(status=204), Reply()])
def test_keep_alive(server: ScriptedServer, client: HttpClient, reply: Reply) -> None:
    """A connection is used again after a redirect, and a reply that was read or drained."""
    server.play("/a", reply)
    server.play("/error", Reply(status=500, body=bytes(1000)))
    server.play("/from", redirect("/a"))
    for path in ("/a", "/from", "/a"):
        assert receive(client, server.url(path)).body == reply.body
        open_reply(client, server.url("/error")).drain()
    assert (server.count(), server.connections) == (7, 1)


@pytest.mark.parametrize(
    ("reply", "is_drained"),
    [
        *[(Reply(body=BODY), False), (CHUNKED, False)],
        (Reply(body=bytes(1 << 20)), True),
        (Reply(body=BODY, framing=Framing.CLOSE, delivery=Endless()), True),
        (Reply(body=BODY, keep_alive=False), True),
        (Reply(body=BODY, delivery=Cut(5)), True),
    ],
)
def test_a_body_that_was_not_read_to_its_end(
    server: ScriptedServer, client: HttpClient, reply: Reply, is_drained: bool
) -> None:
    """The connection is closed, so that the rest of the body is not part of the next reply."""
    server.play("/a", reply)
    server.play("/b", Reply(body=b"next"))
    opened = open_reply(client, server.url("/a"))
    if is_drained:
        opened.drain()
    opened.close()
    assert receive(client, server.url("/b")).body == b"next"
    assert server.connections == 2


def test_a_reply_that_is_closed_twice(server: ScriptedServer, client: HttpClient) -> None:
    """The second close has no effect on the request that uses the connection by then."""
    bodies = {f"/{name}": name.encode() * 9 for name in "abc"}
    for path, body in bodies.items():
        server.play(path, Reply(body=body))
    first = open_reply(client, server.url("/a"))
    assert body_of(first) == bodies["/a"]
    first.close()
    second = open_reply(client, server.url("/b"))
    first.close()
    assert receive(client, server.url("/c")).body == bodies["/c"]
    assert body_of(second) == bodies["/b"]
    second.close()
    assert server.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        *[Reply(status=304).message, Reply(status=204).message, Reply().message],
        Reply(body=bytes(8192 - len(Reply(body=bytes(8000)).head))).message,
    ],
)
def test_a_reply_without_a_request(
    client: HttpClient, any_server: ScriptedServer, reply: bytes
) -> None:
    """Bytes that follow a reply are not the reply to the next request, with TLS or without."""
    forged = Reply(body=b"forged").message
    any_server.play("/a", Raw(reply + forged, keep_alive=True))
    any_server.play("/b", Reply(body=b"next"))
    receive(client, any_server.url("/a"))
    assert receive(client, any_server.url("/b")).body == b"next"


def test_bytes_after_a_reply(server: ScriptedServer, client: HttpClient) -> None:
    """The connection is closed, because more surplus bytes may arrive."""
    server.play("/a", Raw(Reply(body=BODY).message + b"more", keep_alive=True))
    server.play("/b", Reply(body=b"next"))
    assert receive(client, server.url("/a")).body == BODY
    assert receive(client, server.url("/b")).body == b"next"
    assert server.connections == 2


@pytest.mark.parametrize(
    ("host", "is_trusted"), [("127.0.0.1", True), ("127.0.0.1", False), ("other.test", True)]
)
def test_the_certificate_of_a_server(
    client: HttpClient, ca: trustme.CA, host: str, is_trusted: bool
) -> None:
    """A request is sent only if the certificate is for the host and by a trusted authority.

    REQUESTS_CA_BUNDLE names the trusted authorities.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (ca if is_trusted else trustme.CA()).issue_cert(host).configure_cert(context)
    with ScriptedServer({"/a": Reply(body=BODY)}, tls=context) as server:
        if host == "127.0.0.1" and is_trusted:
            assert receive(client, server.url("/a")) == (BODY, server.url("/a"), True)
        else:
            assert error_of(client, server.url("/a")).kind is ErrorKind.CERTIFICATE
            assert server.count() == 0


def test_the_methods_that_the_libraries_call(
    client: HttpClient, any_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """urllib3 and http.client still call all methods that are overridden, also private ones.

    Otherwise a connection could not be aborted, or a broken reply would count as complete.
    """
    calls: Counter[str] = Counter()

    def spy(owner: type, name: str) -> None:
        original = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    for name in ("_new_conn", "request", "read_response"):
        spy(AbortableConnection, name)
    for name in ("begin", "read1"):
        spy(StrictResponse, name)
    any_server.play("/a", Reply(body=BODY))
    for _ in range(2):
        receive(client, any_server.url("/a"))
    assert calls.pop("read1") >= 2
    assert calls == {"_new_conn": 1, "request": 2, "read_response": 2, "begin": 2}
