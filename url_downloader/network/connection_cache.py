"""Connections to origins, straight or through proxies, each kept for the next request."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import Any

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
Route = tuple[Origin, bool, Proxy | None]
"""An origin, whether the client's certificate is shown there, and the proxy on the way."""

_FORWARDED: Origin = ("", None, 0)
"""All origins whose requests an HTTP proxy makes; one connection to it serves for all."""


class _SecureConnection(AbortableConnection, HTTPSConnection):
    """One with TLS."""


class _SecureSocksConnection(SocksConnection, HTTPSConnection):
    """One with TLS, through a SOCKS proxy."""


class ConnectionCache:
    """Asks origins; what urllib3's pools do for us, in a fraction of the time.

    Unlike those, it sends each target as it is given.

    Args:
        control: holds the connection in use.
        look_up: finds the addresses of hosts.
        tls: whom servers must be vouched for by.
        max_idle: places to which a connection is kept.

    Threads: used in the transport's.
    """

    def __init__(
        self, control: AttemptControl, look_up: LookUp, *, tls: TlsConfig, max_idle: int
    ) -> None:
        self._control = control
        self._look_up = look_up
        self._tls = tls
        self._max_idle = max_idle
        # The one that was used last is at the end.
        self._idle: OrderedDict[Route, AbortableConnection] = OrderedDict()

    def exchange(
        self,
        target: str,
        fields: _Fields,
        *,
        place: Route,
        limits: AttemptLimits,
    ) -> tuple[StrictResponse, Callable[[], None]]:
        """Send a GET; returns the reply's head, and what is to be called at its end.

        Args:
            target: path and query.
            fields: of the header, without Host.
            place: where to.
            limits: for connecting and for silence.
        """
        if _is_forwarded(place):
            target, fields, place = _forwarded(target, fields, place=place)
        connection = self._connection(place)
        try:
            connection.timeout = limits.connect_seconds or None
            connection.request("GET", target, headers=fields)
            connection.timeout = limits.timeout or None
            reply = connection.reply()
        except BaseException:
            connection.close()
            raise
        return reply, functools.partial(self._let_go, connection, reply, place=place)

    def close(self) -> None:
        """Close all that are kept."""
        while self._idle:
            self._idle.popitem()[1].close()

    def _connection(self, place: Route) -> AbortableConnection:
        kept = self._idle.pop(place, None)
        if kept is None:
            return self._made(place)
        # What TLS has decrypted already, nobody asked for; the socket does not show it.
        if kept.is_connected and not getattr(kept.sock, "pending", int)():
            return kept
        kept.close()
        return self._made(place)

    def _made(self, place: Route) -> AbortableConnection:
        (scheme, host, port), shows_cert, proxy = place
        tls = self._tls if shows_cert else self._tls.anonymous
        context = ssl_context(tls) if scheme == "https" else None
        if proxy is None:
            made = _connection_to(host or "", port, context=context)
        elif proxy.is_socks:
            made = _connection_to(host or "", port, context=context, way=proxy)
        else:
            made = self._made_to(proxy, place[0], context=context)
        made.control, made.look_up = self._control, self._look_up
        return made

    def _made_to(
        self, proxy: Proxy, origin: Origin, *, context: SSLContext | None
    ) -> AbortableConnection:
        """Make a connection to an HTTP proxy, and through its tunnel to an origin with TLS."""
        own = ssl_context(self._tls.anonymous) if proxy.scheme == "https" else None
        made = _connection_to(
            proxy.host,
            proxy.port,
            # Where there is no tunnel, older urllib3 looks at this one for the proxy's TLS.
            context=context or own,
            proxy=Url(scheme=proxy.scheme, host=proxy.host, port=proxy.port),
            proxy_config=ProxyConfig(own, False, None, None),
        )
        if origin != _FORWARDED:
            made.set_tunnel(origin[1] or "", origin[2], scheme=proxy.scheme)
            made.tunnel_fields = proxy_fields(proxy)
        return made

    def _let_go(
        self, connection: AbortableConnection, reply: StrictResponse, *, place: Route
    ) -> None:
        """Keep the connection if it can serve again, else close it."""
        can_serve = reply.is_complete and not reply.will_close
        reply.close()
        if not can_serve:
            connection.close()
            return
        if (other := self._idle.pop(place, None)) is not None:
            other.close()
        self._idle[place] = connection
        if len(self._idle) > self._max_idle:
            self._idle.popitem(last=False)[1].close()


def _is_forwarded(place: Route) -> bool:
    """Return whether an HTTP proxy makes the requests that go there."""
    (scheme, _, _), _, proxy = place
    return proxy is not None and not proxy.is_socks and scheme == "http"


def _forwarded(target: str, fields: _Fields, *, place: Route) -> tuple[str, _Fields, Route]:
    """Return a request as a proxy wants to have it (RFC 9112 §3.2.2)."""
    origin, _, proxy = place
    assert proxy is not None
    return (
        url_of(origin) + target,
        {**fields, **proxy_fields(proxy)},
        (_FORWARDED, False, proxy),
    )


def _connection_to(
    host: str,
    port: int,
    *,
    context: SSLContext | None,
    way: Proxy | None = None,
    **options: Any,
) -> AbortableConnection:
    """Make a connection, with TLS if there is a context, through the SOCKS proxy `way`."""
    if context is not None:
        options["ssl_context"] = context
    if way is None:
        kind = AbortableConnection if context is None else _SecureConnection
        return kind(host, port, **options)
    socks_kind = SocksConnection if context is None else _SecureSocksConnection
    made = socks_kind(host, port, **options)
    made.way = way
    return made
