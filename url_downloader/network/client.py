"""One worker's hands on the network: a GET, its redirects, its reply. Abortable.

The only room that drives `requests`. Knows nothing of jobs, files and retries.
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
from url_downloader.network.connection_cache import ConnectionCache
from url_downloader.network.cookies import Cookies, read_cookies
from url_downloader.network.errors import LIBRARY_ERRORS, attempt_error
from url_downloader.network.headers import combined
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
    """What all clients of a run share.

    Args:
        settings: what the user asked for.
        max_redirects: how many are followed for one call.
        is_location_trusted: whether the user's headers and credentials follow to other origins.
        proxy_routes: the proxies on the way to origins.
        logins: those that the user keeps in a .netrc.
        cookies: of the run.
        tls: whom servers must be vouched for by.
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
    """The context that the settings ask for, all files that they name read.

    Args:
        settings: for the talk with servers.
        transfer: for redirects.
        should_stop: asked while a file is waited for; True ends that.

    Raises:
        InputError: one of them can't be used.
    """
    if not settings.is_verified:
        log.warning("--insecure: servers need not prove who they are; anybody may pose as them")
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
    """Gets URLs over connections that it keeps for the next call.

    Args:
        context: what it shares with others.
        control: of the worker's attempts.
        max_idle: hosts to which a connection is kept.
        look_up: finds the addresses of hosts.

    Attributes:
        control: as given; aborts a call from any thread.

    Threads: made, used and closed in one thread.
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
        """Send a GET, follow its redirects, and return the final reply's head.

        Args:
            url: in normal form (`urls`); credentials in it become Basic authorization.
            headers: the user's; they do not follow a redirect to an origin not trusted.
            conditions: ranges and preconditions; they do.
            limits: those for connecting and for silence are kept to, not the others.

        Raises:
            AttemptError: no reply, or a redirect that can't be followed.
        """
        home, own_login = origin_of(url), login_of(url)
        for _ in range(self._context.max_redirects + 1):
            is_home = self._context.is_location_trusted or origin_of(url) == home
            own = (self._context.settings.headers, headers) if is_home else ()
            fields = combined(self._fields, self._referer(home, url), *own, conditions)
            login = login_of(url) or (own_login if is_home else None)
            request = self._prepare(url, fields, login=login)
            reply = self._send(request, limits=limits, is_home=is_home)
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

    def _referer(self, home: Origin, url: str) -> Fields:
        referer = self._context.settings.referer
        # RFC 9110 §10.1.3: what is known by TLS is not told without it.
        if not referer or (home[0] == "https" and origin_of(url)[0] == "http"):
            return ()
        return (("Referer", referer),)

    def _prepare(
        self, url: str, fields: Mapping[str, str | bytes], *, login: Login | None
    ) -> requests.PreparedRequest:
        origin = origin_of(url)
        login = self._login(origin, login)
        # What the user wrote as a header is meant so.
        is_login_sent = login and "authorization" not in map(str.lower, fields)
        auth = HTTPBasicAuth(login[0], login[1] or b"") if login and is_login_sent else None
        request = self._prepared(url, fields, auth=auth)
        cookies = self._context.cookies
        if (found := cookies.of_host(origin[1] or "")) and "cookie" not in map(
            str.lower, fields
        ):
            cookie = cookies.field(found, scheme=origin[0], target=request.path_url)
            request.headers = cast("_Headers", {**request.headers, **cookie})
        return request

    def _prepared(
        self, url: str, fields: Mapping[str, str | bytes], *, auth: HTTPBasicAuth | None
    ) -> requests.PreparedRequest:
        if auth is None:
            return _ExactRequest(without_credentials(url), fields)
        request = _ExactRequest(without_credentials(url), {**fields})
        auth(request)
        return request

    def _login(self, origin: Origin, login: Login | None) -> Login | None:
        """The login to send: that of the URL, or what the netrc adds to it."""
        if login is not None and login[1] is not None:
            return login
        name = login[0] if login is not None else None
        return self._context.logins.of_host(origin[1] or "", name) or login

    def _send(
        self, request: requests.PreparedRequest, *, limits: AttemptLimits, is_home: bool
    ) -> HttpReply:
        if (failure := self.control.failure()) is not None:
            raise failure
        origin = origin_of(str(request.url))
        place = (
            origin,
            is_home and self._context.tls.cert is not None,
            self._context.proxy_routes.proxy_to(origin),
        )
        try:
            message, let_go = self._connections.exchange(
                request.path_url, request.headers, place=place, limits=limits
            )
        except LIBRARY_ERRORS as error:
            self.control.release()
            raise self.control.failure() or attempt_error(error) from error
        if "Set-Cookie" in message.headers:
            set_cookies = message.headers.get_all("Set-Cookie", [])
            self._context.cookies.take(set_cookies, origin=origin, target=request.path_url)
        return HttpReply(message, str(request.url), let_go=let_go, control=self.control)


class _ExactRequest(requests.PreparedRequest):
    """A request for the very URL; requests would write its escapes in its own way."""

    def __init__(self, url: str, fields: Mapping[str, str | bytes]) -> None:
        super().__init__()
        self.method, self.url = "GET", url
        # Only read from here on, under the names that they have.
        self.headers = cast("_Headers", fields)

    @property
    def path_url(self) -> str:
        """Path and query."""
        return "/" + str(self.url).split("/", 3)[3]


def _is_redirect(reply: HttpReply) -> bool:
    """Return whether it leads on, as a 300 does where the server has a choice of its own."""
    is_choice = reply.status == HTTPStatus.MULTIPLE_CHOICES
    return reply.status in _REDIRECTS or (is_choice and "Location" in reply.headers)


def _redirect_target(url: str, reply: HttpReply) -> str:
    # Not strip(): as a character, the last byte of an `à` in UTF-8 is a blank.
    values = reply.headers.get_all("Location", [])
    locations = dict.fromkeys(value.strip(" \t") for value in values)
    if len(locations) > 1:
        message = f"HTTP {reply.status} with {len(locations)} different Locations"
        raise AttemptError(ErrorKind.REDIRECT, message)
    location = next(iter(locations), "")
    if not location:
        raise AttemptError(ErrorKind.REDIRECT, f"HTTP {reply.status} without a Location")
    # A Location is bytes on the wire; those beyond ASCII are meant as UTF-8.
    text = location.encode("latin-1").decode("utf-8", "surrogateescape")
    target = resolve(url, text)
    if target is None:
        shown = printable(without_secrets(text)[:200])
        raise AttemptError(ErrorKind.REDIRECT, f"redirected to what is no http(s) URL: {shown}")
    return target
