"""SOCKS over sockets in memory: the bytes that a proxy gets, and its answers."""

from __future__ import annotations

import socket
from typing import Any, cast

import pytest

from tests.support.memory_replies import UNNEEDED, MemoryStream, in_pieces
from url_downloader.config.proxies import Proxy
from url_downloader.network.socks import make_socks_tunnel
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

SECRET = "S3CRET"
LOGIN = (b"me", SECRET.encode())
LONG = "n" * 255
OWN = b"220 server\r\n"
"""Bytes of the server behind the proxy."""
OPEN, ASKED = b"\5\0", b"\5\2"
LET_IN = ASKED + b"\1\0"
BOUND = b"\0\1\1\2\3\4\5\6"
"""End of a reply of SOCKS 5: reserved byte, address and port of the proxy's own side."""
MADE = OPEN + b"\5\0" + BOUND
MADE_4 = b"\0\x5a" + bytes(6)
HELLO, HELLO_WITH_LOGIN = b"\5\1\0", b"\5\2\0\2"
LOGGED_IN = HELLO_WITH_LOGIN + b"\1\2me\6S3CRET"


def tunnel(
    stream: MemoryStream, scheme: str = "socks5h", *, host: str = "h", login: Any = None
) -> bytes:
    """Return what the proxy gets from a client that wants a tunnel to port 443 of a host."""
    proxy = Proxy(scheme=scheme, host="p", port=1080, login=login)
    sock = cast("socket.socket", stream)
    make_socks_tunnel(sock, proxy, destination=(host, 443))
    return stream.sent


def failure(stream: MemoryStream, scheme: str = "socks5h", **options: Any) -> AttemptError:
    """Return the error of such a client; its message has no secret."""
    with pytest.raises(AttemptError) as caught:
        tunnel(stream, scheme, **options)
    assert SECRET not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("h.test", b"\3\6h.test"),
        ("under_score.test.", b"\3\x11under_score.test."),
        (LONG, b"\3\xff" + LONG.encode()),
        ("192.0.2.1", b"\1\xc0\0\2\1"),
        ("2001:db8::1", b"\4\x20\1\x0d\xb8" + bytes(11) + b"\1"),
        ("127.1", b"\3\x05127.1"),
    ],
)
def test_destination_of_version_5(host: str, address: bytes) -> None:
    """A host is sent as the address that it is, or as a name with its length (§5)."""
    sent = tunnel(MemoryStream(MADE), host=host)
    assert sent == HELLO + b"\5\1\0" + address + b"\1\xbb"


@pytest.mark.parametrize(
    ("scheme", "host", "login", "request_4"),
    [
        ("socks4", "192.0.2.1", None, b"\xc0\0\2\1\0"),
        ("socks4", "192.0.2.1", LOGIN, b"\xc0\0\2\1me\0"),
        ("socks4a", "192.0.2.1", LOGIN, b"\xc0\0\2\1me\0"),
        ("socks4a", "h.test", LOGIN, b"\0\0\0\1me\0h.test\0"),
        ("socks4a", LONG, None, b"\0\0\0\1\0" + LONG.encode() + b"\0"),
        ("socks4a", "::1", None, b"\0\0\0\1\0::1\0"),
    ],
)
def test_request_of_version_4(scheme: str, host: str, login: Any, request_4: bytes) -> None:
    """SOCKS 4 sends an address and the user name, and 4a a name after them."""
    sent = tunnel(MemoryStream(MADE_4), scheme, host=host, login=login)
    assert sent == b"\4\1\1\xbb" + request_4


@pytest.mark.parametrize(
    ("user", "password"),
    [
        (b"me", b"p" * 255),
        (b"u" * 255, b"p"),
        (b"u" * 200, b"p" * 128),
        *[(b"me", b""), (b"", b"token"), (b"\xff\0", b"\xfc")],
    ],
)
def test_login(user: bytes, password: bytes) -> None:
    """A login is sent as the bytes that it is, each with its length (RFC 1929 §2)."""
    stream = MemoryStream(LET_IN + MADE.removeprefix(OPEN))
    lengths = bytes([len(user)]), bytes([len(password)])
    expected = HELLO_WITH_LOGIN + b"\1" + lengths[0] + user + lengths[1] + password
    assert tunnel(stream, login=(user, password)).startswith(expected + b"\5\1\0\3")


@pytest.mark.parametrize("login", [None, (b"", b"")])
def test_no_login(login: Any) -> None:
    """Without a login, none is offered."""
    assert tunnel(MemoryStream(MADE), login=login).startswith(HELLO + b"\5")


def test_login_that_is_not_needed() -> None:
    """A proxy that lets all clients in does not get the password."""
    assert tunnel(MemoryStream(MADE), login=LOGIN).startswith(HELLO_WITH_LOGIN + b"\5")


@pytest.mark.parametrize(
    ("scheme", "login", "answer"),
    [
        ("socks5", None, MADE),
        ("socks5", LOGIN, LET_IN + MADE.removeprefix(OPEN)),
        ("socks5", None, OPEN + b"\5\0\0\4" + bytes(16) + b"\0\1"),
        ("socks5", None, OPEN + b"\5\0\0\3\6h.test\0\1"),
        ("socks5", None, OPEN + b"\5\0\0\3\0\0\1"),
        ("socks5", None, OPEN + b"\5\0\0\3\xff" + bytes(255) + b"\0\1"),
        ("socks4", LOGIN, MADE_4),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_answers_are_read_exactly(scheme: str, login: Any, answer: bytes, size: int) -> None:
    """Answers may come in any pieces; the bytes after them are left for the reader."""
    stream = MemoryStream(*in_pieces(answer + OWN, size), error=UNNEEDED)
    tunnel(stream, scheme, host="192.0.2.1", login=login)
    left = b"".join(stream.recv(1) for _ in OWN)
    assert left == OWN
    with pytest.raises(AssertionError):
        stream.recv(1)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        *[(1, "general failure"), (2, "not allowed"), (3, "network unreachable")],
        *[(4, "host unreachable"), (5, "connection refused"), (6, "TTL expired")],
        *[(7, "command not supported"), (8, "address type not supported")],
        *[(9, "unknown code"), (0xFF, "unknown code")],
    ],
)
def test_refusals_of_version_5(code: int, words: str) -> None:
    """The message has the code and its meaning; nothing after the code is waited for (§6)."""
    error = failure(MemoryStream(OPEN + bytes([5, code]), error=UNNEEDED))
    expected = f"the SOCKS proxy makes no connection: 0x{code:02x}: "
    assert (error.kind, error.message.startswith(expected)) == (ErrorKind.PROXY, True)
    assert words in error.message


@pytest.mark.parametrize(
    ("code", "words"),
    [
        *[(0x5B, "0x5b: rejected or failed"), (0x5C, "0x5c: "), (0x5D, "0x5d: the user name")],
        (0, "0x00: unknown code"),
    ],
)
def test_refusals_of_version_4(code: int, words: str) -> None:
    """The message has the code and its meaning."""
    error = failure(MemoryStream(bytes([0, code]) + bytes(6)), "socks4a", login=LOGIN)
    assert error.kind is ErrorKind.PROXY
    assert words in error.message


@pytest.mark.parametrize(
    ("login", "answer", "sent"),
    [
        (LOGIN, b"\5\xff", HELLO_WITH_LOGIN),
        (None, b"\5\xff", HELLO),
        (None, ASKED, HELLO),
        *[(LOGIN, ASKED + bytes([1, status]), LOGGED_IN) for status in (1, 0xFF)],
    ],
)
def test_refused_login(login: Any, answer: bytes, sent: bytes) -> None:
    """A missing or wrong login is refused, and the proxy gets nothing more."""
    stream = MemoryStream(answer, error=UNNEEDED)
    error = failure(stream, login=login)
    assert error.kind is ErrorKind.PROXY_REFUSED
    assert "put the right ones into --proxy" in error.message
    assert stream.sent == sent


@pytest.mark.parametrize(
    ("scheme", "answer"),
    [
        *[("socks5", answer) for answer in (b"HTTP/1.1 200", bytes(9), MADE_4)],
        # Methods that were not offered: GSSAPI, and one for private use.
        *[("socks5", answer) for answer in (b"\5\1", b"\5\x80")],
        *[("socks5", answer) for answer in (ASKED + b"\5\0", ASKED + b"\0\0")],
        *[("socks5", OPEN + answer) for answer in (b"\4\0", b"\5\0\0\2", b"\5\0\0\0")],
        *[("socks4", answer) for answer in (b"HTTP/1.1 200", b"\4\x5a" + bytes(6))],
    ],
)
def test_answers_that_are_not_socks(scheme: str, answer: bytes) -> None:
    """An answer that breaks the rules is a failure of the proxy."""
    error = failure(MemoryStream(answer), scheme, host="192.0.2.1", login=LOGIN)
    assert error.kind is ErrorKind.PROXY
    assert error.message == "the proxy's answer is not SOCKS"


@pytest.mark.parametrize(
    ("scheme", "answer"),
    [
        *[("socks5", MADE[:size]) for size in range(len(MADE))],
        *[("socks5", LET_IN[:size]) for size in range(1, 4)],
        *[("socks4", MADE_4[:size]) for size in range(len(MADE_4))],
    ],
)
def test_connection_that_ends_early(scheme: str, answer: bytes) -> None:
    """A proxy that closes the connection before the end of its answer has failed."""
    error = failure(MemoryStream(answer), scheme, host="192.0.2.1", login=LOGIN)
    assert error.kind is ErrorKind.PROXY
    assert "closed the connection" in error.message


@pytest.mark.parametrize("error", [TimeoutError("timed out"), ConnectionResetError()])
def test_errors_of_the_system(error: OSError) -> None:
    """Errors of the socket, such as a passed timeout, reach the caller as they are."""
    with pytest.raises(type(error)) as caught:
        tunnel(MemoryStream(MADE[:3], error=error))
    assert caught.value is error


@pytest.mark.parametrize(
    ("scheme", "options", "words"),
    [
        ("socks5h", {"host": "h" * 256}, "a host name of 256 bytes; the limit is 255"),
        ("socks4a", {"host": "h" * 256}, "a host name of 256 bytes; the limit is 255"),
        ("socks5h", {"login": (b"me", SECRET.encode() * 43)}, "password of the proxy of 258"),
        ("socks5h", {"login": (SECRET.encode() * 43, b"")}, "user name of the proxy of 258"),
        ("socks4a", {"login": (SECRET.encode() * 43, b"")}, "user name of the proxy of 258"),
        ("socks4a", {"login": (SECRET.encode() + b"\0", b"")}, "NUL"),
        ("socks4", {"host": "2001:db8::1"}, "SOCKS 4 has no IPv6"),
    ],
)
def test_what_can_not_be_sent(scheme: str, options: Any, words: str) -> None:
    """What SOCKS has no form for is refused at once, and the proxy gets nothing."""
    stream = MemoryStream(error=UNNEEDED)
    error = failure(stream, scheme, **options)
    assert error.kind is ErrorKind.PROXY_REFUSED
    assert words in error.message
    assert stream.sent == b""
