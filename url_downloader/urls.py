"""Absolute http(s) URLs, read as WHATWG's URL standard has it. Pure functions.

What a URL says is what a server is asked for: escapes are neither made, nor undone, nor written
in another case. Only what may not stand in a URL is escaped. Scheme, host and port are brought
into their normal form, so that equal origins are the same text.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote, unquote

PLAIN_URL = re.compile(
    r"(https?://[a-z0-9][a-z0-9.-]*(?::[1-9][0-9]{0,3}|:[1-5][0-9]{4})?)"
    r"(?:/(?!\.)[\w!$&'()*+,;=:@.~-]*)+(?:\?[\w!$&'()*+,;=:@/?.~-]+)?",
    re.ASCII,
)
"""Those that are in normal form: no escapes, no user, no dot segments. Its group is all that
comes before the path."""
SCHEMES = ("http", "https")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_LONGEST_PORT = 5
_LONGEST_HOST = 2048
"""Characters of a host, with room for 253 octets (RFC 1035) however they are written. Python's
codec takes time with the square of what a server sends as one."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE | re.ASCII)
_AUTHORITY = re.compile(r"[^/\\?#]*")
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?", re.ASCII)
# The path, query and userinfo percent-encode sets, with what is beyond printable ASCII.
_NOT_IN_PATH = re.compile(r"[^!$-;=@-\]_a-z|~]+")
_NOT_IN_QUERY = re.compile(r"[^!$-;=?-~]+")
_NOT_IN_LOGIN = re.compile(r"[^!$-.0-9A-Z_a-z~]+")
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NOT_IN_HOST = re.compile(r"[\0-\x20#%/:<>?@\[\\\]^`{|}\x7f]")
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:/|\Z)", re.IGNORECASE)
# What follows a scheme in a list. Left out, though standard, is what only slips look like: a
# second scheme, and a password with a `#` that is not escaped.
_LISTED = re.compile(r"[/\\]{2}(?!https?:[/\\])(?![^/\\?#]*:[?#])[^/\\]", re.IGNORECASE)
_PERHAPS_LOGIN = re.compile(r"\A(https?:[/\\]+)?.*@", re.IGNORECASE | re.DOTALL)
_CONTROLS_AROUND = "".join(map(chr, range(0x21)))


def split_url(text: str) -> tuple[str, str]:
    """Return an absolute URL in its normal form: up to its path, and from there.

    The fragment is left out. A URL must have two slashes after its scheme.

    Raises:
        ValueError: it is not an http(s) URL that has a host.
    """
    scheme = _SCHEME.match(text)
    if scheme is None or not _LISTED.match(text, scheme.end()):
        raise ValueError("no scheme, or no host")
    return _split(scheme[1].lower(), text[scheme.end() + 2 :])


def resolve(base: str, reference: str) -> str | None:
    """Return the http(s) URL that a reference means, without fragment; None if there is none.

    Args:
        base: absolute URL, in its normal form, that the reference was found at.
        reference: absolute or relative, with blanks and controls around it, or in it.
    """
    text = re.sub(r"[\t\r\n]", "", reference.strip(_CONTROLS_AROUND))
    base_scheme, _, after = base.partition("://")
    scheme = _SCHEME.match(text)
    try:
        if scheme is not None:
            name, text = scheme[1].lower(), text[scheme.end() :]
            if name != base_scheme or re.match(r"[/\\]{2}", text):
                return "".join(_split(name, text.lstrip("/\\")))
        elif re.match(r"[/\\]{2}", text):
            return "".join(_split(base_scheme, text.lstrip("/\\")))
    except ValueError:
        return None
    origin, slash, rest = after.partition("/")
    return f"{base_scheme}://{origin}{_rest(_merged(slash + rest, text))}"


def without_login(text: str) -> str:
    """Return what is no URL as it may be shown: a login in it may end at any `@`."""
    return _PERHAPS_LOGIN.sub(r"\1***@", text)


def _merged(base: str, reference: str) -> str:
    """Return path and query that a reference without a host means, not normal yet."""
    reference = reference.partition("#")[0]
    path, _, _ = base.partition("?")
    if not reference:
        return base
    if reference.startswith("?"):
        return path + reference
    if reference.startswith(("/", "\\")):
        return reference
    return path.rpartition("/")[0] + "/" + reference


def _split(scheme: str, text: str) -> tuple[str, str]:
    """Return origin and rest of what follows the slashes after a scheme."""
    if scheme not in SCHEMES:
        raise ValueError("not http or https")
    authority = _AUTHORITY.match(text)
    assert authority is not None
    login, at, place = authority[0].rpartition("@")
    found = _HOST_AND_PORT.fullmatch(place)
    if found is None or not found[1]:
        raise ValueError("no host, or a port that is none")
    host, port = _host(found[1]), _port(scheme, found[2] or "")
    rest = text[authority.end() :].partition("#")[0]
    return f"{scheme}://{_login(login) if at else ''}{host}{port}", _rest(rest)


def _login(text: str) -> str:
    """Return user name and password, escaped, with the sign that follows them, if any."""
    name, colon, password = text.partition(":")
    if not text:
        return ""
    return f"{_quoted_login(name)}{colon}{_quoted_login(password)}@"


def _quoted_login(text: str) -> str:
    return _escaped(_NOT_IN_LOGIN, _BARE_PERCENT.sub("%25", text))


def _host(text: str) -> str:
    if text.startswith("["):
        address = ipaddress.IPv6Address(text[1:-1])
        if address.scope_id is not None:
            raise ValueError("a zone means something on one machine only")
        return f"[{address}]"
    if len(text) > _LONGEST_HOST:
        raise ValueError("no host has such a long name")
    host = unquote(text, errors="strict").lower()
    if not host.isascii():
        host = _ascii_host(host)
    if _NOT_IN_HOST.search(host):
        raise ValueError("a host can't have such characters")
    return host


def _ascii_host(host: str) -> str:
    encoded = host.encode("idna")
    # Python's codec is IDNA 2003: it takes faß.de for fass.de. requests knows better.
    return encoded.decode() if encoded.decode("idna") == host else host


def _port(scheme: str, digits: str) -> str:
    """Return the port with its colon; '' for the scheme's own."""
    number = digits.lstrip("0")
    if len(number) > _LONGEST_PORT or int(number or bool(not digits)) not in range(1, 1 << 16):
        raise ValueError("no such port")
    return f":{number}" if number and number != _DEFAULT_PORTS[scheme] else ""


def _rest(text: str) -> str:
    """Return path and query in their normal form."""
    path, mark, query = text.partition("?")
    path = _escaped(_NOT_IN_PATH, path.replace("\\", "/"))
    if _DOT_SEGMENT.search(path):
        path = _without_dot_segments(path)
    return f"{path or '/'}{mark}{_escaped(_NOT_IN_QUERY, query)}"


def _without_dot_segments(path: str) -> str:
    """Return the path with `.` and `..` followed, however they are written."""
    kept: list[str] = []
    *folders, name = path.split("/")[1:]
    for segment in [*folders, name]:
        dots = segment.lower().replace("%2e", ".")
        if dots == "..":
            del kept[-1:]
        elif dots != ".":
            kept.append(segment)
    if name.lower().replace("%2e", ".") in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _escaped(forbidden: re.Pattern[str], text: str) -> str:
    return forbidden.sub(lambda found: quote(found[0], safe=""), text)
