"""Connections through a SOCKS proxy, as abortable as all others."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from urllib3.exceptions import NewConnectionError, ProxyError

from url_downloader.config.proxies import Proxy
from url_downloader.network.connection import AbortableConnection
from url_downloader.network.message_head import WireError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Address

_NO_LOGIN = (
    "the SOCKS proxy takes no such login; put the user and password that it wants into --proxy"
    " or its variable"
)


class SocksConnection(AbortableConnection):
    """A connection whose proxy is dialled, and then asked for the host.

    Attributes:
        way: the proxy.
    """

    way: Proxy
    _destination: str

    def _new_conn(self) -> socket.socket:
        """Connect through the proxy.

        Raises:
            ProxyError: there is no way to it.
            WireError: it does not make the connection.
        """
        try:
            return super()._new_conn()
        except NewConnectionError as error:
            if isinstance(error.__cause__, OSError):
                _explain(error.__cause__)
            raise ProxyError("no connection through SOCKS", error) from error

    def _addresses(self, deadline: float | None) -> Sequence[Address]:
        """The proxy's; unless the proxy looks the host up, that is done here too."""
        self._destination = self._dns_host.strip("[]")
        if not self.way.looks_up:
            found = self._find(self._destination, self.port, deadline=deadline)
            self._destination = found[0][4][0]
        return self._find(self.way.host, self.way.port, deadline=deadline)

    def _socket_for(self, address: Address) -> socket.socket:
        import socks  # noqa: PLC0415 - an extra of requests, there when this class is used

        family, kind, protocol, _, place = address
        sock: socket.socket = socks.socksocket(family, kind, protocol)
        is_4 = self.way.scheme.startswith("socks4")
        version = socks.PROXY_TYPE_SOCKS4 if is_4 else socks.PROXY_TYPE_SOCKS5
        # Not by set_proxy, which takes only logins that are UTF-8.
        sock.proxy = (version, *place[:2], True, *(self.way.login or (None, None)))  # type: ignore[attr-defined]
        return sock

    def _place(self, address: Address) -> Any:
        return self._destination, self.port


def _explain(error: OSError) -> None:
    """Raise a WireError if PySocks says that the proxy refuses; its errors hold each other."""
    import socks  # noqa: PLC0415 - as above

    while isinstance(inner := getattr(error, "socket_err", None), OSError):
        error = inner
    if isinstance(error, socks.SOCKS5AuthError):
        raise WireError(ErrorKind.PROXY_REFUSED, _NO_LOGIN) from None
    if isinstance(error, socks.SOCKS5Error | socks.SOCKS4Error):
        # A code, and what PySocks' own table says of it.
        reason = f"the SOCKS proxy makes no connection: {error.msg}"
        raise WireError(ErrorKind.PROXY, reason) from None
    if isinstance(error, socks.ProxyError):
        raise WireError(ErrorKind.PROXY, "the proxy does not answer as SOCKS has it") from None
