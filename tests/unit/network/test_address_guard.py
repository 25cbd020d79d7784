"""The addresses that may be dialled: public ones, allowed ones, and none that is denied."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.config.dial_settings import DialSettings, parse_network
from url_downloader.network.address_guard import AddressGuard
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

Form = Callable[[str], str]

PUBLIC = "8.8.8.8"
PRIVATE = "10.0.0.1"

SPECIAL_IPV4 = [
    # First address, last address, and the number of the RFC in the message.
    ("0.0.0.1", "0.255.255.255", 791),
    ("10.0.0.0", "10.255.255.255", 1918),
    ("100.64.0.0", "100.127.255.255", 6598),
    ("127.0.0.0", "127.255.255.255", 1122),
    ("169.254.0.0", "169.254.255.255", 3927),
    ("172.16.0.0", "172.31.255.255", 1918),
    ("192.0.0.0", "192.0.0.255", 6890),
    ("192.0.2.0", "192.0.2.255", 5737),
    ("192.31.196.0", "192.31.196.255", 7535),
    ("192.52.193.0", "192.52.193.255", 7450),
    ("192.88.99.0", "192.88.99.255", 7526),
    ("192.168.0.0", "192.168.255.255", 1918),
    ("192.175.48.0", "192.175.48.255", 7534),
    ("198.18.0.0", "198.19.255.255", 2544),
    ("198.51.100.0", "198.51.100.255", 5737),
    ("203.0.113.0", "203.0.113.255", 5737),
    ("224.0.0.0", "239.255.255.255", 5771),
    ("240.0.0.0", "255.255.255.254", 1112),
    ("255.255.255.255", "255.255.255.255", 919),
]
SPECIAL_IPV6 = [
    ("::1", "::1", 4291),
    ("100::", "100::ffff:ffff:ffff:ffff", 6666),
    ("100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", 9780),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", 4380),
    ("2001:1::", "2001:1:ffff:ffff:ffff:ffff:ffff:ffff", 2928),
    ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", 5180),
    ("2001:2:1::", "2001:2:ffff:ffff:ffff:ffff:ffff:ffff", 2928),
    ("2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff", 7450),
    ("2001:4::", "2001:4:111:ffff:ffff:ffff:ffff:ffff", 2928),
    ("2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff", 7535),
    ("2001:4:113::", "2001:f:ffff:ffff:ffff:ffff:ffff:ffff", 2928),
    ("2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", 4843),
    ("2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", 7343),
    ("2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", 9374),
    ("2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", 2928),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 3849),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", 7534),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", 9637),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 9602),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4193),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4291),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 3879),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4291),
    # What is outside global unicast has no other name.
    ("4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4291),
    ("5f01::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4291),
    ("fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4291),
    ("::2", "::fffe:ffff:ffff", 4291),
    ("0:0:0:0:1::", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", 4291),
    ("64:ff9b::1:0:0", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", 4291),
    ("64:ff9b:2::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4291),
    ("100:0:0:2::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4291),
]
PUBLIC_RANGES = [
    # All that lies between the blocks above.
    ("1.0.0.0", "9.255.255.255"),
    ("11.0.0.0", "100.63.255.255"),
    ("100.128.0.0", "126.255.255.255"),
    ("128.0.0.0", "169.253.255.255"),
    ("169.255.0.0", "172.15.255.255"),
    ("172.32.0.0", "191.255.255.255"),
    ("192.0.1.0", "192.0.1.255"),
    ("192.0.3.0", "192.31.195.255"),
    ("192.31.197.0", "192.52.192.255"),
    ("192.52.194.0", "192.88.98.255"),
    ("192.88.100.0", "192.167.255.255"),
    ("192.169.0.0", "192.175.47.255"),
    ("192.175.49.0", "198.17.255.255"),
    ("198.20.0.0", "198.51.99.255"),
    ("198.51.101.0", "203.0.112.255"),
    ("203.0.114.0", "223.255.255.255"),
    ("2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db9::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2003::", "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff"),
    ("2620:4f:8001::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
]
BETWEEN = [
    # Blocks of addresses that are judged by the address inside.
    ("::ffff:0:0", "::ffff:ffff:ffff"),
    ("64:ff9b::", "64:ff9b::ffff:ffff"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("::", "::"),
    ("0.0.0.0", "0.0.0.0"),
]


def guard(*, denied: str = "", allowed: str = "", is_public_only: bool = True) -> AddressGuard:
    """Return a guard with these networks, which are separated by blanks."""
    return AddressGuard(
        DialSettings(
            is_public_only=is_public_only,
            allowed_nets=tuple(map(parse_network, allowed.split())),
            denied_nets=tuple(map(parse_network, denied.split())),
        )
    )


def refusal(judge: AddressGuard, *addresses: str, host: str = "h.test") -> str:
    """Return the message about the host; empty if all its addresses may be dialled."""
    try:
        judge.check(host, addresses)
    except AttemptError as error:
        if error.kind is not ErrorKind.FORBIDDEN_ADDRESS:
            raise
        return error.message
    return ""


def mapped(address: str) -> str:
    """Return the IPv4-mapped address."""
    return f"::ffff:{address}"


def nat64(address: str) -> str:
    """Return the address with the well-known prefix of NAT64."""
    return f"64:ff9b::{address}"


def local_nat64(address: str) -> str:
    """Return the address with the prefix of NAT64 for local use, of 96 bits."""
    return f"64:ff9b:1::{address}"


def six_to_four(address: str) -> str:
    """Return an address in the network that 6to4 gives to an IPv4 address."""
    octets = ipaddress.IPv4Address(address).packed
    return f"2002:{octets[:2].hex()}:{octets[2:].hex()}::1"


FORMS = (mapped, nat64, local_nat64, six_to_four)
each_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


@pytest.mark.parametrize(("first", "last", "rfc"), [*SPECIAL_IPV4, *SPECIAL_IPV6])
def test_special_purpose(first: str, last: str, rfc: int) -> None:
    """The first and the last address of a block are not public; the message has its RFC."""
    for address in (first, last):
        message = refusal(guard(), address)
        assert message.startswith(f"the address {address} of h.test is forbidden: not public: ")
        assert f"RFC {rfc} (--only-public; " in message


@pytest.mark.parametrize(("first", "last"), PUBLIC_RANGES)
def test_public(first: str, last: str) -> None:
    """The first address after a block, and the last one before the next, are public."""
    assert refusal(guard(), first, last) == ""


def test_the_tables_have_no_gap() -> None:
    """The ranges of the tests are all addresses there are, so that no block is forgotten."""
    ranges = [*(row[:2] for row in (*SPECIAL_IPV4, *SPECIAL_IPV6)), *PUBLIC_RANGES, *BETWEEN]
    for version, bits in ((4, 32), (6, 128)):
        bounds = [tuple(map(ipaddress.ip_address, each)) for each in ranges]
        found = sorted(
            (int(first), int(last)) for first, last in bounds if first.version == version
        )
        starts = [first for first, _ in found]
        ends = [last + 1 for _, last in found]
        assert starts == [0, *ends[:-1]]
        assert ends[-1] == 1 << bits


@each_form
@pytest.mark.parametrize(("first", "last", "rfc"), SPECIAL_IPV4)
def test_special_purpose_inside(form: Form, first: str, last: str, rfc: int) -> None:
    """An IPv6 address that stands for such an IPv4 address is not public either."""
    for address in (first, last):
        message = refusal(guard(), form(address))
        assert f"it stands for {address}, which is not public: " in message
        assert f"RFC {rfc} (--only-public; " in message


@each_form
@pytest.mark.parametrize(("first", "last"), [row for row in PUBLIC_RANGES if ":" not in row[0]])
def test_public_inside(form: Form, first: str, last: str) -> None:
    """An IPv6 address that stands for a public IPv4 address is public."""
    assert refusal(guard(), form(first), form(last)) == ""


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        # The length of the prefix is 48, 56 or 64; a public address follows as a decoy.
        ("64:ff9b:1:a00:0:100:808:808", "10.0.0.1"),
        ("64:ff9b:1:c0a8:1:200:808:808", "192.168.1.2"),
        ("64:ff9b:1:7f:0:1:808:808", "127.0.0.1"),
        ("64:ff9b:1:0:a:1:808:808", "10.0.1.8"),
        ("64:ff9b:1:0:7f:0:108:808", "127.0.0.1"),
        # The address is at the end, in a subnet.
        ("64:ff9b:1:808:8:800:a00:1", "10.0.0.1"),
    ],
)
def test_local_nat64(address: str, inside: str) -> None:
    """With the local prefix of NAT64, all places where the IPv4 address may be are judged."""
    assert f"it stands for {inside}, which is not public" in refusal(guard(), address)
    judge = guard(denied=inside, is_public_only=False)
    assert f"it stands for {inside}, which is in {inside}/32" in refusal(judge, address)


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("::ffff:0.0.0.0", "127.0.0.1")],
)
def test_unspecified(address: str, loopback: str) -> None:
    """The address that Linux takes for its own is judged as the loopback address."""
    assert f"it stands for {loopback}, which is not public" in refusal(guard(), address)
    assert f"it stands for {loopback}, " in refusal(
        guard(denied=loopback, is_public_only=False), address
    )
    assert refusal(guard(allowed=loopback), address) == ""


@pytest.mark.parametrize(
    ("denied", "allowed", "address", "flag"),
    [
        ("10.0.0.0/8", "", PRIVATE, "in 10.0.0.0/8 (--deny-net)"),
        ("10.0.0.0/8", "10.0.0.0/8", PRIVATE, "--deny-net"),
        ("10.0.0.0/8", "10.0.0.1", PRIVATE, "--deny-net"),
        ("0.0.0.0/0", "10.0.0.0/8", PRIVATE, "--deny-net"),
        ("8.0.0.0/8", "", PUBLIC, "in 8.0.0.0/8 (--deny-net)"),
        ("1.0.0.0/8 8.8.8.8", "", PUBLIC, "in 8.8.8.8/32 (--deny-net)"),
        ("::/0", "", PUBLIC, ""),
        ("0.0.0.0/0", "", "2003::1", ""),
        ("", "10.0.0.0/8", PRIVATE, ""),
        ("", "127.0.0.0/8 10.0.0.1", PRIVATE, ""),
        ("", "10.0.0.2", PRIVATE, "--only-public"),
        ("11.0.0.0/8", "10.0.0.0/8", PRIVATE, ""),
        ("", "fc00::/7", "fd00::1", ""),
        ("fd00::/16", "fc00::/7", "fd00::1", "--deny-net"),
        ("", "fe80::/10", "fe80::1%eth0", ""),
        ("fe80::1", "", "fe80::1%eth0", "in fe80::1/128 (--deny-net)"),
    ],
)
def test_precedence(denied: str, allowed: str, address: str, flag: str) -> None:
    """--deny-net wins over --allow-net, and that wins over --only-public."""
    message = refusal(guard(denied=denied, allowed=allowed), address)
    assert flag in message
    assert bool(flag) is bool(message)


@each_form
def test_networks_of_the_address_inside(form: Form) -> None:
    """Networks of IPv4 hold for these IPv6 addresses, too, beside networks of IPv6."""
    address = form(PRIVATE)
    assert refusal(guard(allowed="10.0.0.0/8"), address) == ""
    assert refusal(guard(allowed="::/0"), address) == ""
    assert "--only-public" in refusal(guard(allowed="11.0.0.0/8"), address)
    for denied in ("10.0.0.0/8", "::/0"):
        for allowed in ("", "10.0.0.0/8", "::/0"):
            assert f"in {denied} (--deny-net)" in refusal(
                guard(denied=denied, allowed=allowed), address
            )
    assert "--deny-net" in refusal(guard(denied=PUBLIC), form(PUBLIC))


def test_denied_alone() -> None:
    """--deny-net alone forbids nothing else."""
    judge = guard(denied="10.0.0.0/8", is_public_only=False)
    assert refusal(judge, PUBLIC, "127.0.0.1", "::1", mapped("127.0.0.1"), "fe80::1%lo") == ""
    for address in (PRIVATE, *(form(PRIVATE) for form in FORMS)):
        assert "--deny-net" in refusal(judge, address)


def test_no_rule() -> None:
    """Without a rule each address may be dialled."""
    assert refusal(guard(is_public_only=False), PUBLIC, PRIVATE, "::1") == ""


@pytest.mark.parametrize(
    "addresses", [(PUBLIC, PRIVATE), (PRIVATE, PUBLIC), ("2003::1", PRIVATE, PUBLIC)]
)
def test_one_address_of_several(addresses: tuple[str, ...]) -> None:
    """A host is refused if one of its addresses is; the message has that one."""
    assert f"the address {PRIVATE} of h.test" in refusal(guard(), *addresses)


@pytest.mark.parametrize(
    ("host", "address", "start"),
    [
        ("localhost", "127.0.0.1", "the address 127.0.0.1 of localhost is forbidden: "),
        ("127.0.0.1", "127.0.0.1", "the address 127.0.0.1 is forbidden: "),
        ("::1", "::1", "the address ::1 is forbidden: "),
        ("[::1]", "::1", "the address ::1 is forbidden: "),
    ],
)
def test_message(host: str, address: str, start: str) -> None:
    """The message has the address, its host, the reason, and the option that would allow it."""
    message = refusal(guard(), address, host=host)
    assert message.startswith(f"{start}not public: loopback, RFC ")
    assert message.endswith("(--only-public; --allow-net makes exceptions)")


@pytest.mark.parametrize("text", ["", "h.test", "1.2.3", "2130706433", "0x7f.1", "0177.0.0.1"])
def test_unknown_text(text: str) -> None:
    """A text that is not an address in its usual form is refused, not passed on."""
    assert "not an IP address" in refusal(guard(), text)
    assert "not an IP address" in refusal(guard(denied="::/0", is_public_only=False), text)


@given(st.ip_addresses())
def test_each_address_is_judged(address: ipaddress.IPv4Address) -> None:
    """Any address is refused or not, and only with the kind for that."""
    assert refusal(guard(allowed="::/0 0.0.0.0/0"), str(address)) == ""
    assert refusal(guard(denied="::/0 0.0.0.0/0"), str(address)) != ""
