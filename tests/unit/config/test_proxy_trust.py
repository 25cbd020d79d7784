"""Proxies that would evade the check of addresses are refused, unless the user trusts them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

import pytest

from url_downloader.config.dial_settings import DialSettings
from url_downloader.config.proxy_trust import check_proxy_trust
from url_downloader.shared.errors import ConfigError

SECRET = "S3CRET"
REMOTE = ("http", "https", "socks5h", "socks4a")
LOCAL = ("socks5", "socks4")
PUBLIC = DialSettings(is_public_only=True)
DENYING = DialSettings(denied_nets=(ipaddress.ip_network("10.0.0.0/8"),))
TRUSTING = DialSettings(is_public_only=True, is_proxy_trusted=True)
UNGUARDED = (DialSettings(), DialSettings(is_proxy_trusted=True), TRUSTING)


def url(scheme: str) -> str:
    """Return the URL of a proxy with a password."""
    return f"{scheme}://me:{SECRET}@h:1"


@pytest.mark.parametrize("scheme", [*REMOTE, *LOCAL])
@pytest.mark.parametrize(
    ("dial", "flag"),
    [(PUBLIC, "--only-public"), (DENYING, "--deny-net"), *[(each, None) for each in UNGUARDED]],
)
def test_proxy_of_the_settings(dial: DialSettings, flag: str | None, scheme: str) -> None:
    """A proxy that looks up names is refused if addresses are forbidden; it may be trusted."""
    if flag is None or scheme in LOCAL:
        check_proxy_trust(dial, url(scheme), environment={"http_proxy": url("http")})
        return
    with pytest.raises(ConfigError) as caught:
        check_proxy_trust(dial, url(scheme), environment={"NO_PROXY": "*"})
    message = str(caught.value)
    assert message.startswith("--proxy: this proxy looks up names itself")
    assert flag in message
    assert "--trust-proxy" in message
    assert SECRET not in message


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, None),
        *[({name: url("http")}, name) for name in ("http_proxy", "HTTP_PROXY")],
        *[({name: url("http")}, name) for name in ("https_proxy", "HTTPS_PROXY")],
        *[({name: url("http")}, name) for name in ("all_proxy", "ALL_PROXY")],
        *[({"https_proxy": url(scheme)}, "https_proxy") for scheme in REMOTE],
        *[({"https_proxy": url(scheme)}, None) for scheme in LOCAL],
        ({"http_proxy": url("socks5"), "all_proxy": url("http")}, "all_proxy"),
        ({"http_proxy": url("socks5"), "https_proxy": url("http")}, "https_proxy"),
        ({"https_proxy": "h:1"}, "https_proxy"),
        # An empty variable is no proxy.
        ({"http_proxy": "", "HTTP_PROXY": url("http")}, None),
        ({"http_proxy": " "}, None),
        # Under CGI this is a header of the visitor.
        ({"HTTP_PROXY": url("http"), "REQUEST_METHOD": "GET"}, None),
        *[
            ({"http_proxy": url("http"), name: "x,*"}, None)
            for name in ("no_proxy", "NO_PROXY")
        ],
        ({"http_proxy": url("http"), "no_proxy": "x", "NO_PROXY": "*"}, "http_proxy"),
        ({"http_proxy": url("http"), "no_proxy": "*:80"}, "http_proxy"),
        # No request goes through an invalid one.
        ({"http_proxy": url("ftp")}, None),
    ],
)
def test_proxies_of_the_environment(environment: Mapping[str, str], name: str | None) -> None:
    """The message names the variable, what to set instead, and no password."""
    for dial in UNGUARDED:
        check_proxy_trust(dial, None, environment=environment)
    if name is None:
        check_proxy_trust(PUBLIC, None, environment=environment)
        return
    with pytest.raises(ConfigError) as caught:
        check_proxy_trust(PUBLIC, None, environment=environment)
    message = str(caught.value)
    assert message.startswith(f"{name}: this proxy looks up names itself")
    assert "NO_PROXY" in message
    assert "--trust-proxy" in message
    assert SECRET not in message
