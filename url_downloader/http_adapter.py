"""What goes through proxies: requests' adapter, its connections to be cut, trust read once."""

from __future__ import annotations

from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout

from url_downloader.dialer import AbortableConnection, abortable
from url_downloader.lifeline import Lifeline
from url_downloader.routes import Route
from url_downloader.seams import LookUp
from url_downloader.socks_dialer import SocksConnection
from url_downloader.trust import Trust, ssl_context

_PROXY_KINDS = (
    "http, https, socks5 and socks5h are known, SOCKS after pip install 'requests[socks]'"
)


class AbortableAdapter(HTTPAdapter):
    """requests' adapter with connections that can be cut, and trust read once per process."""

    def __init__(
        self, lifeline: Lifeline, look_up: LookUp, *, trust: Trust, max_idle: int
    ) -> None:
        self._lifeline = lifeline
        self._look_up = look_up
        self._trust = trust
        super().__init__(pool_connections=max_idle, pool_maxsize=1)

    def exchange(
        self,
        request: requests.PreparedRequest,
        *,
        route: Route,
        cert: str | None,
        timeout: Timeout,
    ) -> BaseHTTPResponse:
        """Send a GET and return the head of the reply: what `send` does for us, and no more.

        Args:
            request: prepared.
            route: to its origin.
            cert: the client's, if it is to be shown.
            timeout: for connecting, and for silence.
        """
        proxies = dict(route.proxies)
        pool = self.get_connection_with_tls_context(request, True, proxies, cert)
        return pool.urlopen(
            "GET",
            url=self.request_url(request, proxies),
            headers=cast("dict[str, str]", dict(request.headers)),
            retries=self.max_retries,
            redirect=False,
            assert_same_host=False,
            timeout=timeout,
            preload_content=False,
            decode_content=False,
        )

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """The pool for a request, with connections that can be cut."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        base: type[Any] = pool.ConnectionCls
        if not issubclass(base, AbortableConnection):
            is_socks = "_socks_options" in pool.conn_kw
            pool.ConnectionCls = abortable(
                base,
                lifeline=self._lifeline,
                look_up=self._look_up,
                kind=SocksConnection if is_socks else AbortableConnection,
            )
        return pool

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Key the pools by the shared context; without `cert`, by one that shows none."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] != "https":
            return host, {}
        trust = self._trust if cert else self._trust.anonymous
        return host, {"ssl_context": ssl_context(trust)}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The pools behind a proxy, to which one may also speak TLS."""
        if proxy.lower().startswith("https:"):
            context = ssl_context(self._trust.anonymous)
            # For plain HTTP through it, older urllib3 looks at the first.
            options |= {"ssl_context": context, "proxy_ssl_context": context}
        try:
            return super().proxy_manager_for(proxy, **options)
        except ValueError:
            # The message would show the URL with its password.
            raise requests.exceptions.InvalidProxyURL(_PROXY_KINDS) from None

    def cert_verify(self, *_: Any) -> None:
        """The context has the trust already; urllib3 would read the bundle per connection."""
