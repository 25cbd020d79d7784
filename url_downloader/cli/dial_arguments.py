"""The options for addresses of servers: fixed ones, their family and source, forbidden ones."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from url_downloader.cli.option_types import Group
from url_downloader.config.dial_settings import (
    AddressFamily,
    DialSettings,
    parse_fixed_address,
    parse_interface,
    parse_network,
)


def add_dial_options(group: Group) -> None:
    """Add the options for addresses to the group."""
    _add_families(group.add_mutually_exclusive_group())
    group.add_argument(
        "--resolve",
        metavar="HOST:PORT:ADDRESS[,ADDRESS...]",
        type=_converter(parse_fixed_address),
        action="append",
        help="use these addresses instead of looking up HOST, which may be *; repeatable"
        " (default: look up)",
    )
    group.add_argument(
        "--interface",
        metavar="ADDRESS",
        type=_converter(parse_interface),
        help="IP address of this machine from which connections come (default: any)",
    )
    _add_guard_options(group)


def _add_guard_options(group: Group) -> None:
    text = "connect to public addresses only; fail if a host has another one"
    group.add_argument("--only-public", action="store_true", help=text)
    for flag, text in (
        ("--allow-net", "with --only-public: connect to addresses in this network, too"),
        ("--deny-net", "connect to no address in this network"),
    ):
        group.add_argument(
            flag,
            metavar="CIDR",
            type=_converter(parse_network),
            action="append",
            help=f"{text}; repeatable (default: none)",
        )
    group.add_argument(
        "--trust-proxy",
        action="store_true",
        help="with --only-public or --deny-net: use proxies that look up names themselves",
    )


def _add_families(group: argparse._MutuallyExclusiveGroup) -> None:
    for number, family in ((4, AddressFamily.IPV4), (6, AddressFamily.IPV6)):
        group.add_argument(
            *(f"-{number}", f"--ipv{number}"),
            action="store_const",
            dest="family",
            const=family,
            default=AddressFamily.ANY,
            help=f"connect to {family.value} addresses only (default: both families)",
        )


def _converter(parse: Callable[[str], object]) -> Callable[[str], object]:
    """Return a converter for argparse that shows the message if `parse` fails."""

    def convert(text: str) -> object:
        """Parse the value for argparse."""
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def dial_settings(arguments: argparse.Namespace) -> DialSettings:
    """Return the settings of addresses that the arguments ask for.

    Raises:
        ConfigError: The options contradict each other.
    """
    return DialSettings(
        family=arguments.family,
        resolve=tuple(arguments.resolve or ()),
        interface=arguments.interface,
        is_public_only=arguments.only_public,
        allowed_nets=tuple(arguments.allow_net or ()),
        denied_nets=tuple(arguments.deny_net or ()),
        is_proxy_trusted=arguments.trust_proxy,
    )
