"""Servers that end kept connections, or cut TLS off: what is a failed attempt, what is not."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable

import pytest

from tests.support.http_clients import PATIENT
from tests.support.http_requests import body_of, error_of, open_reply, receive
from tests.support.raw_tcp import Talker
from tests.support.replies import Reply
from url_downloader.network.client import HttpClient
from url_downloader.shared.models import ErrorKind

BODY = b"0123456789"
LAST = Reply(status=408, body=b"too late", keep_alive=False)
Ending = Callable[[socket.socket], None]


def close(_: socket.socket) -> None:
    """Close the connection."""


def reset(connected: socket.socket) -> None:
    """Have the connection reset when it is closed."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say_timeout(connected: socket.socket) -> None:
    """Send a 408."""
    connected.sendall(LAST.message)


class OneReplyServer:
    """Server that answers the first request of each connection, and ends at the second.

    Args:
        ending: Function that is called at the second request.
        answers: Whether the first request is answered, too.
    """

    def __init__(self, ending: Ending, *, answers: bool = True) -> None:
        self._ending = ending
        self._answers = answers
        self.connections = 0

    def talk(self, connected: socket.socket, _: threading.Event) -> None:
        """Serve one connection."""
        self.connections += 1
        if self._answers and connected.recv(1 << 16):
            connected.sendall(Reply(body=BODY).message)
        if connected.recv(1 << 16):
            self._ending(connected)


@pytest.mark.parametrize("ending", [close, reset, say_timeout])
def test_a_kept_connection_that_ends(client: HttpClient, ending: Ending) -> None:
    """The request is sent again at once over a new connection, and nothing fails."""
    server = OneReplyServer(ending)
    with Talker(server.talk) as talker:
        for _ in range(5):
            assert receive(client, talker.url("/a")).body == BODY
    assert server.connections == 5


@pytest.mark.parametrize("ending", [close, reset])
def test_a_new_connection_that_ends(client: HttpClient, ending: Ending) -> None:
    """Without a reply on a new connection the attempt fails; nothing is sent again."""
    server = OneReplyServer(ending, answers=False)
    with Talker(server.talk) as talker:
        assert error_of(client, talker.url("/a")).kind is ErrorKind.RESET
    assert server.connections == 1


def test_a_request_timeout_on_a_new_connection(client: HttpClient) -> None:
    """There, a 408 is the reply."""
    server = OneReplyServer(say_timeout, answers=False)
    with Talker(server.talk) as talker:
        reply = open_reply(client, talker.url("/a"))
        assert (reply.status, body_of(reply)) == (408, b"too late")
        reply.close()
    assert server.connections == 1


@pytest.mark.parametrize("is_cut", [False, True])
def test_the_end_of_a_body_in_tls(
    client: HttpClient, tls_context: ssl.SSLContext, *, is_cut: bool
) -> None:
    """Only a closure alert ends a body without a length (RFC 9112 §9.8)."""

    def talk(connected: socket.socket, _: threading.Event) -> None:
        with tls_context.wrap_socket(connected, server_side=True) as secure:
            secure.recv(1 << 16)
            secure.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + BODY)
            if not is_cut:
                secure.unwrap()

    with Talker(talk) as talker:
        url = talker.url("/a", scheme="https")
        if is_cut:
            assert error_of(client, url).kind is ErrorKind.TRUNCATED
        else:
            assert receive(client, url) == (BODY, url, False)


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_forged_reply_on_an_idle_connection(
    client: HttpClient, tls_context: ssl.SSLContext, *, is_tls: bool
) -> None:
    """Bytes that arrive on an idle connection are not the reply to the next request."""
    may_forge, is_forged = threading.Event(), threading.Event()

    def talk(connected: socket.socket, _: threading.Event) -> None:
        stream = connected
        if is_tls:
            stream = tls_context.wrap_socket(connected, server_side=True)
        with stream:
            stream.recv(1 << 16)
            stream.sendall(Reply(body=BODY).message)
            assert may_forge.wait(PATIENT)
            if not is_forged.is_set():
                stream.sendall(Reply(body=b"forged").message)
                is_forged.set()

    with Talker(talk) as talker:
        url = talker.url("/a", scheme="https" if is_tls else "http")
        assert receive(client, url).body == BODY
        may_forge.set()
        assert is_forged.wait(PATIENT)
        assert receive(client, url).body == BODY
