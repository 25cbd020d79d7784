"""How servers are reached: the values that users write, and the checks of the settings."""

from __future__ import annotations

import ipaddress
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.config.dial_settings import (
    AddressFamily,
    DialSettings,
    FixedAddress,
    parse_fixed_address,
    parse_interface,
    parse_network,
)
from url_downloader.shared.errors import ConfigError

ANY_TEXT = st.text(st.characters(exclude_categories=()))
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


@pytest.mark.parametrize(
    ("text", "host", "port", "addresses"),
    [
        ("h.test:443:192.0.2.1", "h.test", 443, ["192.0.2.1"]),
        ("H.Test:080:192.0.2.1", "h.test", 80, ["192.0.2.1"]),
        ("h.test.:80:192.0.2.1", "h.test.", 80, ["192.0.2.1"]),
        ("h:1:192.0.2.1,192.0.2.2", "h", 1, ["192.0.2.1", "192.0.2.2"]),
        ("h:65535:::1", "h", 65535, ["::1"]),
        ("h:80:[::1],2001:DB8:0::1", "h", 80, ["::1", "2001:db8::1"]),
        ("h:80:192.0.2.1,[fe80::1%eth0]", "h", 80, ["192.0.2.1", "fe80::1%eth0"]),
        ("*:443:192.0.2.1", "*", 443, ["192.0.2.1"]),
        ("[0:0::1]:80:192.0.2.1", "::1", 80, ["192.0.2.1"]),
        ("127.1:80:192.0.2.1", "127.0.0.1", 80, ["192.0.2.1"]),
        ("Bücher.test:80:192.0.2.1", "xn--bcher-kva.test", 80, ["192.0.2.1"]),
    ],
)
def test_fixed_address(text: str, host: str, port: int, addresses: list[str]) -> None:
    """Host and addresses get the form that they have in a URL, which the settings take."""
    fixed = parse_fixed_address(text)
    assert fixed == FixedAddress(host, port, tuple(addresses))
    assert DialSettings(resolve=(fixed,)).resolve == (fixed,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *[(text, "HOST:PORT:ADDRESS") for text in ("", "h", "h:80", "h:80:", ":80:192.0.2.1")],
        *[(f"{host}:80:192.0.2.1", "HOST:PORT:ADDRESS") for host in ("+h", "-h", "*.h", "u@h")],
        *[(f"{host}:80:192.0.2.1", "HOST:PORT:ADDRESS") for host in ("::1", "a b", "h/x")],
        *[(f"h:{port}:192.0.2.1", "HOST:PORT:ADDRESS") for port in ("x", "", "000080", "٣")],
        *[(f"{host}:0:192.0.2.1", "port from 1 to 65535") for host in ("h", "*")],
        *[(f"{host}:65536:192.0.2.1", "port from 1 to 65535") for host in ("h", "*", "[::1]")],
        *[(f"{host}:80:192.0.2.1", "host name") for host in ("[x]", "1.2.3.4.5", "[::1%lo]")],
        *[
            (f"h:80:{each}", "IP address, not ")
            for each in ("x", "h.test", "127.1", "192.0.2.1,")
        ],
        *[
            (f"h:80:{each}", "IP address, not ")
            for each in ("[::1", "::1]", "[[::1]]", "::1/64")
        ],
    ],
)
def test_bad_fixed_address(text: str, reason: str) -> None:
    """Anything else is an error, which says what is expected."""
    with pytest.raises(ValueError, match=reason):
        parse_fixed_address(text)


@given(ANY_TEXT | st.from_regex(r"(\*|\[?[a-z0-9:]{1,4}\]?):\d{1,5}:[\d.:,\[\]%]{1,20}"))
def test_a_fixed_address_can_be_used_or_is_an_error(text: str) -> None:
    """No text gives an entry that the settings refuse, or another exception."""
    try:
        fixed = parse_fixed_address(text)
    except ValueError:
        return
    assert DialSettings(resolve=(fixed,)).resolve == (fixed,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.1/8", "10.0.0.0/8"),
        ("10.0.0.1", "10.0.0.1/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("FD00::1/8", "fd00::/8"),
        ("::1", "::1/128"),
        ("::/0", "::/0"),
    ],
)
def test_network(text: str, expected: str) -> None:
    """Bits of the host may be set, and without a prefix the network is one address."""
    assert str(parse_network(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "x", "h.test", "10", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1"],
        *["010.0.0.0/8", "::/129", "[::1]", "fe80::1%lo", "10.0.0.0/8,11.0.0.0/8", "::/8/8"],
    ],
)
def test_bad_network(text: str) -> None:
    """Anything else is an error, which has the text."""
    with pytest.raises(ValueError, match="must be a network such as") as caught:
        parse_network(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[("192.0.2.1", "192.0.2.1"), ("FE80:0::1%eth0", "fe80::1%eth0"), ("::", "::")],
        ("[::1]", "::1"),
    ],
)
def test_interface(text: str, expected: str) -> None:
    """The source of connections is an IP address."""
    assert parse_interface(text) == expected


@pytest.mark.parametrize("text", ["", "eth0", "lo", "h.test", "if!eth0", "192.0.2.1/24", "[h]"])
def test_bad_interface(text: str) -> None:
    """A name is an error, which says that an address is needed."""
    with pytest.raises(ValueError, match=r"must be an IP address, not .*names of interfaces"):
        parse_interface(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"interface": "eth0"}, "--interface: must be an IP address, not 'eth0'"),
        (
            {"interface": "::1", "family": AddressFamily.IPV4},
            "--interface: must be an IPv4 address, not ::1, with --ipv4",
        ),
        (
            {"interface": "192.0.2.1", "family": AddressFamily.IPV6},
            "--interface: must be an IPv6 address, not 192.0.2.1, with --ipv6",
        ),
        ({"allowed_nets": (LOOPBACK,)}, "--allow-net: needs --only-public"),
        ({"denied_nets": ("127.0.0.0/8",)}, "--deny-net: must be a network of ipaddress"),
        ({"denied_nets": "10.0.0.1"}, "--deny-net: must be a network of ipaddress"),
        ({"denied_nets": LOOPBACK}, "--deny-net: must be a network of ipaddress"),
        (
            {"allowed_nets": ("::1",), "is_public_only": True},
            "--allow-net: must be a network of ipaddress",
        ),
        *[
            ({"resolve": (FixedAddress(*fixed),)}, message)
            for fixed, message in (
                (("H", 80, ("::1",)), "--resolve: must have the host 'h', not 'H'"),
                (("[::1]", 80, ("::1",)), "--resolve: must have a host name"),
                (("0:0::1", 80, ("::1",)), "--resolve: must have the host '::1'"),
                (("u@h", 80, ("::1",)), "--resolve: must have the host 'h'"),
                (("h", 0, ("::1",)), "--resolve: must have a host name, and a port from 1"),
                (("h", 80, ()), "--resolve: must be an IP address, not ''"),
                (("h", 80, "::1"), "--resolve: must be an IP address, not ':'"),
                (("h", 80, ("[::1]",)), "--resolve: must be an IP address"),
                (("h", 80, ("::1,::2",)), "--resolve: must be an IP address"),
            )
        ],
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    """What a program can't mean is an error, which names the flag."""
    with pytest.raises(ConfigError) as caught:
        DialSettings(**settings)
    assert str(caught.value).startswith(message)


def test_settings() -> None:
    """Settings can be pickled; a family goes with an address of its own."""
    settings = DialSettings(
        family=AddressFamily.IPV6,
        interface="::1",
        resolve=(FixedAddress("*", 80, ("::1",)),),
        is_public_only=True,
        allowed_nets=(LOOPBACK,),
    )
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert DialSettings(interface="::1", family=AddressFamily.ANY).interface == "::1"


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({}, None),
        ({"family": AddressFamily.IPV4, "is_proxy_trusted": True}, None),
        ({"denied_nets": (LOOPBACK,)}, "--deny-net"),
        ({"is_public_only": True}, "--only-public"),
    ],
)
def test_guard_flag(settings: dict[str, Any], flag: str | None) -> None:
    """Two settings forbid addresses."""
    assert DialSettings(**settings).guard_flag == flag
