"""Rules for the addresses that may be dialled. Pure.

`--deny-net` wins over `--allow-net`, and that wins over `--only-public`.

Some addresses stand for another one: IPv6 addresses with an IPv4 address inside (mapped, NAT64,
6to4), and the unspecified address, with which Linux connects to the loopback address. They are
judged by the other address, because that is where a connection ends.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from url_downloader.config.dial_settings import DialSettings, IpNetwork
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")  # RFC 4291 §2.5.5.2
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215
_6TO4 = ipaddress.IPv6Network("2002::/16")  # RFC 3056 §2
_LOOPBACKS: Mapping[_Address, _Address] = {
    ipaddress.IPv4Address(0): ipaddress.IPv4Address("127.0.0.1"),
    ipaddress.IPv6Address(0): ipaddress.IPv6Address("::1"),
}
"""Unspecified addresses, with the addresses to which they connect."""
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291 §2.4

# Not `is_global` of ipaddress, because its result changes with the version of Python. These are
# the blocks of IANA's special-purpose registries, with multicast and the reserved space. Some
# can be reached from everywhere, but no web server is there: relays, AS112. A block inside
# another one comes first, for the message.
_SPECIAL_BLOCKS: tuple[tuple[IpNetwork, str], ...] = tuple(
    (ipaddress.ip_network(block), meaning)
    for block, meaning in (
        ("0.0.0.0/8", "this network, RFC 791"),
        ("10.0.0.0/8", "private, RFC 1918"),
        ("100.64.0.0/10", "shared by the customers of a provider, RFC 6598"),
        ("127.0.0.0/8", "loopback, RFC 1122"),
        ("169.254.0.0/16", "link-local, RFC 3927"),
        ("172.16.0.0/12", "private, RFC 1918"),
        ("192.0.0.0/24", "protocol assignments, RFC 6890"),
        ("192.0.2.0/24", "documentation, RFC 5737"),
        ("192.31.196.0/24", "AS112, RFC 7535"),
        ("192.52.193.0/24", "multicast relays, RFC 7450"),
        ("192.88.99.0/24", "6to4 relays, RFC 7526"),
        ("192.168.0.0/16", "private, RFC 1918"),
        ("192.175.48.0/24", "AS112, RFC 7534"),
        ("198.18.0.0/15", "benchmarks, RFC 2544"),
        ("198.51.100.0/24", "documentation, RFC 5737"),
        ("203.0.113.0/24", "documentation, RFC 5737"),
        ("224.0.0.0/4", "multicast, RFC 5771"),
        ("255.255.255.255/32", "broadcast, RFC 919"),
        ("240.0.0.0/4", "reserved, RFC 1112"),
        ("::1/128", "loopback, RFC 4291"),
        ("100::/64", "discard-only, RFC 6666"),
        ("100:0:0:1::/64", "dummy prefix, RFC 9780"),
        ("2001::/32", "Teredo, RFC 4380"),
        ("2001:2::/48", "benchmarks, RFC 5180"),
        ("2001:3::/32", "multicast relays, RFC 7450"),
        ("2001:4:112::/48", "AS112, RFC 7535"),
        ("2001:10::/28", "ORCHID, RFC 4843"),
        ("2001:20::/28", "ORCHID, RFC 7343"),
        ("2001:30::/28", "drone identifiers, RFC 9374"),
        ("2001::/23", "protocol assignments, RFC 2928"),
        ("2001:db8::/32", "documentation, RFC 3849"),
        ("2620:4f:8000::/48", "AS112, RFC 7534"),
        ("3fff::/20", "documentation, RFC 9637"),
        ("5f00::/16", "segment routing, RFC 9602"),
        ("fc00::/7", "unique local, RFC 4193"),
        ("fe80::/10", "link-local, RFC 4291"),
        ("fec0::/10", "site-local, RFC 3879"),
        ("ff00::/8", "multicast, RFC 4291"),
    )
)


class AddressGuard:
    """Rules for the addresses that may be dialled.

    Args:
        settings: Settings with the rules.

    Threads: any.
    """

    def __init__(self, settings: DialSettings) -> None:
        self._settings = settings
        self._refusal = functools.lru_cache(maxsize=1024)(self._find_refusal)

    def check(self, host: str, addresses: Iterable[str]) -> None:
        """Check that all addresses of a host may be dialled.

        A single forbidden one refuses the host: a name that has public and private addresses
        is more likely an attack than a mistake.

        Args:
            host: Host name or address, for the message.
            addresses: Addresses of the host, as getaddrinfo returns them.

        Raises:
            AttemptError: One of the addresses is forbidden.
        """
        if self._settings.guard_flag is None:
            return
        for address in addresses:
            refusal = self._refusal(address)
            if refusal is not None:
                owner = "" if host.strip("[]") == address else f" of {host}"
                message = f"the address {address}{owner} is forbidden: {refusal}"
                raise AttemptError(ErrorKind.FORBIDDEN_ADDRESS, message)

    def _find_refusal(self, text: str) -> str | None:
        """Return the reason why an address is forbidden, for the attribute that caches it."""
        try:
            # A zone says which link an address is on, and doesn't change its kind.
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return "not an IP address"
        others = _meant_addresses(address)
        for each in (address, *others):
            denied = _network_of(each, self._settings.denied_nets)
            if denied is not None:
                return f"{_shown(each, address)}in {denied} (--deny-net)"
        if _network_of(address, self._settings.allowed_nets) is not None:
            return None
        return self._refusal_as_not_public(address, others or (address,))

    def _refusal_as_not_public(
        self, address: _Address, targets: Sequence[_Address]
    ) -> str | None:
        """Return the reason why --only-public forbids the address; None if it does not.

        Args:
            address: Address to dial.
            targets: Addresses to which it connects: itself, or others that it stands for.
        """
        if not self._settings.is_public_only:
            return None
        for each in targets:
            purpose = _special_purpose(each)
            is_allowed = _network_of(each, self._settings.allowed_nets) is not None
            if purpose is not None and not is_allowed:
                rule = "(--only-public; --allow-net makes exceptions)"
                return f"{_shown(each, address)}not public: {purpose} {rule}"
        return None


def _special_purpose(address: _Address) -> str | None:
    """Return the purpose of an address, with its RFC; None if it is global unicast."""
    for block, purpose in _SPECIAL_BLOCKS:
        if address in block:
            return purpose
    is_outside = address.version == 6 and address not in _GLOBAL_UNICAST
    return "outside 2000::/3, RFC 4291" if is_outside else None


def _meant_addresses(address: _Address) -> Sequence[_Address]:
    """Return the other addresses that an address stands for; usually there is none."""
    octets = address.packed
    if address in _LOOPBACKS:
        return (_LOOPBACKS[address],)
    if address in _MAPPED:
        inner = ipaddress.IPv4Address(octets[12:])
        return (_LOOPBACKS.get(inner, inner),)
    if address in _NAT64:
        return (ipaddress.IPv4Address(octets[12:]),)
    if address in _6TO4:
        return (ipaddress.IPv4Address(octets[2:6]),)
    if address in _LOCAL_NAT64:
        # RFC 6052 §2.2 places the IPv4 address by the length of the prefix, which only the
        # network knows: 96, or 48, 56 and 64. In 0.0.0.0/8 there is no address to connect to.
        others = (octets[6:8] + octets[9:11], octets[7:8] + octets[9:12], octets[9:13])
        found = (octets[12:], *(each for each in others if each[0] != 0))
        return tuple(map(ipaddress.IPv4Address, found))
    return ()


def _network_of(address: _Address, networks: Iterable[IpNetwork]) -> IpNetwork | None:
    """Return the first of the networks that the address is in; None if there is none."""
    return next((network for network in networks if address in network), None)


def _shown(address: _Address, outer: _Address) -> str:
    """Return the beginning of a reason that is about an address which another stands for."""
    return "" if address is outer else f"it stands for {address}, which is "
