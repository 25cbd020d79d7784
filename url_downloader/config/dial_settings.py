"""Settings of how servers are reached: addresses, their family and source, forbidden ones.

The values that users write for them are parsed here, too. Pure functions.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from dataclasses import dataclass
from typing import NamedTuple

from url_downloader.shared.errors import ConfigError
from url_downloader.shared.url_parts import origin_of

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
"""Network of addresses."""
ANY_HOST = "*"
"""Host of a FixedAddress that is for every host."""

# A sign before the host has a meaning in curl that this program does not know.
_FIXED = (
    r"(?a)(?P<host>\*|\[[^\[\]]*\]|(?![+-])[^:/?#@*\[\]\\\s]+):(?P<port>[0-9]{1,5}):"
    r"(?P<addresses>\S+)"
)
_MAPPED_PREFIX = 96
"""Bits before the IPv4 address in a mapped IPv6 address."""
_BRACKETS = r"^\[(.*)\]$"


class AddressFamily(enum.Enum):
    """Family of the addresses that are dialled."""

    ANY = "IPv4 and IPv6"
    IPV4 = "IPv4"
    IPV6 = "IPv6"


class FixedAddress(NamedTuple):
    """Addresses of a host that are used in place of a look-up.

    Args:
        host: Host name or address as in a URL in normal form: in lower case, without brackets;
            `*` for every host.
        port: TCP port to which connections are opened.
        addresses: IP addresses of the host, at least one.
    """

    host: str
    port: int
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DialSettings:
    """Settings of how servers are reached.

    Args:
        family: Family of the addresses that are dialled: `ANY`, `IPV4` or `IPV6`.
        resolve: Addresses of hosts that are not looked up. The last entry for a host and port
            counts; entries for the host `*` count only where no other one does.
        interface: IP address of this machine from which connections come; None = any.
        is_public_only: Whether only public addresses are dialled (global unicast).
        allowed_nets: Networks of the module `ipaddress` that are dialled though they are not
            public.
        denied_nets: Networks of the module `ipaddress` that are never dialled.
        is_proxy_trusted: Whether a proxy that looks up names itself may be used although
            addresses are forbidden, which this program then can't check.
    """

    family: AddressFamily = AddressFamily.ANY
    resolve: tuple[FixedAddress, ...] = ()
    interface: str | None = None
    is_public_only: bool = False
    allowed_nets: tuple[IpNetwork, ...] = ()
    denied_nets: tuple[IpNetwork, ...] = ()
    is_proxy_trusted: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.family, AddressFamily):
            raise ConfigError(f"family: must be an AddressFamily, not {self.family!r}")
        for fixed in self.resolve:
            if not isinstance(fixed, FixedAddress):
                raise ConfigError(f"--resolve: must be a FixedAddress, not {fixed!r}")
            _check_fixed_address(fixed)
        if self.interface is not None:
            _check_interface(self.interface, self.family)
        _check_networks("--allow-net", self.allowed_nets)
        _check_networks("--deny-net", self.denied_nets)
        if self.allowed_nets and not self.is_public_only:
            raise ConfigError("--allow-net: needs --only-public, to which it makes exceptions")

    @property
    def guard_flag(self) -> str | None:
        """Return the flag that forbids addresses; None if no address is forbidden."""
        if self.is_public_only:
            return "--only-public"
        return "--deny-net" if self.denied_nets else None


def parse_fixed_address(text: str) -> FixedAddress:
    """Return the parts of `HOST:PORT:ADDRESS[,ADDRESS...]`, in normal form.

    IPv6 addresses may be in brackets; an IPv6 address as HOST must be.

    Raises:
        ValueError: The text has another form.
    """
    match = re.fullmatch(_FIXED, text)
    if match is None:
        raise ValueError(f"must be HOST:PORT:ADDRESS[,ADDRESS...], not {text!r}")
    return FixedAddress(
        host=_normal_host(match["host"], match["port"]),
        port=int(match["port"]),
        addresses=tuple(
            _parse_address(re.sub(_BRACKETS, r"\1", each))
            for each in match["addresses"].split(",")
        ),
    )


def _normal_host(host: str, port: str) -> str:
    """Return the host of a URL in normal form.

    Raises:
        ValueError: No URL has such a host, or the port is out of range.
    """
    # Imported here, because the import takes long, and most runs look up each host.
    from url_downloader.shared.urls import split_url  # noqa: PLC0415

    is_any = host == ANY_HOST
    try:
        start, _ = split_url(f"http://{'h' if is_any else host}:{port}/")
    except ValueError:
        message = f"must have a host name, and a port from 1 to 65535, not {host}:{port}"
        raise ValueError(message) from None
    return ANY_HOST if is_any else origin_of(start)[1]


def _parse_address(text: str) -> str:
    """Return an IP address in normal form.

    Raises:
        ValueError: The text is not an IP address.
    """
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"must be an IP address, not {text!r}") from None


def parse_interface(text: str) -> str:
    """Return the address from which connections come, in normal form.

    Raises:
        ValueError: The text is not an IP address.
    """
    try:
        return _parse_address(re.sub(_BRACKETS, r"\1", text))
    except ValueError as error:
        raise ValueError(f"{error}; names of interfaces and hosts are not looked up") from None


def parse_network(text: str) -> IpNetwork:
    """Return the network of an address with an optional prefix length, as in `10.0.0.0/8`.

    Bits of the host may be set.

    Raises:
        ValueError: The text has another form.
    """
    try:
        if "%" not in text:  # a zone is not part of a network
            return _unmapped(ipaddress.ip_network(text, strict=False))
    except ValueError:
        pass
    raise ValueError(f"must be a network such as 10.0.0.0/8, or an address, not {text!r}")


def _unmapped(network: IpNetwork) -> IpNetwork:
    """Return the IPv4 network that a network of mapped addresses stands for (RFC 4291)."""
    inner = network.network_address.ipv4_mapped if network.version == 6 else None
    if inner is None or network.prefixlen < _MAPPED_PREFIX:
        return network
    return ipaddress.ip_network((inner, network.prefixlen - _MAPPED_PREFIX))


def _check_fixed_address(fixed: FixedAddress) -> None:
    """Check that the parts are in the form that parse_fixed_address() returns."""
    try:
        shown_host = f"[{fixed.host}]" if ":" in fixed.host else fixed.host
        host = _normal_host(shown_host, str(fixed.port))
        for address in fixed.addresses or ("",):
            _parse_address(address)
    except ValueError as error:
        raise ConfigError(f"--resolve: {error}") from None
    if host != fixed.host:
        raise ConfigError(f"--resolve: must have the host {host!r}, not {fixed.host!r}")


def _check_interface(address: str, family: AddressFamily) -> None:
    try:
        version = ipaddress.ip_address(parse_interface(address)).version
    except ValueError as error:
        raise ConfigError(f"--interface: {error}") from None
    other = {4: AddressFamily.IPV6, 6: AddressFamily.IPV4}[version]
    if family is other:
        message = f"--interface: must be an {family.value} address, not {address}"
        raise ConfigError(f"{message}, with --{family.value.lower()}")


def _check_networks(flag: str, networks: tuple[object, ...]) -> None:
    for network in networks:
        # A text would match no address, so that nothing would be forbidden.
        if not isinstance(network, IpNetwork):
            raise ConfigError(f"{flag}: must be a network of ipaddress, not {network!r}")
