"""SOCKS: a tunnel through a proxy, with version 5 (RFC 1928, RFC 1929), 4 or 4a."""

from __future__ import annotations

import socket
from contextlib import suppress

from url_downloader.config.proxies import Proxy
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

_MAX_LENGTH = 255
"""Bytes; upper bound for a name or password, because SOCKS 5 has one byte for its length."""
_NO_LOGIN = (
    "the SOCKS proxy refuses the user and password; put the right ones into --proxy or its"
    " variable"
)
_GRANTED_5, _GRANTED_4 = 0x00, 0x5A
"""Reply codes of success."""
_REFUSALS = {
    0x01: "general failure of the proxy",
    0x02: "not allowed by the rules of the proxy",
    0x03: "network unreachable",
    0x04: "host unreachable",
    0x05: "connection refused",
    0x06: "TTL expired",
    0x07: "command not supported",
    0x08: "address type not supported",
    0x5B: "rejected or failed",
    0x5C: "the proxy gets no user name from an identd on this machine",
    0x5D: "the user name is not that of the identd on this machine",
}
"""Meanings of the codes of failure of SOCKS 5 (RFC 1928 §6), then of SOCKS 4."""
_NO_AUTHENTICATION, _PASSWORD, _NO_METHOD = 0x00, 0x02, 0xFF
"""Methods of authentication (RFC 1928 §3)."""
_ADDRESS_SIZES = {1: 4, 4: 16}
"""Address types of fixed size, IPv4 and IPv6 (RFC 1928 §5), with the bytes of an address."""
_NAME = 3
"""Address type of a host name: a byte with its length precedes it."""


def make_socks_tunnel(
    sock: socket.socket, proxy: Proxy, *, destination: tuple[str, int]
) -> None:
    """Ask a proxy to connect to a host. After that, the socket is a tunnel to the host.

    No byte after the proxy's last answer is read.

    Args:
        sock: Blocking socket that is connected to the proxy. Its timeout is for each wait.
        proxy: The proxy.
        destination: Host name in ASCII or address, and TCP port.

    Raises:
        AttemptError: The proxy refused, failed, or can't be asked for this host.
        OSError: The connection to the proxy is lost, or the timeout has passed.

    Threads: the worker's own. Another thread may shut the socket down, which ends each wait.
    """
    host, port = destination
    login = proxy.login or (b"", b"")
    _check_length("user name of the proxy", login[0])
    _check_length("password of the proxy", login[1])
    _check_length("host name", host.encode("ascii"))
    if proxy.scheme.startswith("socks4"):
        _connect_4(sock, _request_4(host, port, user=login[0], has_names=proxy.looks_up))
    else:
        _authenticate(sock, login)
        _connect_5(sock, b"\5\1\0" + _address(host) + port.to_bytes(2))


def _authenticate(sock: socket.socket, login: tuple[bytes, bytes]) -> None:
    """Agree on a method of authentication (RFC 1928 §3), and log in (RFC 1929 §2)."""
    has_login = any(login)
    sock.sendall(b"\5\2\0\2" if has_login else b"\5\1\0")
    version, method = _receive(sock, 2)
    _check_version(version, 5)
    if method == _NO_METHOD or (method == _PASSWORD and not has_login):
        raise AttemptError(ErrorKind.PROXY_REFUSED, _NO_LOGIN)
    if method == _PASSWORD:
        sock.sendall(b"\1" + b"".join(map(_counted, login)))
        version, status = _receive(sock, 2)
        _check_version(version, 1)
        if status:
            raise AttemptError(ErrorKind.PROXY_REFUSED, _NO_LOGIN)
    elif method != _NO_AUTHENTICATION:
        raise _not_socks()


def _connect_5(sock: socket.socket, request: bytes) -> None:
    """Send a request of SOCKS 5, and read its reply to the end (RFC 1928 §4, §6)."""
    sock.sendall(request)
    version, code = _receive(sock, 2)
    _check_version(version, 5)
    # Some proxies send nothing after the code of a failure.
    _check_code(code, _GRANTED_5)
    _, kind = _receive(sock, 2)
    if kind == _NAME:
        size = _receive(sock, 1)[0]
    elif kind in _ADDRESS_SIZES:
        size = _ADDRESS_SIZES[kind]
    else:
        raise _not_socks()
    # The address and port from which the proxy has connected: of no use here.
    _receive(sock, size + 2)


def _address(host: str) -> bytes:
    """Return the address type and address, or name, of a host (RFC 1928 §5)."""
    for kind, family in ((b"\1", socket.AF_INET), (b"\4", socket.AF_INET6)):
        with suppress(OSError):
            return kind + socket.inet_pton(family, host)
    return bytes((_NAME,)) + _counted(host.encode("ascii"))


def _request_4(host: str, port: int, *, user: bytes, has_names: bool) -> bytes:
    """Return a request of SOCKS 4; with names, of 4a if the host is not an IPv4 address."""
    if b"\0" in user:
        message = "SOCKS 4 can't send a user name with a NUL byte; use a proxy for socks5"
        raise AttemptError(ErrorKind.PROXY_REFUSED, message)
    start = b"\4\1" + port.to_bytes(2)
    with suppress(OSError):
        return start + socket.inet_pton(socket.AF_INET, host) + user + b"\0"
    if not has_names:
        message = "SOCKS 4 has no IPv6; use a proxy for socks5, or socks4a"
        raise AttemptError(ErrorKind.PROXY_REFUSED, message)
    # An address that can't be valid says that a name follows.
    return start + b"\0\0\0\1" + user + b"\0" + host.encode("ascii") + b"\0"


def _connect_4(sock: socket.socket, request: bytes) -> None:
    """Send a request of SOCKS 4 or 4a, and read its reply to the end."""
    sock.sendall(request)
    version, code, *_ = _receive(sock, 8)
    _check_version(version, 0)
    _check_code(code, _GRANTED_4)


def _receive(sock: socket.socket, size: int) -> bytes:
    """Receive exactly this many bytes."""
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            message = "the proxy closed the connection before the tunnel was made"
            raise AttemptError(ErrorKind.PROXY, message)
        data += piece
    return data


def _counted(data: bytes) -> bytes:
    """Return the bytes after a byte with their number."""
    return bytes((len(data),)) + data


def _check_length(what: str, data: bytes) -> None:
    if len(data) > _MAX_LENGTH:
        # Not the value: it may be secret.
        message = f"SOCKS can't send a {what} of {len(data)} bytes; the limit is {_MAX_LENGTH}"
        raise AttemptError(ErrorKind.PROXY_REFUSED, message)


def _check_version(version: int, expected: int) -> None:
    if version != expected:
        raise _not_socks()


def _check_code(code: int, granted: int) -> None:
    if code != granted:
        meaning = _REFUSALS.get(code, "unknown code")
        message = f"the SOCKS proxy makes no connection: 0x{code:02x}: {meaning}"
        raise AttemptError(ErrorKind.PROXY, message)


def _not_socks() -> AttemptError:
    return AttemptError(ErrorKind.PROXY, "the proxy's answer is not SOCKS")
