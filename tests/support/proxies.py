"""Real forward proxies on loopback ports, HTTP with CONNECT and SOCKS 5, that want a login."""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOST = "127.0.0.1"
USER, PASSWORD = "ann", "pr0xy-secret"
_EXPECTED = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_HOP_FIELDS = ("proxy-authorization", "proxy-connection", "connection")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A running proxy.

    Args:
        scheme: of its URL.
        port: where it listens.
        served: what it was asked for and did: `GET URL`, `CONNECT host:port`.
    """

    scheme: str
    port: int
    served: list[str] = field(default_factory=list)

    def url(self, *, password: str | None = PASSWORD, scheme: str | None = None) -> str:
        """Its URL, with the login that it asks for."""
        login = f"{USER}:{password}@" if password else ""
        return f"{scheme or self.scheme}://{login}{HOST}:{self.port}"


@contextmanager
def http_proxy(tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """A proxy for HTTP, that is spoken to by TLS if there is a context for it."""
    server = ThreadingHTTPServer((HOST, 0), _HttpHandler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    with _running(server, "https" if tls else "http") as proxy:
        yield proxy


@contextmanager
def socks_proxy() -> Iterator[Proxy]:
    """A proxy for SOCKS 5 (RFC 1928) with passwords (RFC 1929)."""
    with _running(
        socketserver.ThreadingTCPServer((HOST, 0), _SocksHandler), "socks5h"
    ) as proxy:
        yield proxy


@contextmanager
def _running(server: Any, scheme: str) -> Iterator[Proxy]:
    server.proxy = Proxy(scheme=scheme, port=server.server_address[1])
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
            with socket.create_connection((host, int(port))) as remote:
                self.send_response(200)
                self.end_headers()
                _relay(self.connection, remote)
            self.close_connection = True

    def do_GET(self) -> None:
        if not self._is_welcome():
            return
        parts = urlsplit(self.path)
        assert parts.hostname is not None
        connection = http.client.HTTPConnection(parts.hostname, parts.port or 80)
        fields = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_FIELDS}
        with contextlib.closing(connection):
            connection.request("GET", parts.path, headers=fields)
            reply = connection.getresponse()
            body = reply.read()
        self.send_response_only(reply.status)
        for name, value in reply.getheaders():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _is_welcome(self) -> bool:
        if self.headers.get("Proxy-Authorization") == _EXPECTED:
            self.server.proxy.served.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]
            return True
        self.send_response(407)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def log_message(self, *_: Any) -> None:
        pass


class _SocksHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        _, count = self.rfile.read(2)
        assert 2 in self.rfile.read(count)
        self.wfile.write(b"\5\2")
        assert self.rfile.read(1) == b"\1"
        login = [self._counted(), self._counted()]
        is_welcome = login == [USER.encode(), PASSWORD.encode()]
        self.wfile.write(b"\1\0" if is_welcome else b"\1\1")
        if not is_welcome:
            return
        *_, kind = self.rfile.read(4)
        host = self._counted().decode() if kind == 3 else socket.inet_ntoa(self.rfile.read(4))
        port = int.from_bytes(self.rfile.read(2), "big")
        self.server.proxy.served.append(f"CONNECT {host}:{port}")  # type: ignore[attr-defined]
        with socket.create_connection((host, port)) as remote:
            self.wfile.write(b"\5\0\0\1" + bytes(6))
            _relay(self.connection, remote)

    def _counted(self) -> bytes:
        return self.rfile.read(self.rfile.read(1)[0])


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one of them has ended."""
    with contextlib.suppress(OSError):
        while True:
            waiting = isinstance(one, ssl.SSLSocket) and one.pending()
            readable = [one] if waiting else select.select([one, other], [], [])[0]
            for source in readable:
                data = source.recv(1 << 16)
                if not data:
                    return
                (other if source is one else one).sendall(data)
