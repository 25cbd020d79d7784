"""How an origin is reached: what the environment says of it."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass

from requests.utils import get_environ_proxies, get_netrc_auth

from url_downloader.origins import Login, Origin, url_of

_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Through what an origin is reached, by whose word it is trusted, and as whom.

    Args:
        proxies: by scheme.
        verify: a CA bundle; True = the one that requests brings.
        login: for a request that has none.
    """

    proxies: Mapping[str, str]
    verify: str | bool
    login: Login | None


class Routes:
    """Finds routes, each once: that costs more than a request.

    Threads: one.
    """

    def __init__(self) -> None:
        self.route_to = functools.lru_cache(maxsize=1024)(self._find)

    def _find(self, origin: Origin) -> Route:
        url = url_of(origin)
        bundles = filter(None, map(os.environ.get, _BUNDLE_VARIABLES))
        return Route(
            proxies=get_environ_proxies(url),
            verify=next(bundles, True),
            login=get_netrc_auth(url),
        )
