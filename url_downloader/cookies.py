"""Cookies: those that the user brought, and those that servers set during one call."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable
from http.cookiejar import (
    Cookie,
    DefaultCookiePolicy,
    LoadError,
    MozillaCookieJar,
)
from pathlib import Path
from typing import Any

import requests
from requests.cookies import MockRequest, MockResponse, RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from url_downloader.shared.errors import InputError

_FORMAT = (
    "the first line of Netscape's format is '# Netscape HTTP Cookie File', each other has seven"
    " fields with tabs between, the second one TRUE if the domain begins with a dot, else FALSE"
)


class KnownCookies:
    """Cookies that are there before a call begins.

    Args:
        cookies: as they were read.

    Threads: any.
    """

    def __init__(self, cookies: Iterable[Cookie] = ()) -> None:
        self._cookies = [*cookies]
        self.of_host = functools.lru_cache(maxsize=1024)(self._of_host)

    def _of_host(self, host: str) -> list[Cookie]:
        """Those of this host's domains; to which requests they belong says their policy."""
        # http.cookiejar gives hosts without a dot this domain.
        full = f".{host}" if "." in host else f".{host}.local"
        return [
            each for each in self._cookies if full.endswith("." + each.domain.removeprefix("."))
        ]


class CallCookies:
    """The cookies of one call: what was known of its hosts, and what they have set since.

    Args:
        known: before the call.
    """

    def __init__(self, known: KnownCookies) -> None:
        self._known = known
        self._taken: set[tuple[str, str, str]] = set()

    def __bool__(self) -> bool:
        return "jar" in vars(self) and len(self.jar) > 0

    @functools.cached_property
    def jar(self) -> RequestsCookieJar:
        """They, as requests wants to have them."""
        # RFC 6265 §5.4: a cookie without a domain of its own is not for subdomains.
        return RequestsCookieJar(
            DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain)
        )

    def come_to(self, host: str) -> None:
        """Take what is known of this host, but nothing that was changed or removed since."""
        for cookie in self._known.of_host(host):
            identity = (cookie.domain, cookie.path, cookie.name)
            if identity not in self._taken:
                self._taken.add(identity)
                self.jar.set_cookie(cookie)

    def take_from(self, headers: Any, request: requests.PreparedRequest) -> None:
        """Take what the header fields of the reply to this request set."""
        # Names have no case; it asks for Host.
        request.headers = CaseInsensitiveDict(request.headers)
        reply: Any = MockResponse(headers)
        asked: Any = MockRequest(request)
        self.jar.extract_cookies(reply, asked)


def read_cookies(path: Path) -> KnownCookies:
    """The cookies in a file of Netscape's format, also those of a session.

    Raises:
        InputError: it can't be read, or is something else.
    """
    jar = MozillaCookieJar()
    try:
        # http.cookiejar warns of a bad line with a traceback that shows it.
        with warnings.catch_warnings(action="ignore"):
            jar.load(str(path), ignore_discard=True, ignore_expires=True)
    except (LoadError, UnicodeDecodeError):
        raise InputError(f"{path}: the cookies can't be read: {_FORMAT}") from None
    except OSError as error:
        raise InputError(f"{path}: the cookies can't be read: {error.strerror}") from error
    return KnownCookies(map(_settled, jar))


def _settled(cookie: Cookie) -> Cookie:
    """The cookie as http.cookiejar's rules of domains and expiry want to have it."""
    cookie.domain = cookie.domain.lower()
    if "." not in cookie.domain:
        cookie.domain += ".local"
    # What curl writes for a cookie of the session.
    if cookie.expires == 0:
        cookie.expires, cookie.discard = None, True
    return cookie
