"""Proxies: the parsing of their URLs, and the choice of a proxy for an origin. Pure functions.

No message shows a URL that can't be parsed, because it may have a password in it.
"""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from url_downloader.shared.url_parts import Origin

_DEFAULT_PORTS = {"http": 80, "https": 443} | dict.fromkeys(
    ("socks4", "socks4a", "socks5", "socks5h"), 1080
)
_SHOWN_SCHEMES = "http, https, socks5, socks5h, socks4 and socks4a"
_FORM = (
    "it should read http://user:password@host:3128, with % # / ? @ and blanks in the password"
    " written as %25 %23 %2F %3F %40 %20"
)
# As with curl, a URL without a scheme is that of an HTTP proxy, and a path is ignored.
# Compiled on demand: most runs have no proxy.
_URL = (
    r"(?ai)(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?:(?P<login>[^/?#]*)@)?"
    r"(?P<host>\[[^\s\[\]/?#@]+\]|[^\0-\x20\x7f\[\]/?#@:]+)(?::(?P<port>\d{0,5}))?(?:(?!//)[/?#][^@]*)?"
)
_ENTRY = r"(?:\[(?P<ip>[^\]]+)\]|(?P<host>[^:]+|.*:.*:.*))(?::(?P<port>\d+))?"
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxy(NamedTuple):
    """Proxy between this program and servers.

    Args:
        scheme: Scheme of its URL, which is its protocol.
        host: Host name or address, without brackets.
        port: TCP port.
        login: User name and password; None = no login.
    """

    scheme: str
    host: str
    port: int
    login: tuple[bytes, bytes] | None = None

    def __repr__(self) -> str:
        # The login is secret.
        return f"Proxy({self.scheme}://{self.host}:{self.port})"

    @property
    def is_socks(self) -> bool:
        """Tell whether the proxy speaks SOCKS."""
        return self.scheme.startswith("socks")

    @property
    def looks_up(self) -> bool:
        """Tell whether a SOCKS proxy resolves host names itself."""
        return self.scheme in ("socks5h", "socks4a")

    @property
    def chooses_address(self) -> bool:
        """Tell whether the proxy resolves host names itself, so that it chooses the address."""
        return self.looks_up or not self.is_socks


def parse_proxy(text: str) -> Proxy:
    """Parse the URL of a proxy; blanks around it are ignored.

    Raises:
        ValueError: The text is not the URL of a proxy. The message does not show the text.
    """
    match = re.fullmatch(_URL, text.strip())
    if match is None:
        raise ValueError(_FORM)
    scheme = (match["scheme"] or "http").lower()
    if scheme not in _DEFAULT_PORTS:
        raise ValueError(f"its scheme is unknown; {_SHOWN_SCHEMES} are known")
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if not 0 < port < 1 << 16:
        raise ValueError("its port is not from 1 to 65535")
    return Proxy(
        scheme=scheme, host=_host(match["host"]), port=port, login=_login(match["login"])
    )


def _host(text: str) -> str:
    try:
        if text.startswith("["):
            return str(ipaddress.IPv6Address(text[1:-1].replace("%25", "%")))
        return text.encode("idna").decode("ascii")
    except ValueError:
        # The messages of both functions quote the text.
        raise ValueError("its host is neither a name nor an address") from None


def _login(text: str | None) -> tuple[bytes, bytes] | None:
    if text is None:
        return None
    # An environment variable may have any bytes.
    name, _, password = text.encode("utf-8", "surrogateescape").partition(b":")
    return unquote_to_bytes(name), unquote_to_bytes(password)


def proxy_fields(proxy: Proxy) -> Mapping[str, str]:
    """Return the header fields for the proxy alone, which no server behind it may get."""
    if proxy.login is None:
        return {}
    return {"Proxy-Authorization": "Basic " + b64encode(b":".join(proxy.login)).decode()}


def proxy_variable(scheme: str, environment: Mapping[str, str]) -> str | None:
    """Return the name of the environment variable with the proxy for this scheme; None if none.

    A variable in lower case wins over the same in upper case, even if it is empty. HTTP_PROXY
    is ignored if a web server runs this program: it may be the `Proxy` header of a visitor.
    """
    for kind in (scheme, "all"):
        names = [f"{kind}_proxy", f"{kind}_proxy".upper()]
        if kind == "http" and "REQUEST_METHOD" in environment:
            names.pop()
        name = next((each for each in names if each in environment), None)
        if name is not None and environment[name].strip():
            return name
    return None


def proxy_exceptions(environment: Mapping[str, str]) -> str:
    """Return the value of the NO_PROXY variable; empty if there is none."""
    return environment.get("no_proxy") or environment.get("NO_PROXY") or ""


def excepts_all(exceptions: str) -> bool:
    """Tell whether a NO_PROXY variable lists every host, by `*` without a port."""
    return ("*", None) in _entries(exceptions)


def is_excepted(origin: Origin, exceptions: str) -> bool:
    """Tell whether a NO_PROXY variable lists this origin.

    Args:
        origin: Origin of the request.
        exceptions: Value of the variable: domains, which include their subdomains, addresses
            and networks, each with an optional port. `*` is every host.
    """
    _, host, port = origin
    name = host.lower().rstrip(".")
    address = _network(name)
    for pattern, only_port in _entries(exceptions):
        if only_port and int(only_port) != port:
            continue
        network = _network(pattern)
        if address and network and address.version == network.version:
            if address.subnet_of(network):  # type: ignore[arg-type]  # of one version
                return True
        elif pattern == "*" or (not address and f".{name}".endswith(f".{pattern}")):
            return True
    return False


def _entries(exceptions: str) -> Iterator[tuple[str, str | None]]:
    for entry in re.split(r"[\s,]+", exceptions.lower()):
        if (match := re.fullmatch(_ENTRY, entry)) is not None:
            name = match["ip"] or match["host"]
            yield name.removeprefix("*.").strip(".") or name, match["port"]


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text.partition("%")[0], strict=False)
    except ValueError:
        return None
