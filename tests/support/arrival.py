"""Bytes of a server that arrive at a socket piece by piece, in the clear or over TLS.

Independent of the program under test.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import trustme

from tests.support.slow_reader import Ending

_NAME = "localhost"
_TIMEOUT = 20.0
"""Seconds for a read or a write; then the test fails instead of waiting forever."""
_PAUSE = 5e-5
"""Seconds between two looks whether a piece was read."""


class TlsContexts(NamedTuple):
    """TLS contexts of the two ends of a connection."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def tls_contexts(ca: trustme.CA) -> TlsContexts:
    """Return contexts for a server with a certificate of `ca`, and a client that trusts it."""
    contexts = TlsContexts(
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    ca.issue_cert(_NAME).configure_cert(contexts.server)
    ca.configure_trust(contexts.client)
    return contexts


@contextlib.contextmanager
def arriving(
    pieces: Sequence[bytes], *, ending: Ending, tls: TlsContexts
) -> Iterator[socket.socket]:
    """Yield a connected socket at which a piece arrives when those before it were read.

    In TLS each piece up to 16 KiB is one record. A read in TLS raises ssl.SSLEOFError where the
    connection ends without close_notify.

    Args:
        pieces: What the server sends, whatever the client says.
        ending: How the server ends the connection after the last piece.
        tls: Contexts for the endings that need TLS.
    """
    server, client = socket.socketpair()
    sender = _Sender(server, client.dup(), tls=tls.server)
    thread = threading.Thread(
        target=sender.run, args=[pieces], kwargs={"ending": ending}, name="sender"
    )
    client.settimeout(_TIMEOUT)
    if ending is Ending.RESET:
        client.sendall(b"?")  # closing a local socket that has unread bytes resets it
    thread.start()
    try:
        if ending in (Ending.NOTIFIED, Ending.CUT):
            client = tls.client.wrap_socket(
                client, server_hostname=_NAME, suppress_ragged_eofs=False
            )
        yield client
    finally:
        sender.abort()
        thread.join(_TIMEOUT)
        client.close()
        sender.close()


class _Sender:
    """The server's end of a connection.

    Threads: `run()` has a thread of its own; the other methods are the test's.
    """

    def __init__(
        self, server: socket.socket, unread: socket.socket, *, tls: ssl.SSLContext
    ) -> None:
        self._server = server
        self._unread = unread
        self._tls = tls
        self._stopping = threading.Event()
        server.settimeout(_TIMEOUT)

    def run(self, pieces: Sequence[bytes], *, ending: Ending) -> None:
        with contextlib.suppress(OSError):  # the client has left
            if ending in (Ending.NOTIFIED, Ending.CUT):
                self._server = self._tls.wrap_socket(self._server, server_side=True)
            for piece in pieces:
                self._server.sendall(piece)
                self._wait_until_read()
            self._end(ending)

    def abort(self) -> None:
        """Wake the thread, wherever it waits."""
        self._stopping.set()
        with contextlib.suppress(OSError):  # the other end has closed
            self._unread.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.close()
        self._unread.close()

    def _wait_until_read(self) -> None:
        while select.select([self._unread], [], [], 0)[0]:
            if self._stopping.wait(_PAUSE):
                raise ConnectionAbortedError

    def _end(self, ending: Ending) -> None:
        if ending is Ending.RESET:
            self._server.close()
            return
        if ending is Ending.NOTIFIED and isinstance(self._server, ssl.SSLSocket):
            self._server.settimeout(0)  # the answer is not waited for
            with contextlib.suppress(ssl.SSLWantReadError):
                self._server.unwrap()
        # Not shutdown() of the TLS socket, which is the same, but drops its TLS state.
        socket.socket.shutdown(self._server, socket.SHUT_WR)
