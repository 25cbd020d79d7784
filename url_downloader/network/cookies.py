"""The cookies of a run: those that the user brought, and those that servers have set since."""

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

MOST_OF_HOST = 50
"""Cookies that a host may set, as RFC 6265 §6.1 asks for at least."""
MOST = 3_000
"""Cookies that servers may set in all."""
_FORMAT = (
    "no line is in Netscape's format: seven fields with tabs between: domain, TRUE or FALSE,"
    " path, TRUE or FALSE, when it expires in seconds, name, value"
)
_SHOWN_LINES = 10
_Identity = tuple[str, bool, str, str]
"""Domain, whether it is that host's alone, path, name: no two cookies have the same."""


class Cookies:
    """The cookies of a run; all its workers share them.

    A cookie is for the host that has set it alone, unless the user's file has a cookie for that
    host's whole domain: there is no list here of domains that are many people's.

    Args:
        known: those that the user brought; they don't count for the bounds.
        keeps: whether those that servers set are kept.
        now: seconds since the epoch.

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
        # Guards the two below against two writers. Readers take no lock: the values are
        # replaced, never changed.
        self._lock = threading.Lock()
        self._of_domain: dict[str, tuple[Cookie, ...]] = {}
        # By servers, the oldest first.
        self._set: OrderedDict[_Identity, None] = OrderedDict()
        for cookie in known:
            self._put(cookie)
        self._shared_domains = frozenset(
            domain
            for domain, cookies in self._of_domain.items()
            if not all(cookie.is_host_only for cookie in cookies)
        )

    def of_host(self, host: str) -> tuple[Cookie, ...]:
        """The cookies of a host and of the domains that it is below."""
        if not self._shared_domains:
            return self._of_domain.get(host, ())
        return tuple(
            cookie
            for domain in domains_of(host)
            for cookie in self._of_domain.get(domain, ())
            if domain == host or not cookie.is_host_only
        )

    def field(
        self, cookies: Iterable[Cookie], *, scheme: str, target: str
    ) -> Mapping[str, str]:
        """The Cookie field of a request, if any of its host's cookies are for it.

        Args:
            cookies: of the host.
            scheme: of the URL.
            target: path and query.
        """
        path, now = _path_of(target), self._now()
        fitting = [c for c in cookies if c.is_for(path, is_secure=scheme == "https", now=now)]
        # RFC 6265 §5.4: the longest path first.
        fitting.sort(key=lambda cookie: -len(cookie.path))
        pairs = [f"{cookie.name}={cookie.value}" for cookie in fitting]
        return {"Cookie": "; ".join(pairs)} if pairs else {}

    def take(self, fields: Iterable[str], *, origin: Origin, target: str) -> None:
        """Take what the Set-Cookie fields of the reply to a request set."""
        if not self._keeps:
            return
        scheme, host, _ = origin
        now = self._now()
        # No more than can be kept: a header block has room for thousands.
        for text in list(fields)[-MOST_OF_HOST:]:
            cookie = parse_set_cookie(text, host=host or "", path=_path_of(target), now=now)
            # What is for TLS alone is not to be set from without.
            if cookie is not None and (scheme == "https" or not cookie.is_secure):
                self._take(cookie, host or "", now=now)

    def _take(self, cookie: Cookie, host: str, *, now: float) -> None:
        if cookie.domain not in self._shared_domains or is_address(host):
            cookie = cookie._replace(domain=host, is_host_only=True)
        identity = _identity(cookie)
        with self._lock:
            self._drop(identity)
            if cookie.expires is not None and cookie.expires <= now:
                return
            self._put(cookie)
            self._set[identity] = None
            there = map(_identity, self._of_domain[cookie.domain])
            of_host = [each for each in there if each in self._set]
            if len(of_host) > MOST_OF_HOST:
                self._drop(of_host[0])
            elif len(self._set) > MOST:
                self._drop(next(iter(self._set)))

    def _put(self, cookie: Cookie) -> None:
        others = self._of_domain.get(cookie.domain, ())
        kept = (each for each in others if _identity(each) != _identity(cookie))
        self._of_domain[cookie.domain] = (*kept, cookie)

    def _drop(self, identity: _Identity) -> None:
        others = self._of_domain.get(identity[0], ())
        kept = tuple(each for each in others if _identity(each) != identity)
        if kept:
            self._of_domain[identity[0]] = kept
        else:
            self._of_domain.pop(identity[0], None)
        self._set.pop(identity, None)


def _identity(cookie: Cookie) -> _Identity:
    return cookie.domain, cookie.is_host_only, cookie.path, cookie.name


def _path_of(target: str) -> str:
    return target.partition("?")[0]


def read_cookies(
    path: Path, *, should_stop: Callable[[], bool] = lambda: False
) -> list[Cookie]:
    """The cookies in a file of Netscape's format; lines that can't be read are skipped.

    Args:
        path: of the file.
        should_stop: asked while it waits for a FIFO; True ends it, with what was read.

    Raises:
        InputError: it can't be read, or is something else.
    """
    try:
        lines = lines_of(path, should_stop=should_stop)
    except OSError as error:
        # `name=value` is what curl takes: it is not shown.
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
    """Return the cookies, and the numbers of the lines that can't be read."""
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
