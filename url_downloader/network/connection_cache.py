"""A cache of open connections to origins, direct or through proxies."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import Any, NamedTuple

from urllib3.connection import HTTPSConnection, ProxyConfig
from urllib3.util import Url

from url_downloader.config.proxies import Proxy, proxy_fields
from url_downloader.network.connection import AbortableConnection
from url_downloader.network.socks import SocksConnection
from url_downloader.network.strict_response import StrictResponse
from url_downloader.network.tls import TlsConfig, ssl_context
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.models import AttemptLimits
from url_downloader.shared.ports import LookUp
from url_downloader.shared.url_parts import Origin, url_of

_Fields = Mapping[str, str | bytes]


class ConnectionKey(NamedTuple):
    """Key of a connection: requests with equal keys can use the same connection.

    Args:
        origin: Origin of the request.
        shows_cert: Whether the server may see the client's certificate.
        proxy: Proxy on the way to the origin; None for a direct connection.
    """

    origin: Origin
    shows_cert: bool
    proxy: Proxy | None


_ANY_ORIGIN: Origin = ("", None, 0)
"""Origin in keys of connections to an HTTP proxy that forwards requests to any origin."""


class _SecureConnection(AbortableConnection, HTTPSConnection):
    """Connection with TLS."""


class _SecureSocksConnection(SocksConnection, HTTPSConnection):
    """Connection with TLS, through a SOCKS proxy."""


class ConnectionCache:
    """Cache of idle connections that sends requests over them, or over new ones.

    It replaces urllib3's pools, which take several times as long. Unlike the pools, it sends
    each target unchanged.

    Args:
        control: Control that can abort the connection in use.
        look_up: Function that starts a look-up of a host.
        tls: TLS configuration of the run.
        max_idle: Upper bound for the idle connections; at most one per key is kept.

    Threads: used only in the worker's thread.
    """

    def __init__(
        self, control: AttemptControl, look_up: LookUp, *, tls: TlsConfig, max_idle: int
    ) -> None:
        self._control = control
        self._look_up = look_up
        self._tls = tls
        self._max_idle = max_idle
        # The connection that was used last is at the end.
        self._idle: OrderedDict[ConnectionKey, AbortableConnection] = OrderedDict()

    def exchange(
        self, target: str, fields: _Fields, *, key: ConnectionKey, limits: AttemptLimits
    ) -> tuple[StrictResponse, Callable[[], None]]:
        """Send a GET; return the response, and a function that closes it.

        The caller must call this function once. It keeps the connection for later requests if
        the body was read to its end.

        Args:
            target: Path and query of the URL.
            fields: Header fields; Host is added if it is missing.
            key: Key of the connection.
            limits: Limits, of which those for connecting and for silence are used.

        Raises:
            OSError, HTTPError, HTTPException: No valid head arrived.
        """
        if _is_forwarded(key):
            target, fields, key = _forwarded(target, fields, key=key)
        connection = self._connection(key)
        try:
            connection.timeout = limits.connect_seconds or None
            connection.request("GET", target, headers=fields)
            connection.timeout = limits.timeout or None
            response = connection.read_response()
        except BaseException:
            connection.close()
            raise
        return response, functools.partial(self._release, connection, response, key=key)

    def close(self) -> None:
        """Close all idle connections."""
        while self._idle:
            self._idle.popitem()[1].close()

    def _connection(self, key: ConnectionKey) -> AbortableConnection:
        kept = self._idle.pop(key, None)
        if kept is None:
            return self._create(key)
        # Unrequested bytes that TLS has decrypted already are not visible at the socket.
        if kept.is_connected and not getattr(kept.sock, "pending", int)():
            return kept
        kept.close()
        return self._create(key)

    def _create(self, key: ConnectionKey) -> AbortableConnection:
        (scheme, host, port), shows_cert, proxy = key
        tls = self._tls if shows_cert else self._tls.anonymous
        context = ssl_context(tls) if scheme == "https" else None
        if proxy is None:
            connection = _build_connection(host or "", port, context=context)
        elif proxy.is_socks:
            connection = _build_connection(host or "", port, context=context, socks_proxy=proxy)
        else:
            connection = self._create_to_proxy(proxy, key.origin, context=context)
        connection.control, connection.look_up = self._control, self._look_up
        return connection

    def _create_to_proxy(
        self, proxy: Proxy, origin: Origin, *, context: SSLContext | None
    ) -> AbortableConnection:
        """Return a new connection to an HTTP proxy, with a tunnel if the origin has TLS."""
        own = ssl_context(self._tls.anonymous) if proxy.scheme == "https" else None
        connection = _build_connection(
            proxy.host,
            proxy.port,
            # Without a tunnel, older versions of urllib3 take this for the TLS to the proxy.
            context=context or own,
            proxy=Url(scheme=proxy.scheme, host=proxy.host, port=proxy.port),
            proxy_config=ProxyConfig(own, False, None, None),
        )
        if origin != _ANY_ORIGIN:
            connection.set_tunnel(origin[1] or "", origin[2], scheme=proxy.scheme)
            connection.tunnel_fields = proxy_fields(proxy)
        return connection

    def _release(
        self, connection: AbortableConnection, response: StrictResponse, *, key: ConnectionKey
    ) -> None:
        """Keep the connection if it can carry another request; close it otherwise."""
        is_reusable = response.is_complete and not response.will_close
        response.close()
        if not is_reusable:
            connection.close()
            return
        if (other := self._idle.pop(key, None)) is not None:
            other.close()
        self._idle[key] = connection
        if len(self._idle) > self._max_idle:
            self._idle.popitem(last=False)[1].close()


def _is_forwarded(key: ConnectionKey) -> bool:
    """Tell whether requests with this key go to an HTTP proxy that forwards them."""
    scheme, proxy = key.origin[0], key.proxy
    return proxy is not None and not proxy.is_socks and scheme == "http"


def _forwarded(
    target: str, fields: _Fields, *, key: ConnectionKey
) -> tuple[str, _Fields, ConnectionKey]:
    """Return target, fields and key for an HTTP proxy that forwards (RFC 9112 §3.2.2)."""
    assert key.proxy is not None
    return (
        url_of(key.origin) + target,
        {**fields, **proxy_fields(key.proxy)},
        ConnectionKey(_ANY_ORIGIN, shows_cert=False, proxy=key.proxy),
    )


def _build_connection(
    host: str,
    port: int,
    *,
    context: SSLContext | None,
    socks_proxy: Proxy | None = None,
    **options: Any,
) -> AbortableConnection:
    """Return a new connection, with TLS if `context` is given."""
    if context is not None:
        options["ssl_context"] = context
    if socks_proxy is None:
        kind = AbortableConnection if context is None else _SecureConnection
        return kind(host, port, **options)
    socks_kind = SocksConnection if context is None else _SecureSocksConnection
    connection = socks_kind(host, port, **options)
    connection.socks_proxy = socks_proxy
    return connection
