"""The route of a request: the origin, and the proxy on the way to it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import NamedTuple

from url_downloader.config.proxies import (
    Proxy,
    is_excepted,
    parse_proxy,
    proxy_exceptions,
    proxy_variable,
)
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
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


def proxy_finder(proxy: str | None) -> Callable[[Origin], Proxy | None]:
    """Return a function that returns the proxy to an origin; None if there is none.

    It raises an AttemptError if the environment names an invalid proxy. It caches proxies,
    because finding one takes longer than a request.

    Args:
        proxy: URL of the proxy to all origins; None to use the environment.
    """
    if proxy:
        fixed = parse_proxy(proxy)
        return lambda _: fixed
    return functools.lru_cache(maxsize=1024)(_proxy_of_environment)


def _proxy_of_environment(origin: Origin) -> Proxy | None:
    name = proxy_variable(origin[0], os.environ)
    if name is None or is_excepted(origin, proxy_exceptions(os.environ)):
        return None
    try:
        return parse_proxy(os.environ[name])
    except ValueError as error:
        message = f"{name}: the proxy's URL can't be used: {error}"
        raise AttemptError(ErrorKind.PROXY_REFUSED, message) from None
