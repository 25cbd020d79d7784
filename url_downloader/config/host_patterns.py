"""Patterns of hosts, such as `*.example.org` and `[2001:db8::*]:8080`. Pure functions.

`*` stands for any characters, `?` for one. A pattern without a port is for all ports. Brackets
are those of an IPv6 address, as in a URL.
"""

from __future__ import annotations

import fnmatch
import re

from url_downloader.shared.url_parts import Origin

_HOST_AND_PORT = (
    r"(?P<host>\[[0-9A-Fa-f:.*?]+\]|[^\0-\x20#%/:<>@\[\\\]^`{|}\x7f]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_WILDCARD = r"[*?]"
_ANY_PORT = ":*"
_MAX_PORT = 65535


def parse_host_pattern(text: str) -> str:
    """Return a pattern in normal form: host names in lower case and in their ASCII form.

    Raises:
        ValueError: The text has another form.
    """
    if "@" in text:
        # The text is not shown: it may hold a password.
        raise ValueError("the host must have no user name and password before it")
    if "/" in text:
        raise ValueError(f"must be a host without scheme, path or prefix length, not {text!r}")
    match = re.fullmatch(_HOST_AND_PORT, text)
    if match is None:
        forms = "a host such as *.example.org, HOST:PORT, or an IPv6 address in brackets"
        raise ValueError(f"must be {forms}, not {text!r}")
    return _normal_host(match["host"]) + _normal_port(match["port"])


def _normal_host(host: str) -> str:
    if not re.search(_WILDCARD, host):
        return _host_of_url(host)
    return ".".join(map(_normal_label, host.split(".")))


def _normal_label(label: str) -> str:
    """Return the part of a host name between two dots; it may have wildcards."""
    if label.isascii():
        return label.lower()
    if re.search(_WILDCARD, label):
        raise ValueError(f"{label!r} has * or ?, so it must be in its ASCII form: xn--...")
    # Without another label, one of full-width digits would be an address.
    return _host_of_url(label, ending=".x")


def _host_of_url(host: str, *, ending: str = "") -> str:
    """Return the host as a URL in normal form has it.

    Args:
        host: Host, or the beginning of its name.
        ending: Rest of the name, which the returned host lacks.

    Raises:
        ValueError: No URL has such a host.
    """
    # Imported here, because the import takes long, and most runs have no pattern.
    from url_downloader.shared.urls import split_url  # noqa: PLC0415

    try:
        start, _ = split_url(f"http://{host}{ending}/")
    except ValueError:
        raise ValueError(f"no URL has the host {host!r}") from None
    return start.removeprefix("http://").removesuffix(ending)


def _normal_port(digits: str | None) -> str:
    if digits is None:
        return ""
    if not 1 <= int(digits) <= _MAX_PORT:
        raise ValueError(f"the port must be from 1 to {_MAX_PORT}, not {digits}")
    return f":{int(digits)}"


def compiled(pattern: str) -> re.Pattern[str]:
    """Return the regular expression for the authorities that a pattern in normal form fits."""
    has_port = ":" in pattern.rpartition("]")[2]
    with_port = pattern if has_port else pattern + _ANY_PORT
    # A bracket would begin a set of characters, unless it is alone in such a set.
    return re.compile(fnmatch.translate(with_port.replace("[", "[[]")))


def authority_of(origin: Origin) -> str:
    """Return host and port of an origin, which patterns are compared with."""
    _, host, port = origin
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
