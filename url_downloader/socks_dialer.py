"""Connections through a SOCKS proxy, as abortable as all others."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from urllib3.exceptions import NewConnectionError, ProxyError

from url_downloader.dialer import AbortableConnection
from url_downloader.seams import Address

_DEFAULT_PORT = 1080


class SocksConnection(AbortableConnection):
    """A connection whose proxy is dialled, and then asked for the host."""

    _socks_options: Mapping[str, Any]
    _destination: str

    def _new_conn(self) -> socket.socket:
        try:
            return super()._new_conn()
        except NewConnectionError as error:
            raise ProxyError("no connection through SOCKS", error) from error

    def _addresses(self, deadline: float | None) -> Sequence[Address]:
        """The proxy's; unless the proxy looks the host up, that is done here too."""
        self._destination = self._dns_host.strip("[]")
        if not self._socks_options["rdns"]:
            found = self._find(self._destination, self.port, deadline=deadline)
            self._destination = found[0][4][0]
        proxy, port = self._socks_options["proxy_host"], self._socks_options["proxy_port"]
        return self._find(proxy.strip("[]"), port or _DEFAULT_PORT, deadline=deadline)

    def _socket_for(self, address: Address) -> socket.socket:
        import socks  # noqa: PLC0415 - an extra of requests, there when this class is used

        family, kind, protocol, _, place = address
        sock: socket.socket = socks.socksocket(family, kind, protocol)
        options = self._socks_options
        sock.set_proxy(  # type: ignore[attr-defined]
            options["socks_version"],
            *place[:2],
            rdns=True,
            username=options["username"],
            password=options["password"],
        )
        return sock

    def _place(self, address: Address) -> Any:
        return self._destination, self.port
