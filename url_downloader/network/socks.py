"""A connection through a SOCKS proxy that other threads can abort."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from urllib3.exceptions import NewConnectionError, ProxyError

from url_downloader.config.proxies import Proxy
from url_downloader.network.connection import AbortableConnection
from url_downloader.network.message_head import ExchangeError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Address

_NO_LOGIN = (
    "the SOCKS proxy refuses the user and password; put the right ones into --proxy or its"
    " variable"
)


class SocksConnection(AbortableConnection):
    """Connection to a SOCKS proxy, which in turn connects to the host.

    Attributes:
        socks_proxy: Proxy to connect to; set after construction.

    Threads: one at a time; `control` aborts from any thread.
    """

    socks_proxy: Proxy
    _destination: str

    def _new_conn(self) -> socket.socket:
        """Connect through the proxy.

        Raises:
            ProxyError: The proxy can't be reached.
            ExchangeError: The proxy refused, or failed to connect to the host.
        """
        try:
            return super()._new_conn()
        except NewConnectionError as error:
            if isinstance(error.__cause__, OSError):
                _explain(error.__cause__)
            raise ProxyError("no connection through SOCKS", error) from error

    def _addresses(self, deadline: float | None) -> Sequence[Address]:
        """Return the addresses of the proxy.

        Set `_destination`, too: the host's name, or the host's address if the proxy does not
        look up names.
        """
        self._destination = self._dns_host.strip("[]")
        if not self.socks_proxy.looks_up:
            found = self._resolve(self._destination, self.port, deadline=deadline)
            self._destination = found[0][4][0]
        return self._resolve(self.socks_proxy.host, self.socks_proxy.port, deadline=deadline)

    def _socket_for(self, address: Address) -> socket.socket:
        import socks  # noqa: PLC0415 - an extra of requests, installed if this class is used

        family, kind, protocol, _, endpoint = address
        sock: socket.socket = socks.socksocket(family, kind, protocol)
        is_4 = self.socks_proxy.scheme.startswith("socks4")
        version = socks.PROXY_TYPE_SOCKS4 if is_4 else socks.PROXY_TYPE_SOCKS5
        login = self.socks_proxy.login or (None, None)
        # Not with set_proxy, which accepts only UTF-8 in user name and password.
        sock.proxy = (version, *endpoint[:2], True, *login)  # type: ignore[attr-defined]
        return sock

    def _endpoint(self, address: Address) -> Any:
        return self._destination, self.port


def _explain(error: OSError) -> None:
    """Raise an ExchangeError if PySocks reports that the proxy refused."""
    import socks  # noqa: PLC0415 - as above

    # Errors of PySocks wrap each other.
    while isinstance(inner := getattr(error, "socket_err", None), OSError):
        error = inner
    if isinstance(error, socks.SOCKS5AuthError):
        raise ExchangeError(ErrorKind.PROXY_REFUSED, _NO_LOGIN) from None
    if isinstance(error, socks.SOCKS5Error | socks.SOCKS4Error):
        # The message is a code with its meaning from a table of PySocks: safe to show.
        reason = f"the SOCKS proxy makes no connection: {error.msg}"
        raise ExchangeError(ErrorKind.PROXY, reason) from None
    if isinstance(error, socks.ProxyError):
        raise ExchangeError(ErrorKind.PROXY, "the proxy's answer is not SOCKS") from None
