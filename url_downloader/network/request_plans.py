"""Plans of requests: the route and the header fields, which most requests of a run share."""

from __future__ import annotations

import functools
from typing import NamedTuple

from requests import PreparedRequest
from requests.auth import HTTPBasicAuth
from requests.structures import CaseInsensitiveDict

from url_downloader.config.proxies import proxy_fields
from url_downloader.config.server_settings import ServerSettings
from url_downloader.network.logins import Logins
from url_downloader.network.request_head import combine_fields, header_block
from url_downloader.network.route import Route, proxy_finder, route_to
from url_downloader.shared.ports import Fields
from url_downloader.shared.url_parts import Login, Origin, login_of, origin_of, url_of


class Hop(NamedTuple):
    """Request among those of a chain of redirects.

    Args:
        origin: Origin of the request.
        login: Login in the URL, or the one of the first URL if it may be sent; or None.
        is_trusted: Whether the origin gets the user's header fields and certificate.
        is_first_origin: Whether the origin is that of the first URL.
        was_secure: Whether an earlier request was for https.
    """

    origin: Origin
    login: Login | None = None
    is_trusted: bool = True
    is_first_origin: bool = True
    was_secure: bool = False

    @property
    def is_downgraded(self) -> bool:
        """Tell whether a redirect led from https to this request in the clear."""
        return self.was_secure and self.origin[0] == "http"


@functools.lru_cache(maxsize=1024)
def first_hop(start: str) -> Hop:
    """Return the hop to a URL with this start, up to its path; a login may be in it."""
    return Hop(origin_of(f"{start}/"), login_of(f"{start}/"))


def next_hop(last: Hop, start: str, *, first: Hop, trusts_all: bool) -> Hop:
    """Return the hop after a redirect.

    Args:
        last: Hop that was redirected.
        start: Start of the URL that the redirect leads to, up to its path.
        first: First hop of the chain.
        trusts_all: Whether each origin is trusted as the first one.
    """
    origin, login = first_hop(start)[:2]
    is_first_origin = origin == first.origin
    is_trusted = is_first_origin or trusts_all
    return Hop(
        origin,
        login=login or (first.login if is_trusted else None),
        is_trusted=is_trusted,
        is_first_origin=is_first_origin,
        was_secure=last.was_secure or last.origin[0] == "https",
    )


class RequestPlan(NamedTuple):
    """Plan of a request.

    Args:
        route: Route of the request.
        start: URL of the origin, which has no credentials.
        prefix: Text before path and query in the request line.
        fields: Header lines, with their ends.
        has_cookie: Whether one of them is a Cookie field of the user.
    """

    route: Route
    start: str
    prefix: str
    fields: bytes
    has_cookie: bool


class RequestPlans:
    """Plans of the requests of a run.

    Args:
        settings: Settings for the communication with servers, with those of the proxy.
        logins: Logins from a netrc file.

    Attributes:
        plan: Function of a hop, the header fields of the job and the conditions of the request.
            It returns a RequestPlan, and raises an AttemptError if the environment names an
            invalid proxy. It caches plans, because making one takes longer than a request.

    Threads: any.
    """

    def __init__(self, settings: ServerSettings, logins: Logins) -> None:
        self._settings = settings
        self._proxy_to = proxy_finder(settings.proxy)
        self._logins = logins
        self.plan = functools.lru_cache(maxsize=1024)(self._plan)

    def _plan(self, hop: Hop, headers: Fields, *, conditions: Fields) -> RequestPlan:
        proxy = self._proxy_to(hop.origin)
        shows_cert = hop.is_trusted and self._settings.cert is not None
        route = route_to(hop.origin, proxy=proxy, shows_cert=shows_cert)
        fields = combine_fields(
            (("Host", url_of(hop.origin).partition("://")[2]),),
            self._own_fields(hop),
            *((self._settings.headers, headers) if hop.is_trusted else ()),
            conditions,
        )
        names = {name.lower() for name in fields}
        login = self._login(hop)
        if login is not None and "authorization" not in names:
            fields |= _login_fields(login)
        if route.is_forwarded and proxy is not None:
            fields |= proxy_fields(proxy)
        start = url_of(hop.origin)
        prefix = start if route.is_forwarded else ""
        return RequestPlan(route, start, prefix, header_block(fields), "cookie" in names)

    def _own_fields(self, hop: Hop) -> Fields:
        fields = (
            ("User-Agent", self._settings.user_agent),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
        )
        referer = self._settings.referer
        # RFC 9110 §10.1.3: no Referer goes from a secure origin to an insecure one.
        return (*fields, ("Referer", referer)) if referer and not hop.is_downgraded else fields

    def _login(self, hop: Hop) -> Login | None:
        """Return the login to send; the netrc file adds a missing password or user name."""
        login = hop.login
        if (login is not None and login[1] is not None) or hop.is_downgraded:
            return login
        name = login[0] if login is not None else None
        found = self._logins.of_host(hop.origin[1], name, uses_default=hop.is_first_origin)
        return found or login


def _login_fields(login: Login) -> dict[str, str | bytes]:
    """Return the header field of Basic authentication (RFC 7617)."""
    request = PreparedRequest()
    request.headers = CaseInsensitiveDict()
    HTTPBasicAuth(login[0], login[1] or b"")(request)
    return dict(request.headers)
