"""requests' adapter as this program needs it: connections to be cut, trust read once."""

from __future__ import annotations

import functools
import ssl
import threading
from pathlib import Path
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout
from urllib3.util.ssl_ import create_urllib3_context

from url_downloader.dialer import AbortableConnection, abortable
from url_downloader.lifeline import Lifeline
from url_downloader.routes import Route
from url_downloader.seams import LookUp
from url_downloader.shared.errors import NO_DESCRIPTORS, AttemptError
from url_downloader.shared.models import ErrorKind

# Guards the cache of _ssl_context; held while a bundle is read, so that it is read once.
_ssl_context_lock = threading.Lock()


class AbortableAdapter(HTTPAdapter):
    """requests' adapter with connections that can be cut, and trust read once per process."""

    def __init__(self, lifeline: Lifeline, look_up: LookUp, *, max_idle: int) -> None:
        self._lifeline = lifeline
        self._look_up = look_up
        # That of the last request: the one pool that no other has driven out.
        self._last: tuple[Route, HTTPConnectionPool] | None = None
        super().__init__(pool_connections=max_idle, pool_maxsize=1)

    def exchange(
        self, request: requests.PreparedRequest, *, route: Route, timeout: Timeout
    ) -> BaseHTTPResponse:
        """Send a GET and return the head of the reply: what `send` does for us, and no more.

        Args:
            request: prepared.
            route: to its origin; one object for each.
            timeout: for connecting, and for silence.
        """
        proxies, headers = dict(route.proxies), cast("dict[str, str]", dict(request.headers))
        if self._last is None or self._last[0] is not route:
            pool = self.get_connection_with_tls_context(request, route.verify, proxies)
            self._last = route, pool
        return self._last[1].urlopen(
            "GET",
            self.request_url(request, proxies) if proxies else request.path_url,
            headers=headers,
            retries=self.max_retries,
            redirect=False,
            assert_same_host=False,
            timeout=timeout,
            preload_content=False,
            decode_content=False,
        )

    def close(self) -> None:
        """Close all connections; a pool does so when nobody knows it any more."""
        self._last = None
        super().close()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """The pool for a request, with connections that can be cut."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        base: type[Any] = pool.ConnectionCls
        if not issubclass(base, AbortableConnection):
            pool.ConnectionCls = abortable(base, lifeline=self._lifeline, look_up=self._look_up)
        return pool

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Key the pools by the shared context instead of by paths of certificates."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": _shared_ssl_context(verify)} if host[
            "scheme"
        ] == "https" else {}

    def cert_verify(self, *_: Any) -> None:
        """The context has the trust already; urllib3 would read the bundle per connection."""


def _shared_ssl_context(verify: str | bool) -> ssl.SSLContext:
    """One context per trust setting for all workers: reading a CA bundle is dear.

    A second one, made at the same time, would be another key in the pools of connections.
    """
    with _ssl_context_lock:
        return _ssl_context(verify)


@functools.lru_cache(maxsize=16)
def _ssl_context(verify: str | bool) -> ssl.SSLContext:
    context = create_urllib3_context()
    bundle = Path(DEFAULT_CA_BUNDLE_PATH if isinstance(verify, bool) else verify)
    try:
        if bundle.is_dir():
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise
        message = f"the CA bundle {bundle} can't be read: {error.strerror}"
        raise AttemptError(ErrorKind.CERTIFICATE, message) from error
    return context
