"""The rule that no proxy may evade the check of addresses. Pure.

A proxy that looks up names itself connects to addresses that this program never sees.
"""

from __future__ import annotations

from collections.abc import Mapping

from url_downloader.config.dial_settings import DialSettings
from url_downloader.config.proxies import (
    excepts_all,
    parse_proxy,
    proxy_exceptions,
    proxy_variable,
)
from url_downloader.shared.errors import ConfigError


def check_proxy_trust(
    dial: DialSettings, proxy: str | None, *, environment: Mapping[str, str]
) -> None:
    """Check that no proxy looks up names itself if addresses are forbidden.

    Args:
        dial: Settings with the forbidden addresses.
        proxy: URL of the proxy for all servers; None if the environment decides.
        environment: Environment variables.

    Raises:
        ConfigError: There is such a proxy, and the settings do not trust it.
    """
    if dial.guard_flag is None or dial.is_proxy_trusted:
        return
    if proxy is not None:
        source, remedy = "--proxy", "use a proxy for socks5, or allow it with --trust-proxy"
        is_refused = parse_proxy(proxy).chooses_address
    else:
        name = _refused_variable(environment)
        source, remedy = name or "", "set NO_PROXY='*', or allow it with --trust-proxy"
        is_refused = name is not None
    if is_refused:
        raise ConfigError(
            f"{source}: this proxy looks up names itself, so that {dial.guard_flag} can't check"
            f" their addresses; {remedy}"
        )


def _refused_variable(environment: Mapping[str, str]) -> str | None:
    """Return the name of a variable with a proxy that looks up names itself; None if none."""
    if excepts_all(proxy_exceptions(environment)):
        return None
    for scheme in ("http", "https"):
        name = proxy_variable(scheme, environment)
        if name is not None and _chooses_address(environment[name]):
            return name
    return None


def _chooses_address(proxy: str) -> bool:
    try:
        return parse_proxy(proxy).chooses_address
    except ValueError:
        return False  # each request that would need this proxy fails
