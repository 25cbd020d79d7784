"""The options for requests: headers, credentials, proxies, TLS and redirects."""

from __future__ import annotations

import argparse
from pathlib import Path

from url_downloader.cli.option_types import (
    Group,
    add_number,
    field_value,
    header_fields,
    proxy_url,
    referer,
)
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import Settings


def add_server_options(group: Group, defaults: Settings) -> None:
    """Add the options for requests to the group; their defaults come from Settings."""
    group.add_argument(
        *("-H", "--header"),
        metavar="'NAME: VALUE'|@FILE",
        type=header_fields,
        action="extend",
        help="request header, or headers in FILE, one per line; repeatable (default: none)",
    )
    group.add_argument(
        *("-U", "--user-agent"),
        metavar="TEXT",
        type=field_value,
        default=defaults.server.user_agent,
        help="value of the User-Agent header (default: %(default)s)",
    )
    for flag, metavar, parse, text in (
        ("--referer", "URL", referer, "value of the Referer header"),
        ("--cookies", "FILE", Path, "send the cookies in FILE, in the format of cookies.txt"),
    ):
        group.add_argument(flag, metavar=metavar, type=parse, help=f"{text} (default: none)")
    text = "ignore cookies that servers set"
    group.add_argument("--no-cookies", action="store_true", help=text)
    _add_netrc_options(group.add_mutually_exclusive_group())
    kinds = "http, https, socks5, socks5h, socks4 or socks4a"
    text = f"proxy for all URLs: {kinds} (default: from environment)"
    group.add_argument("--proxy", metavar="URL", type=proxy_url, help=text)
    _add_tls_options(group)
    _add_redirect_options(group, defaults)


def _add_redirect_options(group: Group, defaults: Settings) -> None:
    most, text = defaults.transfer.max_redirects, "number of redirects to follow"
    add_number(group, "--max-redirects", metavar="N", default=most, text=text)
    group.add_argument(
        "--location-trusted",
        action="store_true",
        help="send headers and credentials even after a redirect to another server",
    )


def _add_netrc_options(group: argparse._MutuallyExclusiveGroup) -> None:
    text = "read logins from FILE (default: $NETRC, ~/.netrc or ~/_netrc)"
    group.add_argument("--netrc", metavar="FILE", type=Path, help=text)
    group.add_argument("--no-netrc", action="store_true", help="read no netrc file")


def _add_tls_options(group: Group) -> None:
    group.add_argument(
        *("-k", "--insecure"),
        action="store_true",
        help="do not check the certificates of servers",
    )
    for flag, metavar, text in (
        (
            "--ca-cert",
            "PATH",
            "certificate authorities, file or directory (default: those of requests)",
        ),
        ("--cert", "FILE", "PEM file with the client certificate (default: none)"),
        ("--key", "FILE", "PEM file with its unencrypted key (default: the file of --cert)"),
    ):
        group.add_argument(flag, metavar=metavar, type=Path, help=text)


def server_settings(arguments: argparse.Namespace) -> ServerSettings:
    """Return the settings of requests that the arguments ask for.

    Raises:
        ConfigError: The options contradict each other.
    """
    return ServerSettings(
        headers=tuple(arguments.header or ()),
        user_agent=arguments.user_agent,
        referer=arguments.referer,
        cookies=arguments.cookies,
        keeps_cookies=not arguments.no_cookies,
        netrc=arguments.netrc,
        uses_netrc=not arguments.no_netrc,
        proxy=arguments.proxy,
        is_verified=not arguments.insecure,
        ca_cert=arguments.ca_cert,
        cert=arguments.cert,
        key=arguments.key,
    )
