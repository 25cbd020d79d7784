"""The route of a request: the origin, and the proxy on the way to it."""

from __future__ import annotations

from typing import NamedTuple

from url_downloader.config.proxies import Proxy
from url_downloader.shared.url_parts import Origin

_ANY_ORIGIN: Origin = ("", "", 0)
"""Origin in routes to an HTTP proxy that forwards requests to any origin."""


class Route(NamedTuple):
    """Route of a request. Requests with equal routes can use the same connection.

    Args:
        origin: Origin of the request.
        proxy: Proxy on the way to the origin; None for a direct connection.
        shows_cert: Whether the server may see the client's certificate.
    """

    origin: Origin
    proxy: Proxy | None = None
    shows_cert: bool = False

    @property
    def is_forwarded(self) -> bool:
        """Tell whether an HTTP proxy forwards the requests (RFC 9112 §3.2.2)."""
        return self.origin == _ANY_ORIGIN


def route_to(origin: Origin, *, proxy: Proxy | None, shows_cert: bool) -> Route:
    """Return the route to an origin."""
    if proxy is not None and not proxy.is_socks and origin[0] == "http":
        return Route(_ANY_ORIGIN, proxy)
    return Route(origin, proxy, shows_cert and origin[0] == "https")
