"""Connections of HttpClient: when they are used again, and which certificates they need."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest
import trustme

from tests.support.http_requests import body_of, error_of, open_reply, receive, redirect
from tests.support.jobs import make_job
from tests.support.scripted_server import Cut, Endless, Framing, Raw, Reply, ScriptedServer
from url_downloader.network.client import HttpClient
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
        (Reply(body=bytes(1 << 20), framing=Framing.CHUNKED), True),
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


@pytest.mark.parametrize(
    ("reply", "count"),
    [
        (Reply(body=bytes(1000)), 1000),
        (Reply(body=bytes(1000), keep_alive=False), 0),
        (Reply(body=bytes(1000), framing=Framing.CLOSE), 0),
        (Reply(body=bytes(1 << 20)), 0),
    ],
)
def test_what_is_drained(
    server: ScriptedServer, client: HttpClient, reply: Reply, count: int
) -> None:
    """A body is only read for nothing if the connection can be used again after it."""
    server.play("/a", reply)
    client.control.begin(make_job())
    open_reply(client, server.url("/a")).drain()
    progress = client.control.progress()
    assert progress is not None
    assert progress.received == count


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


def test_a_want_of_descriptors(
    any_server: ScriptedServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If there is no descriptor for a new connection, the idle ones give theirs back."""
    any_server.play("/a", Reply(body=BODY))
    receive(client, any_server.url("/a"))
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        error = error_of(client, any_server.url("/a").replace("127.0.0.1", "localhost"))
    assert error.kind is ErrorKind.NO_DESCRIPTORS
    assert receive(client, any_server.url("/a")).body == BODY
    assert any_server.connections == 2


def refuse(*_: object) -> None:
    """Raise the system's error for too many open files."""
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
