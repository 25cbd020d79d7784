"""One worker's hands on the network: a GET, its redirects, its reply. Abortable.

The only room that drives `requests`. Knows nothing of jobs, files and retries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import requests
from requests.auth import HTTPBasicAuth
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from requests.utils import requote_uri
from urllib3 import Timeout

from url_downloader import __version__
from url_downloader.http_adapter import AbortableAdapter
from url_downloader.http_errors import LIBRARY_ERRORS, attempt_error
from url_downloader.http_reply import HttpReply
from url_downloader.lifeline import Lifeline
from url_downloader.origins import Login, http_url, login_of, origin_of
from url_downloader.routes import Routes
from url_downloader.seams import Fields, LookUp, Phase
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import AttemptLimits, ErrorKind, without_credentials

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

PLAIN_URL = re.compile(
    r"https?://[a-z0-9][a-z0-9.-]*(?::[1-9][0-9]{0,3}|:[1-5][0-9]{4})?"
    r"(?:/(?!\.)[\w!$&'()*+,;=:@.~-]*)+(?:\?[\w!$&'()*+,;=:@/?.~-]+)?",
    re.ASCII,
)
"""Those that are in normal form: no escapes, no user, no dot segments."""

_BASE_HEADERS: dict[str, str | bytes] = {
    "User-Agent": f"url-downloader/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}


class HttpClient:
    """Gets URLs over connections that it keeps for the next call.

    Args:
        max_redirects: how many are followed for one call.
        is_location_trusted: whether the user's headers and credentials follow to other origins.
        max_idle: hosts to which a connection is kept.
        look_up: finds the addresses of hosts.

    Threads: made, used and closed in one thread; `phase`, `expire` and `abort` from any.
    """

    def __init__(
        self,
        *,
        max_redirects: int,
        is_location_trusted: bool,
        max_idle: int,
        look_up: LookUp,
    ) -> None:
        self._is_location_trusted = is_location_trusted
        self._max_redirects = max_redirects
        self._lifeline = Lifeline()
        self._adapter = AbortableAdapter(self._lifeline, look_up, max_idle=max_idle)
        self._routes = Routes()

    def open(
        self, url: str, headers: Fields, *, conditions: Fields, limits: AttemptLimits
    ) -> HttpReply:
        """Send a GET, follow its redirects, and return the final reply's head.

        Args:
            url: absolute http(s) URL; credentials in it become Basic authorization.
            headers: the user's; they do not follow a redirect to an origin not trusted.
            conditions: ranges and preconditions; they do.
            limits: those for connecting and for silence are kept to; the others are not
                looked at.

        Raises:
            AttemptError: no reply, or a redirect that can't be followed.
        """
        cookies, visited = RequestsCookieJar(), set[tuple[str, str]]()
        origin, own_login = origin_of(url), login_of(url)
        for _ in range(self._max_redirects + 1):
            is_home = self._is_location_trusted or origin_of(url) == origin
            fields = (headers if is_home else ()) + conditions
            login = login_of(url) or (own_login if is_home else None)
            request = self._prepare(url, fields, login=login, cookies=cookies)
            _note_visit(request, visited)
            reply = self._send(request, limits=limits, cookies=cookies)
            if reply.status not in _REDIRECTS:
                return reply
            reply.drain()
            url = _redirect_target(url, reply)
        message = f"more than {self._max_redirects} redirects"
        raise AttemptError(ErrorKind.REDIRECT, message)

    def begin_attempt(self, number: int) -> None:
        """The calls from here on belong to this attempt."""
        self._lifeline.begin_attempt(number)

    def phase(self) -> tuple[Phase, float]:
        """Where the call stands, and since when (monotonic seconds)."""
        return self._lifeline.phase()

    def other_bytes(self) -> int:
        """Bytes of this attempt that came beside those of the file."""
        return self._lifeline.other_bytes

    def expire(self, attempt: int, reason: str) -> None:
        """End the calls of this attempt, if it is still going on. Never blocks."""
        self._lifeline.expire(attempt, reason)

    def abort(self) -> None:
        """End the call that is going on, and all later ones, with an error. Never blocks."""
        self._lifeline.cut()

    def close(self) -> None:
        """Close all connections."""
        self._lifeline.release()
        self._adapter.close()

    def _prepare(
        self, url: str, headers: Fields, *, login: Login | None, cookies: RequestsCookieJar
    ) -> requests.PreparedRequest:
        fields = _BASE_HEADERS | _combined(headers)
        auth = None
        # What the user wrote as a header is meant so.
        if "authorization" not in map(str.lower, fields):
            login = login or self._routes.route_to(origin_of(url)).login
            auth = HTTPBasicAuth(*login) if login else None
        if auth is None and not cookies and PLAIN_URL.fullmatch(url):
            return _as_it_is(url, fields)
        bare_url = without_credentials(url)
        request = requests.Request("GET", bare_url, headers=fields, cookies=cookies, auth=auth)
        try:
            return request.prepare()
        except LIBRARY_ERRORS as error:
            raise attempt_error(error) from error

    def _send(
        self,
        request: requests.PreparedRequest,
        *,
        limits: AttemptLimits,
        cookies: RequestsCookieJar,
    ) -> HttpReply:
        url = str(request.url)
        route = self._routes.route_to(origin_of(url))
        timeout = Timeout(limits.connect_seconds or None, limits.timeout or None)
        if (failure := self._lifeline.failure()) is not None:
            raise failure
        try:
            response = self._adapter.exchange(request, route=route, timeout=timeout)
        except LIBRARY_ERRORS as error:
            self._lifeline.release()
            raise self._lifeline.failure() or attempt_error(error) from error
        if "Set-Cookie" in response.headers:
            extract_cookies_to_jar(cookies, request, response)
        return HttpReply(response, url, lifeline=self._lifeline)


def _as_it_is(url: str, fields: Mapping[str, str | bytes]) -> requests.PreparedRequest:
    """What requests makes of a plain URL, in a fraction of the time."""
    request = requests.PreparedRequest()
    request.method, request.url = "GET", url
    request.headers = CaseInsensitiveDict(fields)
    return request


def _note_visit(request: requests.PreparedRequest, visited: set[tuple[str, str]]) -> None:
    """Raise AttemptError if the same was asked, with the same cookies, in this call before."""
    visit = (str(request.url), str(request.headers.get("Cookie")))
    if visit in visited:
        raise AttemptError(ErrorKind.REDIRECT, "the redirects go round in a circle")
    visited.add(visit)


def _redirect_target(url: str, reply: HttpReply) -> str:
    location = reply.headers.get("Location", "").strip()
    if not location:
        raise AttemptError(ErrorKind.REDIRECT, f"HTTP {reply.status} without a Location")
    # A Location is bytes on the wire; those beyond ASCII are meant as UTF-8.
    text = location.encode("latin-1").decode("utf-8", "replace")
    target = http_url(url, requote_uri(text))
    if target is None:
        shown = without_credentials(text)[:200]
        raise AttemptError(ErrorKind.REDIRECT, f"redirected to what is no http(s) URL: {shown}")
    return target


def _combined(headers: Fields) -> dict[str, str | bytes]:
    """Fields of one name joined as RFC 9110 §5.3 allows; beyond ASCII they go as UTF-8."""
    fields: dict[str, tuple[str, str]] = {}
    for name, value in headers:
        known_name, known = fields.get(name.lower(), (name, ""))
        separator = "; " if name.lower() == "cookie" else ", "
        fields[name.lower()] = (known_name, f"{known}{separator}{value}" if known else value)
    return {name: v if v.isascii() else v.encode() for name, v in fields.values()}
