"""Cookies by RFC 6265: parsers for Set-Cookie fields and for lines of a cookies.txt.

Texts are bytes decoded as Latin-1. Pure functions: the caller passes the time. Section numbers
are those of RFC 6265.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from url_downloader.shared.http_semantics import http_date

_MAX_SIZE = 4096
"""Bytes; upper bound for name and value of a server's cookie together, as in browsers."""
_MAX_TIME = 1e12
"""Seconds, some 30,000 years; upper bound for a Max-Age, and for times of expiry in files."""
_CONTROL = r"[\0-\x08\n-\x1f\x7f]"


class Cookie(NamedTuple):
    """Cookie with the conditions under which it is sent.

    Args:
        name: Name of the cookie.
        value: Value of the cookie.
        domain: Domain in lower case, without a leading dot.
        is_host_only: Whether it is sent to the host `domain` alone, not to its subdomains.
        path: Path that the request's path must equal or be below.
        is_secure: Whether it is sent over TLS only.
        expires: Time of expiry, in seconds since the epoch; None for a session cookie, which
            lasts until the end of the run.
    """

    name: str
    value: str
    domain: str
    is_host_only: bool = True
    path: str = "/"
    is_secure: bool = False
    expires: float | None = None

    def __repr__(self) -> str:
        # Name and value may be secret.
        return f"Cookie(domain={self.domain!r}, path={self.path!r})"

    def is_for(self, path: str, *, is_secure: bool, now: float) -> bool:
        """Tell whether a request to the cookie's domain gets the cookie (§5.4).

        Args:
            path: Path of the request, without the query.
            is_secure: Whether the request is sent over TLS.
            now: Current time, in seconds since the epoch.
        """
        if self.is_secure and not is_secure:
            return False
        if self.expires is not None and self.expires <= now:
            return False
        below = self.path if self.path.endswith("/") else f"{self.path}/"
        return path == self.path or path.startswith(below)


def domains_of(host: str) -> Iterator[str]:
    """Yield the host, then its parent domains; an IP address has no parents."""
    yield host
    if is_address(host):
        return
    while "." in host:
        host = host.partition(".")[2]
        yield host


def is_address(host: str) -> bool:
    """Tell whether a host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def parse_set_cookie(text: str, *, host: str, path: str, now: float) -> Cookie | None:
    """Return a Set-Cookie field's cookie, perhaps an expired one; None if invalid (§5.2, §5.3).

    Args:
        text: Value of the field.
        host: Host that sent the field.
        path: Path of the request, without the query.
        now: Current time, in seconds since the epoch.
    """
    pair, *attributes = text.split(";")
    name, has_value, value = (part.strip(" \t") for part in pair.partition("="))
    is_valid = has_value and name and not re.search(_CONTROL, text)
    if not is_valid or len(name) + len(value) > _MAX_SIZE:
        return None
    given: dict[str, str] = {}
    for attribute in attributes:
        key, _, argument = attribute.partition("=")
        given[key.strip(" \t").lower()] = argument.strip(" \t")
    domain = given.get("domain", "").lower().removeprefix(".")
    if domain and domain not in domains_of(host):
        return None
    return Cookie(
        name=name,
        value=value,
        domain=domain or host,
        is_host_only=not domain,
        path=_path(given.get("path", ""), path),
        is_secure="secure" in given,
        expires=_expiry(given, now),
    )


def _path(attribute: str, request_path: str) -> str:
    """Return the Path attribute; without a valid one, the default path (§5.1.4)."""
    if attribute.startswith("/") and len(attribute) <= _MAX_SIZE:
        return attribute
    return request_path.rpartition("/")[0] or "/"


def _expiry(given: dict[str, str], now: float) -> float | None:
    """Return the time of expiry; None for a session cookie. Max-Age overrides Expires.

    Args:
        given: Attributes of the Set-Cookie field by name; invalid values are ignored.
        now: Current time, in seconds since the epoch.
    """
    age = given.get("max-age", "")
    if re.fullmatch(r"-?\d+", age, re.ASCII):
        return now + min(float(age), _MAX_TIME) if age.strip("-0") and age[0] != "-" else 0.0
    return http_date(given.get("expires", ""))


def parse_cookie_line(line: bytes) -> Cookie | None:
    """Return the cookie in a line of a cookies.txt in Netscape's format, read as by curl.

    The value, the last field, may be missing with the tab before it. The second field alone
    decides whether subdomains get the cookie; a dot before the domain is ignored.

    Returns:
        None for a comment or an empty line.

    Raises:
        ValueError: The line has another format; the message does not quote the line.
    """
    text = line.removeprefix(b"#HttpOnly_").decode("latin-1")
    if not text.strip() or text.startswith("#"):
        return None
    fields = text.split("\t")
    if len(fields) == 6:
        fields.append("")
    if len(fields) != 7 or re.search(_CONTROL, text) or not fields[5]:
        raise ValueError("not seven fields with tabs between them")
    domain, flag, path, secure, expires, name, value = fields
    return Cookie(
        name=name,
        value=value,
        domain=domain.strip().strip("[]").lower().removeprefix("."),
        is_host_only=not _is_true(flag),
        path=path if path.startswith("/") else "/",
        is_secure=_is_true(secure),
        expires=_file_expiry(expires),
    )


def _is_true(text: str) -> bool:
    word = text.strip().upper()
    if word not in ("TRUE", "FALSE"):
        raise ValueError("neither TRUE nor FALSE")
    return word == "TRUE"


def _file_expiry(text: str) -> float | None:
    """Return the time of expiry in a file's line; None for a session cookie: 0 or no text."""
    seconds = float(text[:300].strip() or 0)
    if math.isnan(seconds):
        raise ValueError("not a time")
    return min(seconds, _MAX_TIME) or None
