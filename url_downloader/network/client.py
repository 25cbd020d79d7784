"""The HTTP client of a worker: it sends a GET, follows redirects, and returns the final reply.

For each request, `HttpClient.open` goes through these steps:

1. It combines the header fields, and adds login and cookies.
2. The ConnectionCache sends the request, direct or through a proxy. It returns a
   StrictResponse, whose head has been read.
3. The client stores new cookies. It follows a redirect with the next request. Any other reply
   is returned as an HttpReply, whose body the caller reads.

Another thread can abort each step through the AttemptControl. Independent of jobs and files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import requests
from requests.auth import HTTPBasicAuth
from requests.structures import CaseInsensitiveDict

from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import TransferSettings
from url_downloader.network.connection_cache import ConnectionCache, ConnectionKey
from url_downloader.network.cookies import Cookies, read_cookies
from url_downloader.network.errors import LIBRARY_ERRORS, attempt_error
from url_downloader.network.headers import combine_fields
from url_downloader.network.logins import Logins, find_logins, read_logins
from url_downloader.network.proxy_routes import ProxyRoutes
from url_downloader.network.reply import HttpReply
from url_downloader.network.tls import TlsConfig, tls_config
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import AttemptLimits, ErrorKind
from url_downloader.shared.ports import Fields, LookUp
from url_downloader.shared.text import printable
from url_downloader.shared.url_parts import (
    Login,
    Origin,
    login_of,
    origin_of,
    without_credentials,
)
from url_downloader.shared.urls import resolve, without_secrets

log = logging.getLogger(__package__)

_Headers = CaseInsensitiveDict[str | bytes]
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientContext:
    """Configuration and state that all clients of a run share.

    Args:
        settings: Settings for the communication with servers.
        max_redirects: Upper bound for the redirects of one call.
        is_location_trusted: Whether redirects to other origins keep the user's header fields
            and credentials.
        proxy_routes: Proxies for origins.
        logins: Logins from a netrc file.
        cookies: Cookies of the run.
        tls: TLS configuration.

    Threads: any.
    """

    settings: ServerSettings
    max_redirects: int
    is_location_trusted: bool
    proxy_routes: ProxyRoutes
    logins: Logins
    cookies: Cookies
    tls: TlsConfig


def client_context(
    settings: ServerSettings,
    transfer: TransferSettings,
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> ClientContext:
    """Return the context for the settings; read all files that they name.

    Args:
        settings: Settings for the communication with servers.
        transfer: Settings for redirects.
        should_stop: Called while a FIFO has no data; after True the file counts as empty.

    Raises:
        InputError: A file can't be used.
    """
    if not settings.is_verified:
        log.warning("--insecure: certificates are not checked; anyone can pose as a server")
    return ClientContext(
        settings=settings,
        max_redirects=transfer.max_redirects,
        is_location_trusted=transfer.is_location_trusted,
        proxy_routes=ProxyRoutes(settings.proxy),
        logins=_logins(settings, should_stop),
        cookies=Cookies(
            read_cookies(settings.cookies, should_stop=should_stop) if settings.cookies else (),
            keeps=settings.keeps_cookies,
        ),
        tls=tls_config(settings, should_stop=should_stop),
    )


def _logins(settings: ServerSettings, should_stop: Callable[[], bool]) -> Logins:
    if not settings.uses_netrc:
        return Logins()
    if settings.netrc is not None:
        return read_logins(settings.netrc, should_stop=should_stop)
    return find_logins(should_stop=should_stop)


class HttpClient:
    """Client that gets URLs, and keeps connections open for later calls.

    It implements `shared.ports.Transport`.

    Args:
        context: Context that all clients of the run share.
        control: Control of the worker's attempts.
        max_idle: Number of idle connections to keep.
        look_up: Function that starts a look-up of a host.

    Attributes:
        control: The same control; with it any thread can abort a call.

    Threads: created, used and closed in one thread.
    """

    def __init__(
        self,
        context: ClientContext,
        *,
        control: AttemptControl,
        max_idle: int,
        look_up: LookUp,
    ) -> None:
        self._context = context
        self._fields: Fields = (
            ("User-Agent", context.settings.user_agent),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
        )
        self.control = control
        tls = context.tls
        self._connections = ConnectionCache(control, look_up, tls=tls, max_idle=max_idle)

    def open(
        self, url: str, headers: Fields, *, conditions: Fields, limits: AttemptLimits
    ) -> HttpReply:
        """Send a GET, follow its redirects, and return the final reply with its body unread.

        Args:
            url: URL in normal form (`shared.urls`); credentials in it are sent as Basic
                authentication.
            headers: Header fields of the job. By default other origins do not get them.
            conditions: Header fields for ranges and preconditions. All origins get them.
            limits: Limits, of which the client applies those for connecting and for silence.

        Raises:
            AttemptError: No valid reply arrived, or a redirect can't be followed.
        """
        first_origin, first_login = origin_of(url), login_of(url)
        for _ in range(self._context.max_redirects + 1):
            is_trusted = self._context.is_location_trusted or origin_of(url) == first_origin
            users = (self._context.settings.headers, headers) if is_trusted else ()
            referer = self._referer(first_origin, url)
            fields = combine_fields(self._fields, referer, *users, conditions)
            login = login_of(url) or (first_login if is_trusted else None)
            request = self._prepare(url, fields, login=login)
            reply = self._send(request, limits=limits, is_trusted=is_trusted)
            if not _is_redirect(reply):
                return reply
            reply.drain()
            url = _redirect_target(url, reply)
        message = f"more than {self._context.max_redirects} redirects (--max-redirects)"
        raise AttemptError(ErrorKind.REDIRECT, message)

    def close(self) -> None:
        """Close all connections."""
        self.control.release()
        self._connections.close()

    def _referer(self, first_origin: Origin, url: str) -> Fields:
        referer = self._context.settings.referer
        # RFC 9110 §10.1.3: no Referer goes from a secure origin to an insecure one.
        if not referer or (first_origin[0] == "https" and origin_of(url)[0] == "http"):
            return ()
        return (("Referer", referer),)

    def _prepare(
        self, url: str, fields: Mapping[str, str | bytes], *, login: Login | None
    ) -> requests.PreparedRequest:
        """Return the request; add login and cookies unless the user's fields have these."""
        origin = origin_of(url)
        login = self._login(origin, login)
        is_login_sent = login and not _has_field(fields, "authorization")
        auth = HTTPBasicAuth(login[0], login[1] or b"") if login and is_login_sent else None
        request = self._with_login(url, fields, auth=auth)
        cookies = self._context.cookies
        found = cookies.of_host(origin[1] or "")
        if found and not _has_field(fields, "cookie"):
            cookie = cookies.field(found, scheme=origin[0], target=request.path_url)
            request.headers = cast("_Headers", {**request.headers, **cookie})
        return request

    def _with_login(
        self, url: str, fields: Mapping[str, str | bytes], *, auth: HTTPBasicAuth | None
    ) -> requests.PreparedRequest:
        if auth is None:
            return _ExactRequest(without_credentials(url), fields)
        # A copy, because combine_fields caches the mapping.
        request = _ExactRequest(without_credentials(url), {**fields})
        auth(request)
        return request

    def _login(self, origin: Origin, login: Login | None) -> Login | None:
        """Return the login to send; the netrc file adds a missing password or user name."""
        if login is not None and login[1] is not None:
            return login
        name = login[0] if login is not None else None
        return self._context.logins.of_host(origin[1] or "", name) or login

    def _send(
        self, request: requests.PreparedRequest, *, limits: AttemptLimits, is_trusted: bool
    ) -> HttpReply:
        if (failure := self.control.failure()) is not None:
            raise failure
        origin = origin_of(str(request.url))
        key = ConnectionKey(
            origin,
            shows_cert=is_trusted and self._context.tls.cert is not None,
            proxy=self._context.proxy_routes.proxy_to(origin),
        )
        try:
            response, on_closed = self._connections.exchange(
                request.path_url, request.headers, key=key, limits=limits
            )
        except LIBRARY_ERRORS as error:
            self.control.release()
            raise self.control.failure() or attempt_error(error) from error
        if "Set-Cookie" in response.headers:
            set_cookies = response.headers.get_all("Set-Cookie", [])
            self._context.cookies.store(set_cookies, origin=origin, target=request.path_url)
        return HttpReply(response, str(request.url), on_closed=on_closed, control=self.control)


class _ExactRequest(requests.PreparedRequest):
    """Request that keeps its URL unchanged; `requests` would change some escapes."""

    def __init__(self, url: str, fields: Mapping[str, str | bytes]) -> None:
        super().__init__()
        self.method, self.url = "GET", url
        # Not case-insensitive as in requests: no code looks up a name in another case.
        self.headers = cast("_Headers", fields)

    @property
    def path_url(self) -> str:
        """Return path and query."""
        return "/" + str(self.url).split("/", 3)[3]


def _has_field(fields: Mapping[str, str | bytes], name: str) -> bool:
    return name in map(str.lower, fields)


def _is_redirect(reply: HttpReply) -> bool:
    """Tell whether a reply is a redirect; a 300 is one if it has a Location."""
    is_choice = reply.status == HTTPStatus.MULTIPLE_CHOICES
    return reply.status in _REDIRECTS or (is_choice and "Location" in reply.headers)


def _redirect_target(url: str, reply: HttpReply) -> str:
    """Return the URL that a redirect leads to; raise an AttemptError without a usable one."""
    # Not strip(): it would remove the last byte of `à` in UTF-8, a blank in Latin-1.
    values = reply.headers.get_all("Location", [])
    locations = dict.fromkeys(value.strip(" \t") for value in values)
    if len(locations) > 1:
        message = f"HTTP {reply.status} with {len(locations)} different Locations"
        raise AttemptError(ErrorKind.REDIRECT, message)
    location = next(iter(locations), "")
    if not location:
        raise AttemptError(ErrorKind.REDIRECT, f"HTTP {reply.status} without a Location")
    # In practice, non-ASCII bytes of a Location are UTF-8.
    text = location.encode("latin-1").decode("utf-8", "surrogateescape")
    target = resolve(url, text)
    if target is None:
        shown = printable(without_secrets(text)[:200])
        raise AttemptError(ErrorKind.REDIRECT, f"redirect to an unusable URL: {shown}")
    return target
