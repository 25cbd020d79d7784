"""The connection of the tests at which bytes arrive piece by piece."""

from __future__ import annotations

import socket
import ssl

import pytest
import trustme

from tests.support.arrival import TlsContexts, arriving, tls_contexts
from tests.support.slow_reader import Ending

PIECES = [b"a", b"bc", b"\r", b"\n", b"d" * 10_000, b"e"]


@pytest.fixture(scope="module")
def tls(ca: trustme.CA) -> TlsContexts:
    """Return TLS contexts of both ends."""
    return tls_contexts(ca)


@pytest.mark.parametrize("ending", Ending)
def test_each_read_gets_a_piece(tls: TlsContexts, ending: Ending) -> None:
    """A read that has room gets one piece, though nothing waits between them."""
    with arriving(PIECES, ending=ending, tls=tls) as connected:
        assert isinstance(connected, ssl.SSLSocket) == (ending in (Ending.NOTIFIED, Ending.CUT))
        assert [connected.recv(1 << 16) for _ in PIECES] == PIECES
        assert outcome(connected) is {
            Ending.CLOSED: None,
            Ending.NOTIFIED: None,
            Ending.CUT: ssl.SSLEOFError,
            Ending.RESET: ConnectionResetError,
        }[ending]  # fmt: skip


def outcome(connected: socket.socket) -> type[OSError] | None:
    """Return the error with which the bytes end; None if they just end."""
    try:
        assert connected.recv(1) == b""
    except OSError as error:
        return type(error)
    return None


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("pieces", [[], [b"abc"], [bytes(10**7)], [b"a", b"b"]])
def test_a_reader_that_leaves(tls: TlsContexts, pieces: list[bytes], ending: Ending) -> None:
    """A reader need not read to the end, and may close the connection itself."""
    with arriving(pieces, ending=ending, tls=tls) as connected:
        if pieces:
            assert connected.recv(1) == pieces[0][:1]
    with arriving(pieces, ending=ending, tls=tls) as connected:
        connected.close()


@pytest.mark.parametrize("ending", Ending)
def test_a_request_is_not_answered(tls: TlsContexts, ending: Ending) -> None:
    """What the client sends changes nothing."""
    with arriving([b"abc"], ending=ending, tls=tls) as connected:
        connected.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connected.recv(9) == b"abc"
        is_whole = ending in (Ending.CLOSED, Ending.NOTIFIED)
        assert (outcome(connected) is None) == is_whole
