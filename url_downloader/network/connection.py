"""A connection that other threads can abort, and that connects within one limit of time.

It sends requests and reads the heads of replies, over urllib3's class for connections. Look-ups
of host names run in other threads, so that it can stop waiting for them.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
)
from urllib3.util.ssltransport import SSLTransport

from url_downloader.network.message_head import ExchangeError, header_block, request_line
from url_downloader.network.strict_response import StrictResponse
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.http_semantics import status_failure
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Address, LookUp, Phase

_POLL_SECONDS = 0.05
"""Seconds between two checks, during a look-up, whether the attempt has been aborted."""
_MIN_CONNECT_SECONDS = 0.01
"""Seconds; least value of the remaining time, because a timeout of 0 would not wait at all."""


class AbortableConnection(HTTPConnection):
    """Connection whose socket an AttemptControl can shut down; its replies are strict.

    The attributes are set after construction, because urllib3 fixes the arguments of __init__.

    Attributes:
        control: Control of the worker's attempts.
        look_up: Function that starts a look-up of a host.
        tunnel_fields: Header fields of the request for a tunnel, besides Host.

    Threads: one at a time; `control` aborts from any thread.
    """

    control: AttemptControl
    look_up: LookUp
    tunnel_fields: Mapping[str, str | bytes] = MappingProxyType({})
    # The fields of the last request with their bytes: most requests use the same object.
    _last_fields: Mapping[str, str | bytes] | None = None
    _last_block = b""

    def connect(self) -> None:
        """Look up the host, connect, and do the TLS handshake.

        `timeout` limits the first two steps together; the watchdog limits all three.

        Raises:
            ExchangeError: The server sent bytes before the request, or the proxy refuses the
                tunnel.
            OSError, HTTPError: No connection was made.
        """
        self.control.enter(Phase.CONNECTING)
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            if self.proxy is not None and not self.has_connected_to_proxy:
                raise ProxyError("no connection to the proxy", error) from error
            if isinstance(error, TimeoutError):
                raise ConnectTimeoutError(self, "TLS handshake timed out") from error
            raise
        self.control.enter(Phase.WAITING)
        # With TLS, early bytes are normal: session tickets.
        if not isinstance(self.sock, ssl.SSLSocket | SSLTransport):
            _reject_early_bytes(self.sock)
        self._poll = _poll_of(self.sock)

    @property
    def is_connected(self) -> bool:
        """Tell whether the connection can be used: it is open and has no unrequested bytes."""
        return self.sock is not None and not self._poll.poll(0)

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        body: None = None,
        headers: Mapping[str, str | bytes] | None = None,
        **_: Any,
    ) -> None:
        """Send a request, after connecting if that is necessary.

        It takes one system call, and a tenth of the time of `http.client`.

        Args:
            method: Method of the request.
            url: Path and query; an absolute URL for a proxy that forwards the request.
            body: Always None: requests have no body.
            headers: Header fields; Host is added if it is missing.
        """
        self.control.enter(Phase.WAITING)
        if self.sock is None:
            with COMPUTE_TURN.released():
                self.connect()
        # An SSLTransport, for TLS within the TLS of a proxy, is not a socket but has one.
        self.control.hold(getattr(self.sock, "socket", self.sock))
        head = request_line(method, url) + self._header_block(headers or {}, url)
        # The server may have sent a reply before it closed the connection.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(head)

    def read_response(self) -> StrictResponse:
        """Return the response, whose head has been read.

        The caller must read its body before the next request.

        Raises:
            OSError, HTTPException: No valid head arrived.
        """
        # Setting the timeout is a system call, so it is set only if it differs.
        if self.sock.gettimeout() != self.timeout:
            self.sock.settimeout(self.timeout)
        response = self.response_class(self.sock, method="GET")
        try:
            response.begin()
        except BaseException:
            response.close()
            raise
        if response.will_close:
            # The response keeps the socket open until its body is read.
            self.close()
        return response

    def _header_block(self, fields: Mapping[str, str | bytes], url: str) -> bytes:
        if fields is not self._last_fields:
            has_host = any(name.lower() == "host" for name in fields)
            host = {} if has_host else {"Host": self._host_field(url)}
            self._last_block = header_block({**host, **fields})
            self._last_fields = fields
        return self._last_block

    def _host_field(self, url: str) -> str:
        """Return the value of the Host field (RFC 9110 §7.2)."""
        if not url.startswith("/"):
            return urlsplit(url).netloc
        # With a tunnel, `host` and `port` are those of the proxy.
        name, port = self._tunnel_host or self.host, self._tunnel_port or self.port
        host = f"[{name}]" if ":" in name and not name.startswith("[") else name
        return host if port == self.default_port else f"{host}:{port}"

    def response_class(self, *args: Any, **kwargs: Any) -> StrictResponse:  # type: ignore[override]
        """Return a response that reads from this connection; urllib3 expects this name."""
        return StrictResponse(
            *args, on_begun=self._on_begun, on_bytes=self.control.add_other_bytes, **kwargs
        )

    def _on_begun(self) -> None:
        self.control.enter(Phase.REPLYING)

    def _tunnel(self) -> None:
        """Request a tunnel from the proxy (RFC 9110 §9.3.6).

        Raises:
            ProxyError: The proxy gave no valid reply.
            ExchangeError: The proxy refuses, now or for good; the kind says which.
        """
        name, port = self._tunnel_host or "", self._tunnel_port
        authority = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
        fields = header_block({"Host": authority, **self.tunnel_fields})
        try:
            self.sock.sendall(request_line("CONNECT", authority) + fields)
            response = StrictResponse(self.sock, method="CONNECT")
            try:
                response.begin()
            finally:
                response.close()
        except (OSError, HTTPException) as error:
            raise ProxyError("no tunnel", error) from error
        if not 200 <= response.status < 300:
            kind, reason = status_failure(response.status, response.headers)
            is_final = kind in (ErrorKind.CLIENT_ERROR, ErrorKind.PROXY_REFUSED)
            raise ExchangeError(
                ErrorKind.PROXY_REFUSED if is_final else ErrorKind.PROXY,
                f"the proxy makes no tunnel: {reason}",
            )

    def _new_conn(self) -> socket.socket:
        timeout = self.timeout if isinstance(self.timeout, int | float) else None
        try:
            return self._connect_to_any(time.monotonic() + timeout if timeout else None)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "connecting timed out") from error
        except OSError as error:
            raise NewConnectionError(self, "no connection") from error

    def _connect_to_any(self, deadline: float | None) -> socket.socket:
        """Return a socket connected to the first address that accepts a connection.

        Each address but the last may take half of the remaining time.
        """
        addresses = self._addresses(deadline)
        for address in addresses[:-1]:
            rest = _seconds_left(deadline)
            try:
                return self._connect_to(address, rest and rest / 2)
            except OSError:
                if self.control.failure():
                    raise
        return self._connect_to(addresses[-1], _seconds_left(deadline))

    def _addresses(self, deadline: float | None) -> Sequence[Address]:
        return self._resolve(self._dns_host.strip("[]"), self.port, deadline=deadline)

    def _resolve(self, host: str, port: int, *, deadline: float | None) -> Sequence[Address]:
        pending = self.look_up(host, port)
        while not pending.wait(_POLL_SECONDS):
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError
            if (failure := self.control.failure()) is not None:
                raise OSError(str(failure))
        return pending.addresses()

    def _connect_to(self, address: Address, seconds: float | None) -> socket.socket:
        sock = self._socket_for(address)
        try:
            for option in self.socket_options or ():
                sock.setsockopt(*option)
            # Held before connect(), so that an abort ends the connecting, too.
            self.control.hold(sock)
            sock.settimeout(seconds)
            sock.connect(self._endpoint(address))
        except BaseException:
            self.control.release()
            sock.close()
            raise
        return sock

    def _socket_for(self, address: Address) -> socket.socket:
        family, kind, protocol, _, _ = address
        return socket.socket(family, kind, protocol)

    def _endpoint(self, address: Address) -> Any:
        """Return the argument for `connect` of a socket for this address."""
        return address[4]


def _seconds_left(deadline: float | None) -> float | None:
    return None if deadline is None else max(_MIN_CONNECT_SECONDS, deadline - time.monotonic())


def _poll_of(sock: socket.socket) -> select.poll:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll


def _reject_early_bytes(sock: socket.socket) -> None:
    """Raise an ExchangeError if the server sent bytes before the request."""
    # A readable socket without bytes was closed by the server; the request will fail then.
    if _poll_of(sock).poll(0) and sock.recv(1, socket.MSG_PEEK):
        raise ExchangeError(
            ErrorKind.PREMATURE_REPLY, "the server sent bytes before the request"
        )
