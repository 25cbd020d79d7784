"""A connector: it opens connections along a route, direct or through a proxy, with TLS or not.

The steps of `Connector.connect`:

1. The dialler connects to the server, or to the proxy. With an HTTPS proxy, TLS follows.
2. A SOCKS proxy, or the CONNECT of an HTTP proxy, makes a tunnel to the server. An HTTP proxy
   that forwards the requests, those for http origins, needs none.
3. For an https origin, TLS follows; within the TLS of an HTTPS proxy, if there is one.
"""

from __future__ import annotations

import functools
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from math import inf

from url_downloader.config.proxies import Proxy, proxy_fields
from url_downloader.network.connection import Connection, Stream
from url_downloader.network.dialler import Dialler
from url_downloader.network.errors import TRANSFER_ERRORS, connect_error, proxy_error
from url_downloader.network.paced_connection import PacedConnection
from url_downloader.network.rate_limit import RateLimiter
from url_downloader.network.request_head import header_block, request_line
from url_downloader.network.resolver import Host
from url_downloader.network.route import Route
from url_downloader.network.socks import make_socks_tunnel
from url_downloader.network.tls import TlsConfig, TlsWithinTls, ssl_context
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.http_semantics import status_failure
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Phase
from url_downloader.shared.url_parts import Origin

_LEAST_SECONDS = 0.01
"""Seconds; least value of the remaining time, because a timeout of 0 would not wait at all."""


class Connector:
    """Connector of all workers of a run.

    Args:
        dialler: Dialler of servers and proxies.
        tls: TLS configuration of the run.
        limiter: Rate limit of the run; None if there is none.
        is_capped: Function that tells whether the user limits the connections to an origin.

    Threads: any.
    """

    def __init__(
        self,
        dialler: Dialler,
        tls: TlsConfig,
        *,
        limiter: RateLimiter | None = None,
        is_capped: Callable[[Origin], bool] = lambda _: False,
    ) -> None:
        self._dialler = dialler
        self._tls = tls
        self._limiter = limiter
        self._is_capped = is_capped

    def can_reach_last(self) -> bool:
        """Tell whether the address that was connected last can be connected now."""
        return self._dialler.can_reach_last()

    def connect(self, route: Route, *, control: AttemptControl, seconds: float) -> Connection:
        """Return a new connection.

        Args:
            route: Route of the connection.
            control: Control whose abort ends the connecting.
            seconds: Upper bound for the time; 0 = none.

        Raises:
            AttemptError: No connection was made, or the attempt was aborted.
        """
        control.enter(Phase.CONNECTING)
        deadline = time.monotonic() + seconds if seconds else inf
        with COMPUTE_TURN.released(), ExitStack() as opened:
            opening = _Opening(
                route, self._dialler, control=control, deadline=deadline, opened=opened
            )
            is_capped, make = self._is_capped(route.origin), self._connection_type(control)
            try:
                connection = opening.run(self._tls, make, is_capped=is_capped)
            except (AttemptError, *TRANSFER_ERRORS) as error:
                raise control.failure() or connect_error(error, seconds=seconds) from error
            finally:
                # Before `opened` closes the sockets.
                control.release()
            opened.pop_all()
        return connection

    def _connection_type(self, control: AttemptControl) -> Callable[..., Connection]:
        """Return the class of the connection; with a rate limit, and its further arguments."""
        limiter = self._limiter
        if limiter is None:
            return Connection
        # Asked for before the socket is made: the limit may be switched off meanwhile.
        is_small = limiter.receive_buffer() > 0
        return functools.partial(
            PacedConnection, limiter=limiter, control=control, has_small_buffer=is_small
        )


class _Opening:
    """One connection that is being opened.

    Args:
        route: Route of the connection.
        dialler: Dialler of servers and proxies.
        control: Control whose abort ends the connecting.
        deadline: Monotonic time at which it ends; infinite for none.
        opened: Stack that closes the sockets if the connecting fails.
    """

    def __init__(
        self,
        route: Route,
        dialler: Dialler,
        *,
        control: AttemptControl,
        deadline: float,
        opened: ExitStack,
    ) -> None:
        self._route = route
        self._dialler = dialler
        self._control = control
        self._deadline = deadline
        self._opened = opened

    def run(
        self, tls: TlsConfig, make: Callable[..., Connection], *, is_capped: bool
    ) -> Connection:
        """Return the connection; see `Connector.connect` for its errors."""
        (scheme, host, port), proxy, shows_cert = self._route
        base: socket.socket
        if proxy is None:
            base = self._dial((host, port), is_single=is_capped)
        elif proxy.is_socks:
            base = self._open_through_socks(proxy)
        else:
            base = self._open_to_http_proxy(proxy, tls)
        stream: Stream = base
        if scheme == "https":
            context = ssl_context(tls if shows_cert else tls.anonymous)
            if isinstance(base, ssl.SSLSocket):
                stream = TlsWithinTls(base, context, name=_tls_name(host))
            else:
                stream = base = self._secured(base, context, host=host)
        connection = make(stream, base, route=self._route)
        _reject_early_bytes(connection)
        return connection

    def _dial(
        self, host: Host, *, is_proxy: bool = False, is_single: bool = False
    ) -> socket.socket:
        sock = self._dialler.connect(
            host,
            control=self._control,
            deadline=self._deadline,
            is_proxy=is_proxy,
            is_single=is_single,
        )
        self._opened.callback(sock.close)
        return sock

    def _open_through_socks(self, proxy: Proxy) -> socket.socket:
        destination = self._socks_destination(proxy)
        with _proxy_errors(proxy):
            sock = self._dial((proxy.host, proxy.port), is_proxy=True)
            sock.settimeout(self._seconds_left())
            make_socks_tunnel(sock, proxy, destination=destination)
        sock.settimeout(None)
        return sock

    def _socks_destination(self, proxy: Proxy) -> Host:
        """Return what a SOCKS proxy is asked for: name or address of the server, and port."""
        host = self._route.origin[1:]
        if proxy.looks_up:
            return host
        found = self._dialler.addresses(host, control=self._control, deadline=self._deadline)
        if proxy.scheme == "socks4":
            # It has no IPv6.
            found = sorted(found, key=lambda address: address[0] != socket.AF_INET)
        chosen: Host = found[0][4][:2]
        return chosen

    def _open_to_http_proxy(self, proxy: Proxy, tls: TlsConfig) -> socket.socket:
        with _proxy_errors(proxy):
            sock = self._dial((proxy.host, proxy.port), is_proxy=True)
            if proxy.scheme == "https":
                sock = self._secured(sock, ssl_context(tls.anonymous), host=proxy.host)
            if not self._route.is_forwarded:
                self._make_tunnel(sock, proxy)
        return sock

    def _make_tunnel(self, sock: socket.socket, proxy: Proxy) -> None:
        """Request a tunnel from an HTTP proxy (RFC 9110 §9.3.6)."""
        _, host, port = self._route.origin
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        fields = header_block({"Host": authority, **proxy_fields(proxy)})
        connection = Connection(sock, sock, route=self._route)
        connection.set_timeout(self._seconds_left())
        connection.send(b"%b%b\r\n" % (request_line("CONNECT", authority), fields))
        head = connection.read_head(self._control)
        # It took the turn to parse the head. The TLS handshake is a wait for the network.
        COMPUTE_TURN.release()
        if not 200 <= head.status < 300:
            kind, reason = status_failure(head.status, head.fields)
            is_temporary = kind is ErrorKind.SERVER_ERROR
            raise AttemptError(
                ErrorKind.PROXY if is_temporary else ErrorKind.PROXY_REFUSED,
                f"the proxy makes no tunnel: {reason}",
            )
        if connection.buffered:
            raise AttemptError(ErrorKind.MALFORMED, "bytes followed the reply to CONNECT")
        connection.set_timeout(None)

    def _secured(
        self, sock: socket.socket, context: ssl.SSLContext, *, host: str
    ) -> ssl.SSLSocket:
        self._control.release()
        secure = context.wrap_socket(
            sock,
            server_hostname=_tls_name(host),
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
        self._opened.callback(secure.close)
        self._control.hold(secure)
        secure.settimeout(self._seconds_left())
        secure.do_handshake()
        return secure

    def _seconds_left(self) -> float | None:
        left = self._deadline - time.monotonic()
        return None if left == inf else max(_LEAST_SECONDS, left)


def _tls_name(host: str) -> str:
    """Return the name of a server as its certificate has it: no final dot, no IPv6 zone."""
    return host.partition("%")[0].rstrip(".")


def _reject_early_bytes(connection: Connection) -> None:
    """Raise an AttemptError if the server sent bytes before the request."""
    # With TLS, early bytes are normal: session tickets. A readable socket without bytes was
    # closed by the server; the request will fail then.
    is_readable = connection.is_plain and not connection.is_idle
    if is_readable and connection.base.recv(1, socket.MSG_PEEK):
        message = "the server sent bytes before the request"
        raise AttemptError(ErrorKind.PREMATURE_REPLY, message)


@contextmanager
def _proxy_errors(proxy: Proxy) -> Iterator[None]:
    """Raise errors in the block as those of a proxy."""
    try:
        yield
    except (AttemptError, *TRANSFER_ERRORS) as error:
        raise proxy_error(error, proxy) from error
