"""Connections that a cutoff holds, and that are made within one limit of time.

Knows nothing of requests and replies. Waits for a look-up that another thread makes.
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

from url_downloader.network.message_head import WireError, header_block, request_line
from url_downloader.network.strict_response import StrictResponse
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.http_semantics import status_failure
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Address, LookUp, Phase

_SLICE = 0.05
"""Seconds after which one that waits for a look-up looks whether the attempt is over."""
_AT_LEAST = 0.01
"""Seconds that each address gets, however late it is."""


class AbortableConnection(HTTPConnection):
    """A connection whose replies are strict and that its transport's cutoff holds."""

    control: AttemptControl
    look_up: LookUp
    # For the proxy that makes a tunnel.
    tunnel_fields: Mapping[str, str | bytes] = MappingProxyType({})
    # Those of most requests are one and the same object.
    _last_fields: Mapping[str, str | bytes] | None = None
    _last_block = b""

    def connect(self) -> None:
        """Look up, connect and shake hands; `timeout` is for the first two together.

        Raises:
            WireError: the server talks before it is asked.
        """
        self.control.enter(Phase.CONNECTING)
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            if self.proxy is not None and not self.has_connected_to_proxy:
                raise ProxyError("no connection to the proxy", error) from error
            if isinstance(error, TimeoutError):
                raise ConnectTimeoutError(self, "TLS too late") from error
            raise
        self.control.enter(Phase.WAITING)
        # TLS brings session tickets unasked.
        if not isinstance(self.sock, ssl.SSLSocket | SSLTransport):
            _expect_silence(self.sock)
        self._poll = _poll_of(self.sock)

    @property
    def is_connected(self) -> bool:
        """Whether it can be used: it is open, and nothing has come that nobody asked for."""
        return self.sock is not None and not self._poll.poll(0)

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        body: None = None,
        headers: Mapping[str, str | bytes] | None = None,
        **_: Any,
    ) -> None:
        """Send a request without a body, in one piece; `http.client` takes ten times as long.

        Args:
            method: of the request.
            url: its target; absolute where a proxy is asked.
            body: none.
            headers: all that are sent, if need be without Host.
        """
        self.control.enter(Phase.WAITING)
        if self.sock is None:
            with COMPUTE_TURN.released():
                self.connect()
        # TLS within that of a proxy is no socket, but has one.
        self.control.hold(getattr(self.sock, "socket", self.sock))
        head = request_line(method, url) + self._header_block(headers or {}, url)
        # What the server has said before it hung up is still to be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(head)

    def reply(self) -> StrictResponse:
        """The head of the reply; the body is to be read before the next request is sent."""
        # To set it is a system call.
        if self.sock.gettimeout() != self.timeout:
            self.sock.settimeout(self.timeout)
        reply = self.response_class(self.sock, method="GET")
        try:
            reply.begin()
        except BaseException:
            reply.close()
            raise
        if reply.will_close:
            # The reply has it now.
            self.close()
        return reply

    def _header_block(self, fields: Mapping[str, str | bytes], url: str) -> bytes:
        if fields is not self._last_fields:
            has_host = any(name.lower() == "host" for name in fields)
            host = {} if has_host else {"Host": self._host_field(url)}
            self._last_block = header_block({**host, **fields})
            self._last_fields = fields
        return self._last_block

    def _host_field(self, url: str) -> str:
        """The value of Host (RFC 9110 §7.2)."""
        if not url.startswith("/"):
            return urlsplit(url).netloc
        # Through a proxy's tunnel, `host` and `port` are the proxy's.
        name, port = self._tunnel_host or self.host, self._tunnel_port or self.port
        host = f"[{name}]" if ":" in name and not name.startswith("[") else name
        return host if port == self.default_port else f"{host}:{port}"

    def response_class(self, *args: Any, **kwargs: Any) -> StrictResponse:  # type: ignore[override]
        """The reply that comes on this connection."""
        return StrictResponse(
            *args, on_begun=self._note_reply, on_bytes=self.control.add_other_bytes, **kwargs
        )

    def _note_reply(self) -> None:
        self.control.enter(Phase.REPLYING)

    def _tunnel(self) -> None:
        """Ask the proxy for a tunnel (RFC 9110 §9.3.6).

        Raises:
            ProxyError: the proxy does not answer as one.
            WireError: it refuses.
        """
        name, port = self._tunnel_host or "", self._tunnel_port
        place = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
        fields = header_block({"Host": place, **self.tunnel_fields})
        try:
            self.sock.sendall(request_line("CONNECT", place) + fields)
            reply = StrictResponse(self.sock, method="CONNECT")
            try:
                reply.begin()
            finally:
                reply.close()
        except (OSError, HTTPException) as error:
            raise ProxyError("no tunnel", error) from error
        if not 200 <= reply.status < 300:
            kind, reason = status_failure(reply.status, reply.headers)
            is_final = kind in (ErrorKind.CLIENT_ERROR, ErrorKind.PROXY_REFUSED)
            raise WireError(
                ErrorKind.PROXY_REFUSED if is_final else ErrorKind.PROXY,
                f"the proxy makes no tunnel: {reason}",
            )

    def _new_conn(self) -> socket.socket:
        timeout = self.timeout if isinstance(self.timeout, int | float) else None
        try:
            return self._dial(time.monotonic() + timeout if timeout else None)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "too late") from error
        except OSError as error:
            raise NewConnectionError(self, "no connection") from error

    def _dial(self, deadline: float | None) -> socket.socket:
        """A connection to the first address that takes one.

        Each address but the last gets half of the time that is left.
        """
        addresses = self._addresses(deadline)
        for address in addresses[:-1]:
            rest = _rest(deadline)
            try:
                return self._connect_to(address, rest and rest / 2)
            except OSError:
                if self.control.failure():
                    raise
        return self._connect_to(addresses[-1], _rest(deadline))

    def _addresses(self, deadline: float | None) -> Sequence[Address]:
        return self._find(self._dns_host.strip("[]"), self.port, deadline=deadline)

    def _find(self, host: str, port: int, *, deadline: float | None) -> Sequence[Address]:
        pending = self.look_up(host, port)
        while not pending.wait(_SLICE):
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
            # Held before it connects: an abort must not wait for that.
            self.control.hold(sock)
            sock.settimeout(seconds)
            sock.connect(self._place(address))
        except BaseException:
            self.control.release()
            sock.close()
            raise
        return sock

    def _socket_for(self, address: Address) -> socket.socket:
        family, kind, protocol, _, _ = address
        return socket.socket(family, kind, protocol)

    def _place(self, address: Address) -> Any:
        """What a socket for this address is connected to."""
        return address[4]


def _rest(deadline: float | None) -> float | None:
    return None if deadline is None else max(_AT_LEAST, deadline - time.monotonic())


def _poll_of(sock: socket.socket) -> select.poll:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll


def _expect_silence(sock: socket.socket) -> None:
    """Raise WireError if the server has sent something already."""
    # What is there may also be the end of the connection, which the request will meet.
    if _poll_of(sock).poll(0) and sock.recv(1, socket.MSG_PEEK):
        raise WireError(
            ErrorKind.PREMATURE_REPLY, "the server sent something before it was asked"
        )
