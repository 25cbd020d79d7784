"""Real forward proxies on loopback ports, HTTP with CONNECT and SOCKS, that need a login.

They record each request that they make for a client, and the first bytes of each tunnel.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
import select
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "127.0.0.1"
USER, PASSWORD = "ann", "pr0xy-secret"
_ABSOLUTE = re.compile(r"http://([^/?#@]+)(/.*)")
_HOP_FIELDS = ("proxy-authorization", "proxy-connection", "connection")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A running proxy.

    Args:
        scheme: Scheme of its URL.
        port: Port that it listens on.
        password: Password that it needs.
        refusal: Status of all its replies; 0 = it serves. In SOCKS, a reply code.
        hosts: In SOCKS, addresses to connect to in place of some hosts.
        is_slow: In SOCKS, whether the bytes of its answers are sent one by one.
        asked: All requests that came, with a valid login or without.
        served: Requests that it served: `GET URL`, `CONNECT host:port`.
        heads: Heads of the requests that it made for clients, as they came, and the first
            bytes of each tunnel.
    """

    scheme: str
    port: int
    password: bytes = PASSWORD.encode()
    refusal: int = 0
    hosts: Mapping[str, str] = field(default_factory=dict)
    is_slow: bool = False
    asked: list[str] = field(default_factory=list)
    served: list[str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)

    def url(self, *, password: str | None = PASSWORD, scheme: str | None = None) -> str:
        """Return its URL, with the login that it needs."""
        login = f"{USER}:{password}@" if password else ""
        return f"{scheme or self.scheme}://{login}{HOST}:{self.port}"


@contextmanager
def http_proxy(tls: ssl.SSLContext | None = None, **options: Any) -> Iterator[Proxy]:
    """Yield a proxy for HTTP; with a context, clients connect to it by TLS."""
    server = ThreadingHTTPServer((HOST, 0), _HttpHandler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    with _running(server, "https" if tls else "http", **options) as proxy:
        yield proxy


@contextmanager
def socks_proxy(**options: Any) -> Iterator[Proxy]:
    """Yield a proxy for SOCKS 5 (RFC 1928) with passwords (RFC 1929), and SOCKS 4 and 4a."""
    server = socketserver.ThreadingTCPServer((HOST, 0), _SocksHandler)
    with _running(server, "socks5h", **options) as proxy:
        yield proxy


@contextmanager
def _running(server: Any, scheme: str, **options: Any) -> Iterator[Proxy]:
    server.proxy = Proxy(scheme=scheme, port=server.server_address[1], **options)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="proxy")
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        if self._is_welcome():
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host.strip("[]"), int(port))) as remote:
                self.send_response(200)
                self.end_headers()
                _relay(self.connection, remote, heads=self._proxy.heads)
            self.close_connection = True

    def do_GET(self) -> None:
        if not self._is_welcome():
            return
        asked = _ABSOLUTE.fullmatch(self.path)
        assert asked is not None, self.path
        host, _, port = asked[1].rpartition(":")
        self._proxy.heads.append(f"{self.requestline}\r\n{self.headers}".encode("latin-1"))
        fields = [(k, v) for k, v in self.headers.items() if k.lower() not in _HOP_FIELDS]
        lines = [f"GET {asked[2]} HTTP/1.1", *(f"{k}: {v}" for k, v in fields)]
        with socket.create_connection((host, int(port))) as remote:
            remote.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
            with http.client.HTTPResponse(remote) as reply:
                reply.begin()
                body = reply.read()
        self.send_response_only(reply.status)
        for name, value in reply.getheaders():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _is_welcome(self) -> bool:
        login = base64.b64encode(USER.encode() + b":" + self._proxy.password).decode()
        self._proxy.asked.append(f"{self.command} {self.path}")
        if self._proxy.refusal:
            status = self._proxy.refusal
        elif self.headers.get("Proxy-Authorization") == f"Basic {login}":
            self._proxy.served.append(f"{self.command} {self.path}")
            return True
        else:
            status = 407
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    @property
    def _proxy(self) -> Proxy:
        proxy: Proxy = self.server.proxy  # type: ignore[attr-defined]
        return proxy

    def log_message(self, *_: Any) -> None:
        pass


class _SocksHandler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        if self.rfile.read(1) == b"\4":
            self._handle_4()
        elif self._lets_in():
            self._handle_5()

    def _handle_4(self) -> None:
        _, port, address, user = *self._read("!BH4s"), self._terminated()
        is_name = address[:3] == bytes(3)
        host = self._terminated().decode() if is_name else socket.inet_ntoa(address)
        self._proxy.asked.append("request")
        is_welcome = user == USER.encode()
        code = self._proxy.refusal or (0x5A if is_welcome else 0x5B)
        self._serve(host, port, reply=bytes([0, code]) + bytes(6), is_granted=code == 0x5A)

    def _lets_in(self) -> bool:
        methods = self._counted()
        self._proxy.asked.append("greeting")
        if 2 not in methods:
            self._say(b"\5\xff")
            return False
        self._say(b"\5\2")
        assert self.rfile.read(1) == b"\1"
        is_welcome = [self._counted(), self._counted()] == [USER.encode(), self._proxy.password]
        self._say(b"\1\0" if is_welcome else b"\1\1")
        return is_welcome

    def _handle_5(self) -> None:
        *_, kind = self.rfile.read(4)
        if kind == 3:
            host = self._counted().decode()
        else:
            family, size = {1: (socket.AF_INET, 4), 4: (socket.AF_INET6, 16)}[kind]
            host = socket.inet_ntop(family, self.rfile.read(size))
        (port,) = self._read("!H")
        code = self._proxy.refusal
        self._serve(host, port, reply=bytes([5, code, 0, 1]) + bytes(6), is_granted=not code)

    def _serve(self, host: str, port: int, *, reply: bytes, is_granted: bool) -> None:
        if not is_granted:
            self._say(reply)
            return
        self._proxy.served.append(f"CONNECT {host}:{port}")
        address = self._proxy.hosts.get(host, host)
        with socket.create_connection((address, port)) as remote:
            self._say(reply)
            _relay(self.connection, remote, heads=self._proxy.heads)

    def _say(self, answer: bytes) -> None:
        size = 1 if self._proxy.is_slow else len(answer)
        for start in range(0, len(answer), size):
            self.wfile.write(answer[start : start + size])

    def _read(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self.rfile.read(struct.calcsize(form)))

    def _counted(self) -> bytes:
        return self.rfile.read(self.rfile.read(1)[0])

    def _terminated(self) -> bytes:
        return b"".join(iter(lambda: self.rfile.read(1), b"\0"))

    @property
    def _proxy(self) -> Proxy:
        proxy: Proxy = self.server.proxy  # type: ignore[attr-defined]
        return proxy


def _relay(one: socket.socket, other: socket.socket, *, heads: list[bytes]) -> None:
    """Relay bytes both ways until one side ends; note the first bytes of `one`."""
    is_begun = False
    with contextlib.suppress(OSError):
        while True:
            waiting = isinstance(one, ssl.SSLSocket) and one.pending()
            readable = [one] if waiting else select.select([one, other], [], [])[0]
            for source in readable:
                data = source.recv(1 << 16)
                if not data:
                    return
                if source is one and not is_begun:
                    is_begun = True
                    heads.append(data)
                (other if source is one else one).sendall(data)
