"""The objects that all clients of a run share, and the function that makes them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass

from url_downloader.config.dial_settings import AddressFamily, DialSettings
from url_downloader.config.host_settings import HostSettings
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import Settings
from url_downloader.network.address_guard import AddressGuard
from url_downloader.network.connection_pool import ConnectionPool
from url_downloader.network.connector import Connector
from url_downloader.network.cookies import Cookies, read_cookies
from url_downloader.network.dial_race import Endpoint
from url_downloader.network.dialler import Dialler
from url_downloader.network.logins import Logins, find_logins, read_logins
from url_downloader.network.rate_limit import RateLimiter
from url_downloader.network.request_plans import RequestPlans
from url_downloader.network.resolver import Resolver
from url_downloader.network.tls import TlsConfig, tls_config
from url_downloader.shared.descriptors import affordable_connections
from url_downloader.shared.errors import InputError
from url_downloader.shared.run_controls import NO_CONTROLS, RunControls
from url_downloader.shared.url_parts import Origin

log = logging.getLogger(__package__)

_FAMILIES = {
    AddressFamily.ANY: socket.AF_UNSPEC,
    AddressFamily.IPV4: socket.AF_INET,
    AddressFamily.IPV6: socket.AF_INET6,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientContext:
    """Configuration and state that all clients of a run share.

    Args:
        max_redirects: Upper bound for the redirects of one call.
        is_location_trusted: Whether redirects to other origins keep the user's header fields
            and credentials.
        plans: Plans of requests.
        cookies: Cookies of the run.
        pool: Connections of the run.
        connector: Connector for new connections.

    Threads: any.
    """

    max_redirects: int
    is_location_trusted: bool
    plans: RequestPlans
    cookies: Cookies
    pool: ConnectionPool
    connector: Connector

    def close(self) -> None:
        """Close all idle connections; each that becomes idle later is closed, too."""
        self.pool.close()


def client_context(settings: Settings, controls: RunControls = NO_CONTROLS) -> ClientContext:
    """Return the context for the settings of a run; read all files that they name.

    Args:
        settings: Settings of the run.
        controls: Functions that switch the rate limit off, and end the wait for a FIFO without
            data: the file counts as empty then.

    Raises:
        InputError: A file, or the address of --interface, can't be used.
    """
    server, workers = settings.server, settings.pool.max_workers
    should_stop = controls.should_stop
    if not server.is_verified:
        log.warning("--insecure: certificates are not checked; anyone can pose as a server")
    tls = tls_config(server, should_stop=should_stop)
    cookies = read_cookies(server.cookies, should_stop=should_stop) if server.cookies else ()
    max_open = affordable_connections(workers)
    return ClientContext(
        max_redirects=settings.transfer.max_redirects,
        is_location_trusted=settings.transfer.is_location_trusted,
        plans=RequestPlans(server, _logins(server, should_stop)),
        cookies=Cookies(cookies, keeps=server.keeps_cookies),
        pool=ConnectionPool(max_open=max_open, max_idle_per_route=workers),
        connector=_connector(settings, tls, controls=controls),
    )


def _connector(settings: Settings, tls: TlsConfig, *, controls: RunControls) -> Connector:
    rate, limiter = settings.run.limit_rate, None
    if rate:
        workers = settings.pool.max_workers
        limiter = RateLimiter(rate, workers=workers, is_wanted=controls.is_limited)
    dialler = _dialler(settings.dial, limiter)
    is_capped = _is_capped(settings.hosts)
    return Connector(dialler, tls, limiter=limiter, is_capped=is_capped)


def _is_capped(settings: HostSettings) -> Callable[[Origin], bool]:
    """Return a function that tells whether the connections to an origin are limited."""
    if not settings.has_limits:
        return lambda _: False
    return lambda origin: settings.limits_for(origin).connections > 0


def _dialler(settings: DialSettings, limiter: RateLimiter | None) -> Dialler:
    family, source = _FAMILIES[settings.family], None
    if settings.interface is not None:
        # From an IPv4 address, only IPv4 addresses can be reached.
        family = socket.AF_INET6 if ":" in settings.interface else socket.AF_INET
        source = _source(settings.interface, family=family)
    fixed = {(host.removesuffix("."), port): found for host, port, found in settings.resolve}
    return Dialler(
        Resolver(family=family, fixed=fixed),
        guard=AddressGuard(settings),
        source=source,
        receive_buffer=limiter.receive_buffer if limiter else lambda: 0,
    )


def _source(address: str, *, family: socket.AddressFamily) -> Endpoint:
    """Return what to bind sockets to; raise an InputError if the address is not there."""
    try:
        # Not (address, 0), which would lose the zone of a link-local address.
        endpoint = socket.getaddrinfo(address, 0, family, flags=socket.AI_NUMERICHOST)[0][4]
        with socket.socket(family) as sock:
            sock.bind(endpoint)
            return endpoint
    except OSError as error:
        message = f"--interface: no connection can come from {address}: {error.strerror}"
        raise InputError(message) from error


def _logins(settings: ServerSettings, should_stop: Callable[[], bool]) -> Logins:
    if not settings.uses_netrc:
        return Logins()
    if settings.netrc is not None:
        return read_logins(settings.netrc, should_stop=should_stop)
    return find_logins(should_stop=should_stop)
