"""Normalisation of absolute http(s) URLs by WHATWG's URL standard. Pure functions.

The request contains path and query as the URL has them: no escape is decoded, changed in case,
or added without need. Only characters that a URL may not contain are escaped. Scheme, host and
port are put into their normal form, so that equal origins are the same text.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from urllib.parse import quote, unquote

import idna

PLAIN_START = (
    r"https?://(?:(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*\.?|(?:0|[1-9][0-9]{0,2})"
    r"(?:\.(?:0|[1-9][0-9]{0,2})){3})(?::(?!80\b|443\b)[1-9][0-9]{0,4})?"
)
"""Pattern for the start of most URLs, up to their path. A valid match is in normal form."""
PLAIN_URL = re.compile(
    rf"({PLAIN_START})"
    r"(?:/(?!\.|%2[Ee])[\w!$&'()*+,;=:@%|\[\].~-]*)+(?:\?[\w!$&'()*+,;=:@%|\[\]/?.~-]*)?",
    re.ASCII,
)
"""Pattern for most URLs; the group is their start. A valid match is in normal form."""
SCHEMES = ("http", "https")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_MAX_PORT_DIGITS = 5
_MAX_HOST_LENGTH = 255
"""Characters; DNS allows fewer. The bound keeps the following steps fast."""

# Compiled on first use, because PLAIN_URL is enough for most URLs.
_SCHEME = r"(?ai)([a-z][a-z0-9+.-]*):"
_AUTHORITY = r"[^/\\?#]*"
_HOST_AND_PORT = r"(?a)(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?"
# The percent-encode sets for path, query and userinfo, and all that is not printable ASCII.
_NOT_IN_PATH = r"[^!$-;=@-\]_a-z|~]+"
_NOT_IN_QUERY = r"[^!$-;=?-~]+"
_NOT_IN_LOGIN = r"[^!$-.0-9A-Z_a-z~]+"
_BARE_PERCENT = r"%(?![0-9A-Fa-f]{2})"
_NOT_IN_HOST = r"[\0-\x20#%/:<>?@\[\\\]^`{|}\x7f]"
_NUMBER_AT_END = r"(?:\A|\.)(?:[0-9]+|0x[0-9a-f]*)\.?\Z"
_IPV4_NUMBER = r"0x([0-9a-f]*)|0([0-7]*)|([1-9][0-9]*)"
_BASES = {1: 16, 2: 8, 3: 10}
"""Number of each group in _IPV4_NUMBER, with the base of its digits."""
_ZEROS = r"\b0(?::0)+\b"
_DOT_SEGMENT = r"(?i)/(?:\.|%2e){1,2}(?:/|\Z)"
# The text after a scheme in a list. Two standard forms are excluded, because they look like
# mistakes: a second scheme, and a password with an unescaped `#`.
_LISTED = r"(?i)[/\\]{2}(?!https?:[/\\])(?![^/\\?#]*:[?#])[^/\\]"
_PERHAPS_LOGIN = r"(?is)\A(https?:[/\\]+)?.*@"
_CONTROLS_AROUND = "".join(map(chr, range(0x21)))


def split_url(text: str) -> tuple[str, str]:
    """Return an absolute URL in normal form, as two parts: up to its path, and the rest.

    The fragment is removed. A URL must have two slashes after its scheme.

    Raises:
        ValueError: The text is not an http(s) URL with a host.
    """
    scheme = re.match(_SCHEME, text)
    if scheme is None or not re.match(_LISTED, text[scheme.end() :]):
        raise ValueError("no scheme, or no host")
    return _split(scheme[1].lower(), text[scheme.end() + 2 :])


def resolve(base: str, reference: str) -> str | None:
    """Return the URL of a reference, without fragment; None if it is not a valid http(s) URL.

    Args:
        base: Absolute URL in normal form, to which the reference is relative.
        reference: Absolute or relative reference. It may contain blanks and control
            characters. Lone surrogates are bytes that are not UTF-8 (surrogateescape).
    """
    text = re.sub(r"[\t\r\n]", "", reference.strip(_CONTROLS_AROUND))
    base_scheme, _, after = base.partition("://")
    scheme = re.match(_SCHEME, text)
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


def without_secrets(text: str) -> str:
    """Return a text, possibly a broken URL, with `***` for a possible user and password."""
    return re.sub(_PERHAPS_LOGIN, r"\1***@", text)


def _merged(base: str, reference: str) -> str:
    """Return path and query of a reference without a host, not yet in normal form."""
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
    """Return the normal form of the text after `scheme://`: up to its path, and the rest."""
    if scheme not in SCHEMES:
        raise ValueError("not http or https")
    authority = re.match(_AUTHORITY, text)
    assert authority is not None
    login, at, place = authority[0].rpartition("@")
    found = re.fullmatch(_HOST_AND_PORT, place)
    if found is None or not found[1]:
        raise ValueError("no host, or an invalid port")
    host, port = _host(found[1]), _port(scheme, found[2] or "")
    rest = text[authority.end() :].partition("#")[0]
    return f"{scheme}://{_login(login) if at else ''}{host}{port}", _rest(rest)


def _login(text: str) -> str:
    """Return user name and password, escaped, with the `@` after them; '' without them."""
    name, colon, password = text.partition(":")
    if not text:
        return ""
    return f"{_quoted_login(name)}{colon}{_quoted_login(password)}@"


def _quoted_login(text: str) -> str:
    return _escaped(_NOT_IN_LOGIN, re.sub(_BARE_PERCENT, "%25", text))


def _host(text: str) -> str:
    if text.startswith("["):
        return f"[{_ipv6(text[1:-1])}]"
    host = unquote(text, errors="strict")
    if len(host) > _MAX_HOST_LENGTH:
        raise ValueError("host too long")
    host = host.lower() if host.isascii() else _ascii_host(host)
    if not host or re.search(_NOT_IN_HOST, host):
        raise ValueError("invalid character in the host")
    return _ipv4(host.removesuffix(".")) if re.search(_NUMBER_AT_END, host) else host


def _ascii_host(host: str) -> str:
    """Return an international name in its ASCII form for DNS (UTS #46, not transitional)."""
    return ".".join(map(_ascii_label, idna.uts46_remap(host, std3_rules=False).split(".")))


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode()
    except idna.InvalidCodepoint:
        # IDNA 2008 forbids symbols, but there are domains with them.
        return f"xn--{label.encode('punycode').decode()}"


def _ipv4(host: str) -> str:
    """Return the dotted form of an address in any form that C's inet_aton accepts."""
    *bytes_, last = map(_ipv4_number, host.split("."))
    rest = 4 - len(bytes_)
    if rest < 1 or max(bytes_, default=0) > 255 or last >= 256**rest:
        raise ValueError("invalid IPv4 address")
    return str(ipaddress.IPv4Address(bytes([*bytes_, *last.to_bytes(rest, "big")])))


def _ipv4_number(text: str) -> int:
    found = re.fullmatch(_IPV4_NUMBER, text)
    if found is None or found.lastindex is None:
        raise ValueError("invalid number in an IPv4 address")
    return int(f"0{found[found.lastindex]}", _BASES[found.lastindex])


def _ipv6(text: str) -> str:
    """Return an IPv6 address in its shortest form."""
    address = ipaddress.IPv6Address(text)
    if address.scope_id is not None:
        raise ValueError("an IPv6 zone is valid on one machine only")
    # Not str(address): versions of Python differ for addresses that contain an IPv4 address.
    full = ":".join(f"{group:x}" for group in struct.unpack("!8H", address.packed))
    zeros = max(re.finditer(_ZEROS, full), key=lambda found: len(found[0]), default=None)
    if zeros is None:
        return full
    return f"{full[: zeros.start()].rstrip(':')}::{full[zeros.end() :].lstrip(':')}"


def _port(scheme: str, digits: str) -> str:
    """Return the port with its colon; '' for the default port of the scheme."""
    number = digits.lstrip("0")
    is_too_long = len(number) > _MAX_PORT_DIGITS
    if is_too_long or int(number or bool(not digits)) not in range(1, 1 << 16):
        raise ValueError("port out of range")
    return f":{number}" if number and number != _DEFAULT_PORTS[scheme] else ""


def _rest(text: str) -> str:
    """Return path and query in normal form."""
    path, mark, query = text.partition("?")
    path = _escaped(_NOT_IN_PATH, path.replace("\\", "/"))
    if re.search(_DOT_SEGMENT, path):
        path = _without_dot_segments(path)
    return f"{path or '/'}{mark}{_escaped(_NOT_IN_QUERY, query)}"


def _without_dot_segments(path: str) -> str:
    """Return the path with its `.` and `..` segments resolved, also where they are escaped."""
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


def _escaped(forbidden: str, text: str) -> str:
    return re.sub(
        forbidden, lambda found: quote(found[0], safe="", errors="surrogateescape"), text
    )
