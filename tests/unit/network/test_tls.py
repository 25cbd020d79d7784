"""TLS within TLS: bytes that were taken from the socket, and not read yet. Without a socket."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any, cast

import pytest
import trustme

from url_downloader.network.tls import TlsWithinTls


class Outer:
    """Connection to a proxy, with a server behind it that speaks TLS, all in memory.

    Args:
        context: TLS context of the server.

    Attributes:
        undelivered: Bytes that the proxy's TLS has decrypted, but that were not read.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.undelivered = 0
        self._to_server, self._to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._server = context.wrap_bio(self._to_server, self._to_client, server_side=True)

    def sendall(self, data: bytes) -> None:
        self._to_server.write(data)

    def recv(self, size: int) -> bytes:
        if not self._to_client.pending:
            self.shake_hands()
        return self._to_client.read(size)

    def pending(self) -> int:
        return self.undelivered

    def shake_hands(self) -> None:
        """Have the server go on with the handshake."""
        with suppress(ssl.SSLWantReadError):
            self._server.do_handshake()

    def sends(self, *records: bytes) -> None:
        """Have the server send these bytes, each in a TLS record."""
        for record in records:
            self._server.write(record)


@pytest.fixture
def outer(tls_context: ssl.SSLContext) -> Outer:
    """Return a connection to a proxy in memory."""
    return Outer(tls_context)


@pytest.fixture
def inner(outer: Outer, ca: trustme.CA) -> TlsWithinTls:
    """Return TLS to the server, which has sent all that belongs to the handshake."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    made = TlsWithinTls(cast("Any", outer), context, name="127.0.0.1")
    outer.shake_hands()
    outer.sends(b"start")
    assert made.recv(100) == b"start"
    return made


def test_nothing_is_pending(inner: TlsWithinTls) -> None:
    """After all bytes were read, none are pending."""
    assert inner.pending() == 0


def test_bytes_of_a_record(outer: Outer, inner: TlsWithinTls) -> None:
    """The rest of a record is pending."""
    outer.sends(b"0123456789")
    assert inner.recv(4) == b"0123"
    assert inner.pending() == 6


def test_records_that_came_together(outer: Outer, inner: TlsWithinTls) -> None:
    """A record that came with the one before is pending: the socket does not show it."""
    outer.sends(b"reply", b"forged")
    assert inner.recv(100) == b"reply"
    assert inner.pending() > 0
    assert inner.recv(100) == b"forged"
    assert inner.pending() == 0


def test_bytes_in_the_tls_of_the_proxy(outer: Outer, inner: TlsWithinTls) -> None:
    """Bytes that only the TLS of the proxy has decrypted are pending."""
    outer.undelivered = 7
    assert inner.pending() == 7
