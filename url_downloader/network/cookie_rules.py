"""Cookies as RFC 6265 has them: what a Set-Cookie field says, and what a line of a cookies.txt.

Texts are bytes on the wire, decoded as Latin-1. Pure functions: the caller brings the time.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from url_downloader.shared.http_semantics import http_date

_MAX_SIZE = 4096
"""Bytes of the longest name and value together that servers may set, as in browsers."""
_FAR = 1e12
"""Seconds since the epoch after which nothing expires: some 30,000 years."""
_CONTROL = r"[\0-\x08\n-\x1f\x7f]"


class Cookie(NamedTuple):
    """A cookie, and which requests it is for.

    Args:
        name, value: what is sent.
        domain: in lower case, without a dot before it.
        is_host_only: whether it is for that host alone, and not for those below it.
        path: that begins the paths which it is for.
        is_secure: whether it is for TLS alone.
        expires: seconds since the epoch; None = at the end of the session.
    """

    name: str
    value: str
    domain: str
    is_host_only: bool = True
    path: str = "/"
    is_secure: bool = False
    expires: float | None = None

    def __repr__(self) -> str:
        # What is sent may be a secret.
        return f"Cookie(domain={self.domain!r}, path={self.path!r})"

    def is_for(self, path: str, *, is_secure: bool, now: float) -> bool:
        """Return whether it is for a request of its domain with this path (§5.4)."""
        if self.is_secure and not is_secure:
            return False
        if self.expires is not None and self.expires <= now:
            return False
        below = self.path if self.path.endswith("/") else f"{self.path}/"
        return path == self.path or path.startswith(below)


def domains_of(host: str) -> Iterator[str]:
    """The host, and all domains that it is below. An address is below none."""
    yield host
    if is_address(host):
        return
    while "." in host:
        host = host.partition(".")[2]
        yield host


def is_address(host: str) -> bool:
    """Return whether a host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def parse_set_cookie(text: str, *, host: str, path: str, now: float) -> Cookie | None:
    """Read a Set-Cookie field (§5.2, §5.3); None if it sets nothing.

    Args:
        text: the field's value.
        host: that sent it.
        path: of the request's target, without the query.
        now: seconds since the epoch.
    """
    pair, *attributes = text.split(";")
    name, has_value, value = (part.strip(" \t") for part in pair.partition("="))
    is_sound = has_value and name and not re.search(_CONTROL, text)
    if not is_sound or len(name) + len(value) > _MAX_SIZE:
        return None
    given: dict[str, str] = {}
    for attribute in attributes:
        key, _, said = attribute.partition("=")
        given[key.strip(" \t").lower()] = said.strip(" \t")
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


def _path(asked: str, path: str) -> str:
    """Return the path that a cookie is for, as its field asks for it or by the request's."""
    return asked if asked.startswith("/") and len(asked) <= _MAX_SIZE else _folder(path)


def _folder(path: str) -> str:
    """The default path of a cookie (§5.1.4)."""
    return path.rpartition("/")[0] or "/"


def _expiry(given: dict[str, str], now: float) -> float | None:
    """When a cookie expires; what can't be read counts as not given."""
    age = given.get("max-age", "")
    if re.fullmatch(r"-?\d+", age, re.ASCII):
        return now + min(float(age), _FAR) if age.strip("-0") and age[0] != "-" else 0.0
    return http_date(given.get("expires", ""))


def parse_cookie_line(line: bytes) -> Cookie | None:
    """Read a line of a cookies.txt, in Netscape's format, as curl reads it.

    What follows the last tab may be missing. The flag says for whom the cookie is, whether the
    domain begins with a dot or not.

    Raises:
        ValueError: it is no such line; the message does not show it.
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
        expires=_moment(expires),
    )


def _is_true(text: str) -> bool:
    word = text.strip().upper()
    if word not in ("TRUE", "FALSE"):
        raise ValueError("neither TRUE nor FALSE")
    return word == "TRUE"


def _moment(text: str) -> float | None:
    """When a cookie of a file expires; 0, or nothing, is written for one of the session."""
    seconds = float(text[:300].strip() or 0)
    if math.isnan(seconds):
        raise ValueError("not a time")
    return min(seconds, _FAR) or None
