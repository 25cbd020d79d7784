"""Absolute http(s) URLs, read as WHATWG's URL standard has it. Pure functions.

What a URL says is what a server is asked for: escapes are neither made, nor undone, nor written
in another case. Only what may not stand in a URL is escaped. Scheme, host and port are brought
into their normal form, so that equal origins are the same text.
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
"""How most URLs begin, up to their path: in normal form where it is valid."""
PLAIN_URL = re.compile(
    rf"({PLAIN_START})"
    r"(?:/(?!\.|%2[Ee])[\w!$&'()*+,;=:@%|\[\].~-]*)+(?:\?[\w!$&'()*+,;=:@%|\[\]/?.~-]*)?",
    re.ASCII,
)
"""Most URLs: in normal form where they are valid. The group is such a start."""
SCHEMES = ("http", "https")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_LONGEST_PORT = 5
_LONGEST_HOST = 255
"""More than the name system takes. What follows takes long for what is much longer."""

# Compiled when they are needed: for most URLs the expression above is enough.
_SCHEME = r"(?ai)([a-z][a-z0-9+.-]*):"
_AUTHORITY = r"[^/\\?#]*"
_HOST_AND_PORT = r"(?a)(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?"
# The path, query and userinfo percent-encode sets, with what is beyond printable ASCII.
_NOT_IN_PATH = r"[^!$-;=@-\]_a-z|~]+"
_NOT_IN_QUERY = r"[^!$-;=?-~]+"
_NOT_IN_LOGIN = r"[^!$-.0-9A-Z_a-z~]+"
_BARE_PERCENT = r"%(?![0-9A-Fa-f]{2})"
_NOT_IN_HOST = r"[\0-\x20#%/:<>?@\[\\\]^`{|}\x7f]"
_NUMBER_AT_END = r"(?:\A|\.)(?:[0-9]+|0x[0-9a-f]*)\.?\Z"
_IPV4_NUMBER = r"0x([0-9a-f]*)|0([0-7]*)|([1-9][0-9]*)"
_BASES = {1: 16, 2: 8, 3: 10}
"""The base in which each group of that expression counts."""
_ZEROS = r"\b0(?::0)+\b"
_DOT_SEGMENT = r"(?i)/(?:\.|%2e){1,2}(?:/|\Z)"
# What follows a scheme in a list. Left out, though standard, is what only slips look like: a
# second scheme, and a password with a `#` that is not escaped.
_LISTED = r"(?i)[/\\]{2}(?!https?:[/\\])(?![^/\\?#]*:[?#])[^/\\]"
_PERHAPS_LOGIN = r"(?is)\A(https?:[/\\]+)?.*@"
_CONTROLS_AROUND = "".join(map(chr, range(0x21)))


def split_url(text: str) -> tuple[str, str]:
    """Return an absolute URL in its normal form: up to its path, and from there.

    The fragment is left out. A URL must have two slashes after its scheme.

    Raises:
        ValueError: it is not an http(s) URL that has a host.
    """
    scheme = re.match(_SCHEME, text)
    if scheme is None or not re.match(_LISTED, text[scheme.end() :]):
        raise ValueError("no scheme, or no host")
    return _split(scheme[1].lower(), text[scheme.end() + 2 :])


def resolve(base: str, reference: str) -> str | None:
    """Return the http(s) URL that a reference means, without fragment; None if there is none.

    Args:
        base: absolute URL, in its normal form, that the reference was found at.
        reference: absolute or relative, with blanks and controls around it, or in it. Lone
            surrogates stand for bytes that are no UTF-8.
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
    """Return what may be a broken URL without all that may be its user and password."""
    return re.sub(_PERHAPS_LOGIN, r"\1***@", text)


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
    authority = re.match(_AUTHORITY, text)
    assert authority is not None
    login, at, place = authority[0].rpartition("@")
    found = re.fullmatch(_HOST_AND_PORT, place)
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
    return _escaped(_NOT_IN_LOGIN, re.sub(_BARE_PERCENT, "%25", text))


def _host(text: str) -> str:
    if text.startswith("["):
        return f"[{_ipv6(text[1:-1])}]"
    host = unquote(text, errors="strict")
    if len(host) > _LONGEST_HOST:
        raise ValueError("no such host")
    host = host.lower() if host.isascii() else _ascii_host(host)
    if not host or re.search(_NOT_IN_HOST, host):
        raise ValueError("a host can't have such characters")
    return _ipv4(host.removesuffix(".")) if re.search(_NUMBER_AT_END, host) else host


def _ascii_host(host: str) -> str:
    """Return an international name as the name system has it (UTS #46, not transitional)."""
    return ".".join(map(_ascii_label, idna.uts46_remap(host, std3_rules=False).split(".")))


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode()
    except idna.InvalidCodepoint:
        # IDNA 2008 knows no symbols, but there are domains named with them.
        return f"xn--{label.encode('punycode').decode()}"


def _ipv4(host: str) -> str:
    """Return the dotted form of an address in one of the forms that C's inet_aton takes."""
    *bytes_, last = map(_ipv4_number, host.split("."))
    rest = 4 - len(bytes_)
    if rest < 1 or max(bytes_, default=0) > 255 or last >= 256**rest:
        raise ValueError("no IPv4 address")
    return str(ipaddress.IPv4Address(bytes([*bytes_, *last.to_bytes(rest, "big")])))


def _ipv4_number(text: str) -> int:
    found = re.fullmatch(_IPV4_NUMBER, text)
    if found is None or found.lastindex is None:
        raise ValueError("no number of an IPv4 address")
    return int(f"0{found[found.lastindex]}", _BASES[found.lastindex])


def _ipv6(text: str) -> str:
    """Return an address in its shortest form; not all Pythons write mapped ones the same."""
    address = ipaddress.IPv6Address(text)
    if address.scope_id is not None:
        raise ValueError("a zone means something on one machine only")
    full = ":".join(f"{group:x}" for group in struct.unpack("!8H", address.packed))
    zeros = max(re.finditer(_ZEROS, full), key=lambda found: len(found[0]), default=None)
    if zeros is None:
        return full
    return f"{full[: zeros.start()].rstrip(':')}::{full[zeros.end() :].lstrip(':')}"


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
    if re.search(_DOT_SEGMENT, path):
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


def _escaped(forbidden: str, text: str) -> str:
    return re.sub(
        forbidden, lambda found: quote(found[0], safe="", errors="surrogateescape"), text
    )
