"""SOCKS: a tunnel through a proxy, made by PySocks over a connected socket."""

from __future__ import annotations

import functools
import socket
from typing import Any

from url_downloader.config.proxies import Proxy
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

_NO_LOGIN = (
    "the SOCKS proxy refuses the user and password; put the right ones into --proxy or its"
    " variable"
)


def make_socks_tunnel(
    sock: socket.socket, proxy: Proxy, *, destination: tuple[str, int]
) -> socket.socket:
    """Ask a proxy to connect to a host; return the same connection as another socket.

    Args:
        sock: Socket that is connected to the proxy. It is closed, even in a failure.
        proxy: The proxy.
        destination: Host name or address, and TCP port.

    Raises:
        AttemptError: The proxy refused, or failed to connect to the host.
        OSError: The connection to the proxy is lost, or the timeout has passed.
    """
    kind, version, seconds = _negotiator_class(), _version(proxy), sock.gettimeout()
    with kind(sock.family, sock.type, sock.proto, fileno=sock.detach()) as negotiator:
        negotiator.settimeout(seconds)
        login = proxy.login or (None, None)
        # Not with set_proxy, which accepts only UTF-8 in user name and password.
        negotiator.proxy = (version, proxy.host, proxy.port, True, *login)
        try:
            negotiator.connect(destination)
        except OSError as error:
            raise _explained(error) from error
        tunnel = socket.socket(fileno=negotiator.detach())
    tunnel.settimeout(seconds)
    return tunnel


@functools.cache
def _negotiator_class() -> Any:
    """Return a class of sockets whose `connect` only negotiates, over a connected socket."""
    import socks  # noqa: PLC0415 - an extra of requests, imported if it is used

    class Connected(socket.socket):
        """Socket that is connected already."""

        def connect(self, _: object) -> None:
            """Do nothing."""

    class Negotiator(socks.socksocket, Connected):  # type: ignore[misc]  # without types
        """Socket of PySocks whose base class does not connect."""

    return Negotiator


def _version(proxy: Proxy) -> int:
    import socks  # noqa: PLC0415 - as above

    is_4 = proxy.scheme.startswith("socks4")
    return int(socks.PROXY_TYPE_SOCKS4 if is_4 else socks.PROXY_TYPE_SOCKS5)


def _explained(error: OSError) -> Exception:
    """Return the error to raise for one of PySocks."""
    import socks  # noqa: PLC0415 - as above

    # Errors of PySocks wrap each other.
    while isinstance(inner := getattr(error, "socket_err", None), OSError):
        error = inner
    if isinstance(error, socks.SOCKS5AuthError):
        return AttemptError(ErrorKind.PROXY_REFUSED, _NO_LOGIN)
    if isinstance(error, socks.SOCKS5Error | socks.SOCKS4Error):
        # The message is a code with its meaning from a table of PySocks: safe to show.
        message = f"the SOCKS proxy makes no connection: {error.msg}"
        return AttemptError(ErrorKind.PROXY, message)
    if isinstance(error, socks.ProxyError):
        return AttemptError(ErrorKind.PROXY, "the proxy's answer is not SOCKS")
    return error
