"""One worker's hands on the network: a GET, its redirects, its reply. Abortable.

The only room that drives `requests`. Knows nothing of jobs, files and retries.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar
from requests.utils import get_netrc_auth, requote_uri

from url_downloader import __version__
from url_downloader.http_adapter import AbortableAdapter
from url_downloader.http_errors import LIBRARY_ERRORS, attempt_error
from url_downloader.lifeline import Lifeline
from url_downloader.seams import Fields, LookUp, Phase
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import AttemptLimits, ErrorKind, without_credentials

CHUNK_SIZE = 256 * 1024
"""Bytes per read; twice as fast as 64 KiB on big bodies."""
_DRAIN_LIMIT = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

Origin = tuple[str, str | None, int | None]
Surroundings = tuple[dict[str, str], str | bool, tuple[str, str] | None]

_BASE_HEADERS: dict[str, str | bytes] = {
    "User-Agent": f"url-downloader/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}


class HttpReply:
    """The final reply to a GET, its body still to be read.

    Args:
        response: as it came.
        url: the address that answered, after redirects.

    Threads: used in the transport's thread.
    """

    def __init__(self, response: requests.Response, url: str, *, lifeline: Lifeline) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.url = url
        self._raw: Any = response.raw
        self._lifeline = lifeline
        # What is done with the head, and later with the file, is no slowness of the server.
        lifeline.enter(Phase.WORKING)

    @property
    def is_length_known(self) -> bool:
        """Whether the framing tells that the body is complete (RFC 9112 §6.3)."""
        has_length = "Content-Length" in self.headers or bool(self._raw.chunked)
        return has_length or self.status == HTTPStatus.NO_CONTENT

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives, still in its content coding.

        Raises:
            AttemptError: it is cut short, malformed, late, or the transport was aborted.
        """
        self._lifeline.enter(Phase.REPLYING)
        while chunk := self._read(CHUNK_SIZE):
            yield chunk
        self._lifeline.enter(Phase.WORKING)

    def drain(self) -> None:
        """Read a small body away, so that the connection can serve again; then close."""
        self._lifeline.enter(Phase.REPLYING)
        left = _DRAIN_LIMIT
        try:
            while left > 0 and (data := self._read(left)):
                left -= len(data)
                self._lifeline.count(len(data))
        except AttemptError:
            pass
        self.close()

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else drop it."""
        self._raw.close()
        self._raw.release_conn()
        self._lifeline.release_closed()

    def _read(self, size: int) -> bytes:
        try:
            data: bytes = self._raw.read1(size, decode_content=False)
        except LIBRARY_ERRORS as error:
            raise self._lifeline.failure() or attempt_error(error) from error
        # A connection that was cut ends like one that was closed well.
        if (failure := self._lifeline.failure()) is not None:
            raise failure
        return data


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
        self._session = requests.Session()
        self._adapter = AbortableAdapter(self._lifeline, look_up, max_idle=max_idle)
        self._surroundings = functools.lru_cache(maxsize=1024)(self._look_up_surroundings)

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
        origin, own_auth = _origin(url), _credentials(url)
        for _ in range(self._max_redirects + 1):
            is_home = self._is_location_trusted or _origin(url) == origin
            fields = (headers if is_home else ()) + conditions
            auth = _credentials(url) or (own_auth if is_home else None)
            request = self._prepare(url, fields, auth=auth, cookies=cookies)
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
        self._session.close()

    def _prepare(
        self, url: str, headers: Fields, *, auth: AuthBase | None, cookies: RequestsCookieJar
    ) -> requests.PreparedRequest:
        fields = _BASE_HEADERS | _combined(headers)
        bare_url = without_credentials(url)
        request = requests.Request("GET", bare_url, headers=fields, cookies=cookies)
        # What the user wrote as a header is meant so.
        if "authorization" not in map(str.lower, fields):
            request.auth = auth or self._surroundings(_origin(url))[2]
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
        proxies, verify, _ = self._surroundings(_origin(url))
        timeout = (limits.connect_seconds or None, limits.timeout or None)
        if (failure := self._lifeline.failure()) is not None:
            raise failure
        try:
            response = self._adapter.send(
                request, stream=True, timeout=timeout, verify=verify, proxies=proxies
            )
        except LIBRARY_ERRORS as error:
            self._lifeline.release()
            raise self._lifeline.failure() or attempt_error(error) from error
        if "Set-Cookie" in response.headers:
            extract_cookies_to_jar(cookies, request, response.raw)
        return HttpReply(response, url, lifeline=self._lifeline)

    def _look_up_surroundings(self, origin: Origin) -> Surroundings:
        """What the environment says of an origin: proxies, CA bundle, netrc."""
        scheme, host, port = origin
        shown_host = f"[{host}]" if host and ":" in host else host
        url = f"{scheme}://{shown_host}:{port}/"
        settings = self._session.merge_environment_settings(url, {}, True, None, None)
        return dict(settings["proxies"]), settings["verify"], get_netrc_auth(url)


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
    target = _http_url(url, text)
    if target is None:
        shown = without_credentials(text)[:200]
        raise AttemptError(ErrorKind.REDIRECT, f"redirected to what is no http(s) URL: {shown}")
    return target


def _http_url(base: str, reference: str) -> str | None:
    """The http(s) URL that `reference` means (RFC 3986 §5), without fragment."""
    try:
        parts = urlsplit(urljoin(base, requote_uri(reference)))
        is_usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts._replace(fragment="").geturl() if is_usable else None


def _origin(url: str) -> Origin:
    """Scheme, host and port (RFC 9110 §4.3.1)."""
    parts = urlsplit(url)
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, parts.hostname, parts.port or default


def _credentials(url: str) -> AuthBase | None:
    """User name and password in the URL, as UTF-8 (RFC 7617 §2.1)."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return None
    name, password = parts.username or "", parts.password or ""
    return HTTPBasicAuth(unquote_to_bytes(name), unquote_to_bytes(password))


def _combined(headers: Fields) -> dict[str, str | bytes]:
    """Fields of one name joined as RFC 9110 §5.3 allows; beyond ASCII they go as UTF-8."""
    fields: dict[str, tuple[str, str]] = {}
    for name, value in headers:
        known_name, known = fields.get(name.lower(), (name, ""))
        separator = "; " if name.lower() == "cookie" else ", "
        fields[name.lower()] = (known_name, f"{known}{separator}{value}" if known else value)
    return {name: v if v.isascii() else v.encode() for name, v in fields.values()}
