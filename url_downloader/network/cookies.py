"""The cookies of a run: those from the user's file, and those that servers set."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from url_downloader.network.cookie_rules import (
    Cookie,
    domains_of,
    is_address,
    parse_cookie_line,
    parse_set_cookie,
)
from url_downloader.shared.errors import InputError
from url_downloader.shared.url_parts import Origin
from url_downloader.shared.user_files import lines_of

log = logging.getLogger(__package__)

MAX_PER_HOST = 50
"""Upper bound for a domain's cookies from servers; RFC 6265 §6.1 asks for no less."""
MAX_COOKIES = 3_000
"""Upper bound for all cookies from servers; RFC 6265 §6.1 asks for no less."""
_FORMAT = (
    "no line is in Netscape's format: seven fields separated by tabs: domain, TRUE or FALSE,"
    " path, TRUE or FALSE, time of expiry in seconds, name, value"
)
_SHOWN_LINES = 10
"""Upper bound for the invalid lines whose numbers a warning shows."""
_Identity = tuple[str, bool, str, str]
"""Domain, `is_host_only`, path and name: a cookie replaces an older one with equal values."""


class Cookies:
    """Cookies of a run, which all workers share.

    A cookie that a server sets is sent back to that host only, even if the server names a
    domain. Without a list of public suffixes, the domain could be one such as `co.uk`. A
    domain is accepted if the user's file has a cookie for it and its subdomains.

    Args:
        known: Cookies from the user's file; they do not count towards the upper bounds.
        keeps: Whether cookies that servers set are kept.
        now: Wall clock, seconds since the epoch.

    Threads: any.
    """

    def __init__(
        self,
        known: Iterable[Cookie] = (),
        *,
        keeps: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keeps = keeps
        self._now = now
        # Guards changes of _of_domain and _set_by_servers. Readers of _of_domain take no lock,
        # because its values are replaced, never changed.
        self._lock = threading.Lock()
        self._of_domain: dict[str, tuple[Cookie, ...]] = {}
        # The oldest cookie is first.
        self._set_by_servers: OrderedDict[_Identity, None] = OrderedDict()
        for cookie in known:
            self._add(cookie)
        self._shared_domains = frozenset(
            domain
            for domain, cookies in self._of_domain.items()
            if not all(cookie.is_host_only for cookie in cookies)
        )

    def field(self, origin: Origin, *, target: str) -> Mapping[str, str]:
        """Return the Cookie field for a request; an empty mapping if no cookie fits.

        Args:
            origin: Origin of the request.
            target: Path and query of the request.
        """
        scheme, host, _ = origin
        if not (cookies := self._of_host(host)):
            return {}
        path, now = _path_of(target), self._now()
        fitting = [c for c in cookies if c.is_for(path, is_secure=scheme == "https", now=now)]
        # RFC 6265 §5.4: cookies with longer paths come first.
        fitting.sort(key=lambda cookie: -len(cookie.path))
        pairs = [f"{cookie.name}={cookie.value}" for cookie in fitting]
        return {"Cookie": "; ".join(pairs)} if pairs else {}

    def store(self, fields: Iterable[str], *, origin: Origin, target: str) -> None:
        """Store the cookies that a reply sets.

        Args:
            fields: Values of the reply's Set-Cookie fields.
            origin: Origin of the request.
            target: Path and query of the request.
        """
        if not self._keeps:
            return
        scheme, host, _ = origin
        now = self._now()
        # More can't be kept; the last ones count.
        for text in list(fields)[-MAX_PER_HOST:]:
            cookie = parse_set_cookie(text, host=host, path=_path_of(target), now=now)
            # A reply without TLS can be forged; it must not set a cookie for TLS.
            if cookie is not None and (scheme == "https" or not cookie.is_secure):
                self._store(cookie, host, now=now)

    def _of_host(self, host: str) -> tuple[Cookie, ...]:
        """Return the cookies for a host: its own, and those of its parent domains."""
        if not self._shared_domains:
            return self._of_domain.get(host, ())
        return tuple(
            cookie
            for domain in domains_of(host)
            for cookie in self._of_domain.get(domain, ())
            if domain == host or not cookie.is_host_only
        )

    def _store(self, cookie: Cookie, host: str, *, now: float) -> None:
        if cookie.domain not in self._shared_domains or is_address(host):
            cookie = cookie._replace(domain=host, is_host_only=True)
        identity = _identity(cookie)
        with self._lock:
            self._remove(identity)
            if cookie.expires is not None and cookie.expires <= now:
                return
            self._add(cookie)
            self._set_by_servers[identity] = None
            all_of_host = map(_identity, self._of_domain[cookie.domain])
            of_host = [each for each in all_of_host if each in self._set_by_servers]
            if len(of_host) > MAX_PER_HOST:
                self._remove(of_host[0])
            elif len(self._set_by_servers) > MAX_COOKIES:
                self._remove(next(iter(self._set_by_servers)))

    def _add(self, cookie: Cookie) -> None:
        others = self._of_domain.get(cookie.domain, ())
        kept = (each for each in others if _identity(each) != _identity(cookie))
        self._of_domain[cookie.domain] = (*kept, cookie)

    def _remove(self, identity: _Identity) -> None:
        others = self._of_domain.get(identity[0], ())
        kept = tuple(each for each in others if _identity(each) != identity)
        if kept:
            self._of_domain[identity[0]] = kept
        else:
            self._of_domain.pop(identity[0], None)
        self._set_by_servers.pop(identity, None)


def _identity(cookie: Cookie) -> _Identity:
    return cookie.domain, cookie.is_host_only, cookie.path, cookie.name


def _path_of(target: str) -> str:
    return target.partition("?")[0]


def read_cookies(
    path: Path, *, should_stop: Callable[[], bool] = lambda: False
) -> list[Cookie]:
    """Return the cookies in a file of Netscape's format; invalid lines are skipped.

    Args:
        path: Path of the file.
        should_stop: Called while a FIFO has no data; after True the file counts as empty.

    Raises:
        InputError: The file can't be read, is empty, or has only invalid lines.
    """
    try:
        lines = lines_of(path, should_stop=should_stop)
    except OSError as error:
        # Users of curl may write `name=value` here, which may be secret.
        shown = "--cookies" if "=" in str(path) else path
        raise InputError(f"{shown}: the cookies can't be read: {error.strerror}") from error
    cookies, unreadable = _parsed(lines)
    if not cookies and (unreadable or not any(lines)) and not should_stop():
        raise InputError(f"{path}: the cookies can't be read: {_FORMAT}")
    if unreadable:
        numbers = ", ".join(map(str, unreadable[:_SHOWN_LINES]))
        more = " ..." if len(unreadable) > _SHOWN_LINES else ""
        log.warning("%s: not in Netscape's format, skipped: lines %s%s", path, numbers, more)
    return cookies


def _parsed(lines: Iterable[bytes]) -> tuple[list[Cookie], list[int]]:
    """Return the cookies, and the numbers of the invalid lines."""
    cookies, unreadable = [], []
    for number, line in enumerate(lines, start=1):
        try:
            cookie = parse_cookie_line(line)
        except ValueError:
            unreadable.append(number)
            continue
        if cookie is not None:
            cookies.append(cookie)
    return cookies, unreadable
