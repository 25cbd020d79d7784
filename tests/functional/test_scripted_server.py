"""The scripted server, on which many other tests rely: it does what its scripts say."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme

from tests.support.scripted_server import (
    HOST,
    Cut,
    Delivery,
    Endless,
    Framing,
    Hold,
    Raw,
    Reply,
    Request,
    Reset,
    ScriptedServer,
    Stall,
    Trickle,
    Whole,
    chunked,
    flap,
)

BODY = b"0123456789"


@contextlib.contextmanager
def connected(server: ScriptedServer) -> Iterator[socket.socket]:
    """Yield a plain connection to the server; only a failing test reaches its timeout."""
    with socket.create_connection((HOST, server.port), timeout=30) as sock:
        yield sock


def ask(sock: socket.socket, target: str = "/x", *headers: str) -> None:
    """Send a request."""
    lines = [f"GET {target} HTTP/1.1", "Host: test", *headers, "", ""]
    sock.sendall("\r\n".join(lines).encode())


def read_exactly(sock: socket.socket, count: int) -> bytes:
    """Return `count` bytes; fewer only if the connection ends."""
    received = bytearray()
    while len(received) < count and (data := sock.recv(count - len(received))):
        received += data
    return bytes(received)


def read_all(sock: socket.socket) -> bytes:
    """Return all bytes up to the end of the connection."""
    return read_exactly(sock, 1 << 30)


def exchange(server: ScriptedServer, target: str = "/x") -> bytes:
    """Return the answer of the server to one request on a connection of its own."""
    with connected(server) as sock:
        ask(sock, target)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def statuses(server: ScriptedServer, count: int) -> list[int]:
    """Return the statuses of the answers to `count` requests in order."""
    return [int(exchange(server).split(b" ")[1]) for _ in range(count)]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(body=BODY), b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"),
        (Reply(status=404), b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        (Reply(status=799), b"HTTP/1.1 799 Unknown\r\nContent-Length: 0\r\n\r\n"),
        (Reply(status=204), b"HTTP/1.1 204 No Content\r\n\r\n"),
        (
            Reply(headers={"A": "1"}, keep_alive=False),
            b"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
        (
            Reply(body=BODY, framing=Framing.CHUNKED),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n%b\r\n0\r\n\r\n" % BODY,
        ),
        (
            Reply(
                body=BODY,
                framing=Framing.CLOSE,
                headers=[("Content-Length", "1"), ("Content-Length", "2")],
            ),
            b"HTTP/1.1 200 OK\r\n%b\r\nConnection: close\r\n\r\n%b"
            % (b"Content-Length: 1\r\nContent-Length: 2", BODY),
        ),
        (Raw(b"\0 garbage\n"), b"\0 garbage\n"),
    ],
)
def test_message(reply: Reply | Raw, message: bytes) -> None:
    """The bytes on the wire are those of the script."""
    with ScriptedServer({"/x": reply}) as server:
        assert exchange(server) == message


def test_chunked() -> None:
    """Chunks have the wanted size, and the last chunk is there."""
    assert chunked(BODY, size=4) == b"4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n0\r\n\r\n"
    assert chunked(b"") == b"0\r\n\r\n"


def test_script_in_order(server: ScriptedServer) -> None:
    """Actions are played in order, and the last one is repeated."""
    server.play("/x", Reply(status=500), Reply(status=404), Reply(status=200))
    assert statuses(server, 5) == [500, 404, 200, 200, 200]


def test_flap(server: ScriptedServer) -> None:
    """A flapping path fails so many times, and then plays its action."""
    server.play("/x", *flap(2, Reply()))
    assert statuses(server, 4) == [500, 500, 200, 200]


def test_new_script_starts_over(server: ScriptedServer) -> None:
    """A path can get another script while the server runs."""
    server.play("/x", Reply(status=500), Reply(status=501))
    assert statuses(server, 1) == [500]
    server.play("/x", Reply(status=202), Reply(status=203))
    assert statuses(server, 2) == [202, 203]


def test_query_chooses_script(server: ScriptedServer) -> None:
    """A script for a path with query beats that of the path; without a script it is 404."""
    server.play("/x", Reply(body=b"plain"))
    server.play("/x?a=1", Reply(body=b"with query"))
    assert exchange(server, "/x?a=1").endswith(b"with query")
    assert exchange(server, "/x?a=2").endswith(b"plain")
    assert exchange(server, "/y").startswith(b"HTTP/1.1 404 ")


def test_computed_reply(server: ScriptedServer) -> None:
    """A callable gets the request and makes the reply."""

    def part(request: Request) -> Reply:
        start = int((request.header("range") or "bytes=0-")[6:-1])
        return Reply(status=206, body=BODY[start:])

    server.play("/x", part)
    with connected(server) as sock:
        ask(sock, "/x", "Range: bytes=7-", "Connection: close")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock).endswith(b"\r\n\r\n789")


def test_requests_are_recorded(server: ScriptedServer) -> None:
    """Each request is kept with its headers, its connection and its place in the script."""
    server.play("/x", Reply(body=BODY))
    with connected(server) as sock:
        for target in ("/x?q", "/x"):
            ask(sock, target, "Accept: a", "accept: b")
            read_exactly(sock, len(Reply(body=BODY).message))
    exchange(server, "/x")
    exchange(server, "/other")
    first, second, third = server.requests("/x")
    assert (first.method, first.path, first.target) == ("GET", "/x", "/x?q")
    assert first.headers == (("Host", "test"), ("Accept", "a"), ("accept", "b"))
    assert first.header("ACCEPT") == "a"
    assert first.header("range") is None
    assert [r.connection for r in (first, second, third)] == [1, 1, 2]
    assert [r.ordinal for r in (first, second, third)] == [1, 2, 3]
    assert first.time <= second.time <= third.time
    assert (server.count("/x"), server.count(), server.connections) == (3, 4, 3)


@pytest.mark.parametrize("after", [0, 4, 10])
def test_cut(server: ScriptedServer, after: int) -> None:
    """A cut reply is so many bytes of its body and an orderly end."""
    reply = Reply(body=BODY, delivery=Cut(after))
    server.play("/x", reply)
    assert exchange(server) == reply.head + BODY[:after]


@pytest.mark.parametrize("after", [0, 4, 1 << 22])
def test_reset(server: ScriptedServer, after: int) -> None:
    """A reset reply is so many bytes of its body, all of which arrive, and an error."""
    reply = Reply(body=bytes(1 << 22), delivery=Reset(after))
    server.play("/x", reply)
    with connected(server) as sock:
        ask(sock)
        assert read_exactly(sock, len(reply.head) + after) == reply.head + reply.body[:after]
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_raw_counts_from_the_first_byte(server: ScriptedServer) -> None:
    """Raw bytes can be cut anywhere, also in the head."""
    server.play("/x", Raw(Reply(body=BODY).message, Cut(12)))
    assert exchange(server) == b"HTTP/1.1 200"


def test_stall(server: ScriptedServer) -> None:
    """A stalled reply stops, and ends when the client leaves."""
    reply = Reply(body=BODY, delivery=Stall(4))
    server.play("/x", reply)
    with connected(server) as sock:
        ask(sock)
        assert read_exactly(sock, len(reply.head) + 4) == reply.head + b"0123"
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_trickle(server: ScriptedServer) -> None:
    """A trickling reply comes whole in the end."""
    reply = Reply(body=BODY, delivery=Trickle(0.001, after=3))
    server.play("/x", reply)
    assert exchange(server) == reply.message


def test_hold(server: ScriptedServer) -> None:
    """A held reply waits for its event, and then goes on."""
    event = threading.Event()
    reply = Reply(body=BODY, delivery=Hold(event, after=4))
    server.play("/x", reply)
    with connected(server) as sock:
        ask(sock)
        assert read_exactly(sock, len(reply.head) + 4) == reply.head + b"0123"
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        event.set()
        sock.settimeout(30)
        assert read_exactly(sock, 6) == b"456789"


def test_endless(server: ScriptedServer) -> None:
    """An endless reply repeats its body until the client leaves."""
    reply = Reply(body=BODY, delivery=Endless(), framing=Framing.CLOSE)
    server.play("/x", reply)
    with connected(server) as sock:
        ask(sock)
        read_exactly(sock, len(reply.head))
        assert read_exactly(sock, 1_000_000) == BODY * 100_000


@pytest.mark.parametrize(
    "delivery",
    [Whole(), Stall(4), Trickle(3600), Hold(threading.Event()), Endless()],
    ids=lambda delivery: type(delivery).__name__,
)
def test_close_ends_everything(delivery: Delivery) -> None:
    """Hundreds of clients that neither read nor leave do not keep the server from closing."""
    reply = Reply(body=bytes(1 << 20), delivery=delivery)
    with contextlib.ExitStack() as clients:
        with ScriptedServer({"/x": reply}) as server:
            for _ in range(300):
                ask(clients.enter_context(connected(server)))
            server.wait_for_requests(300, "/x")
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name.startswith("scripted-")]


def test_port_is_reused() -> None:
    """A server can reuse a port at once, though clients of the former server are connected."""
    with contextlib.ExitStack() as clients:
        with ScriptedServer({"/x": Reply(delivery=Stall(0))}) as server:
            ask(clients.enter_context(connected(server)))
            server.wait_for_requests(1)
        with ScriptedServer({"/x": Reply(status=202)}, port=server.port) as again:
            assert statuses(again, 1) == [202]


def test_waiting_gives_up(server: ScriptedServer) -> None:
    """A wait for requests or connections that do not come raises TimeoutError."""
    with pytest.raises(TimeoutError, match="0 of 1 requests"):
        server.wait_for_requests(1, timeout=0)
    with pytest.raises(TimeoutError, match="0 of 1 connections"):
        server.wait_for_connections(1, timeout=0)


@pytest.mark.parametrize("error", [ValueError("oops"), OSError("oops")], ids=repr)
def test_broken_script_is_heard_of(error: Exception) -> None:
    """An error of a callable in a script is raised when the server is closed."""

    def broken(_: Request) -> Reply:
        raise error

    def use() -> None:
        with ScriptedServer({"/x": broken}) as server:
            assert exchange(server) == b""

    with pytest.raises(type(error), match="oops"):
        use()


@pytest.mark.parametrize("tls", [False, True])
def test_silent(tls: bool, tls_context: ssl.SSLContext) -> None:
    """A silent server accepts connections and sends nothing, not even a handshake."""
    with ScriptedServer(silent=True, tls=tls_context if tls else None) as server:
        assert server.url("/x").startswith("https://" if tls else "http://")
        with connected(server) as sock:
            ask(sock)
            server.wait_for_connections(1)
            sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                sock.recv(1)
        assert server.count() == 0


@pytest.mark.parametrize(
    ("reply", "is_orderly"),
    [(Reply(body=BODY, keep_alive=False), True), (Reply(body=BODY, delivery=Cut(10)), False)],
)
def test_tls_end(
    tls_server: ScriptedServer, ca: trustme.CA, reply: Reply, is_orderly: bool
) -> None:
    """In TLS a reply that closes ends with close_notify, and a cut one without."""
    tls_server.play("/x", reply)
    context = ssl.create_default_context()
    ca.configure_trust(context)
    with (
        connected(tls_server) as raw,
        context.wrap_socket(raw, server_hostname=HOST, suppress_ragged_eofs=False) as sock,
    ):
        ask(sock)
        assert read_exactly(sock, len(reply.message)) == reply.message
        if is_orderly:
            assert sock.recv(1) == b""
        else:
            with pytest.raises(ssl.SSLError, match=r"(?i)eof"):
                sock.recv(1)


def test_tls_without_handshake(tls_server: ScriptedServer) -> None:
    """A client without a handshake does not keep a TLS server from closing."""
    with connected(tls_server):
        tls_server.wait_for_connections(1)
        tls_server.close()
