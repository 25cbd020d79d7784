"""The choice of a proxy for each origin, by the settings or the environment."""

from __future__ import annotations

import functools
import os

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


class ProxyRoutes:
    """Proxies for origins.

    Args:
        proxy: URL of the proxy for all origins; None to use the environment.

    Attributes:
        proxy_to: Function of an origin that returns its proxy; None if the origin is reached
            without one. It raises an AttemptError if the environment names an invalid proxy.
            It caches proxies, because finding one takes longer than a request.

    Threads: any.
    """

    def __init__(self, proxy: str | None) -> None:
        self._proxy = parse_proxy(proxy) if proxy else None
        self.proxy_to = functools.lru_cache(maxsize=1024)(self._find)

    def _find(self, origin: Origin) -> Proxy | None:
        """Find the proxy for an origin, for the attribute `proxy_to`, which caches it."""
        if self._proxy is not None:
            return self._proxy
        name = proxy_variable(origin[0], os.environ)
        if name is None or is_excepted(origin, proxy_exceptions(os.environ)):
            return None
        try:
            return parse_proxy(os.environ[name])
        except ValueError as error:
            message = f"{name}: the proxy's URL can't be used: {error}"
            raise AttemptError(ErrorKind.PROXY_REFUSED, message) from None
