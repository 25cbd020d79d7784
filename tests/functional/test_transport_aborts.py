"""Aborts of requests by another thread, in each phase of a request."""

from __future__ import annotations

import ssl
import threading

import pytest

from tests.support.http_clients import PATIENT
from tests.support.http_requests import error_of, open_reply, receive
from tests.support.scripted_server import Framing, Raw, Reply, ScriptedServer, Stall
from url_downloader.network.client import HttpClient
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import ErrorKind

BODY = b"0123456789"
CHUNKED = Reply(body=BODY, framing=Framing.CHUNKED)


class RequestThread(threading.Thread):
    """A thread that sends a request without a timeout, and reads the reply.

    Args:
        client: Client of the request.
        url: URL of the request.

    Attributes:
        has_reply: Event that is set when the head of the reply has been read.
        error: Error that the request ended with; None if it succeeded.
    """

    def __init__(self, client: HttpClient, url: str) -> None:
        super().__init__(daemon=True)
        self.has_reply = threading.Event()
        self.error: AttemptError | None = None
        self._client, self._url = client, url

    def run(self) -> None:
        try:
            reply = self._client.open(
                self._url, (), conditions=(), limits=AttemptLimits(timeout=0)
            )
            self.has_reply.set()
            all(reply.chunks())
        except AttemptError as error:
            self.error = error

    def kind_after_abort(self) -> ErrorKind | None:
        """Abort the request, and wait for its end; return the kind of its error."""
        self._client.control.abort()
        self.join(10.0)
        assert not self.is_alive()
        return self.error.kind if self.error else None


@pytest.mark.parametrize("is_reused", [False, True])
@pytest.mark.parametrize("length", [0, 20, len(CHUNKED.head), len(CHUNKED.message) - 7])
def test_an_abort_of_a_stalled_reply(
    client: HttpClient, any_server: ScriptedServer, is_reused: bool, length: int
) -> None:
    """The abort ends a stall before the head, in it, or in the body.

    It works on a new connection and on one that is used again. Later requests fail at once.
    """
    any_server.play("/a", Raw(CHUNKED.message, Stall(length)))
    for _ in range(is_reused):
        receive(client, any_server.url("/b"))
    request = RequestThread(client, any_server.url("/a"))
    request.start()
    any_server.wait_for_requests(1, "/a")
    assert length < len(CHUNKED.head) or request.has_reply.wait(PATIENT)
    assert request.kind_after_abort() is ErrorKind.INTERRUPTED
    assert error_of(client, any_server.url("/a")).kind is ErrorKind.INTERRUPTED


def test_an_abort_of_a_tls_handshake(client: HttpClient, tls_context: ssl.SSLContext) -> None:
    """The abort ends the wait for a server that never answers the first TLS message."""
    with ScriptedServer(tls=tls_context, silent=True) as silent:
        request = RequestThread(client, silent.url("/a"))
        request.start()
        silent.wait_for_connections(1)
        assert request.kind_after_abort() is ErrorKind.INTERRUPTED


def test_an_abort_between_requests(server: ScriptedServer, client: HttpClient) -> None:
    """After an abort, no request is sent, and not even a body that has arrived is a success.

    An abort of a closed client has no effect.
    """
    server.play("/a", Reply(body=BODY))
    reply = open_reply(client, server.url("/a"))
    client.control.abort()
    with pytest.raises(AttemptError) as caught:
        list(reply.chunks())
    reply.close()
    assert caught.value.kind is ErrorKind.INTERRUPTED
    assert error_of(client, server.url("/a")).kind is ErrorKind.INTERRUPTED
    assert server.count() == 1
    client.close()
    client.control.abort()
