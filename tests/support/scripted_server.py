"""An HTTP server on a loopback port that follows a script to the byte.

Each path has a list of actions, one per request in order; the last one is repeated. An action
is a `Reply` (a well-formed message), a `Raw` (exact bytes) or a callable that makes one of them
from the request. The `delivery` of either is the way in which its bytes are sent:

    with ScriptedServer({"/a": flap(2, Reply(body=b"data"))}) as server:
        fetch(server.url("/a"))
        assert server.count("/a") == 3

Independent of the program under test.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import ssl
import struct
import termios
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Self

from tests.support.replies import (
    Action,
    Answer,
    Cut,
    Delivery,
    Endless,
    Framing,
    Hold,
    Raw,
    Reply,
    Request,
    Reset,
    Stall,
    Trickle,
    Whole,
    chunked,
    flap,
)

__all__ = [
    "Action",
    "Answer",
    "Cut",
    "Delivery",
    "Endless",
    "Framing",
    "Hold",
    "Raw",
    "Reply",
    "Request",
    "Reset",
    "ScriptedServer",
    "Stall",
    "Trickle",
    "Whole",
    "chunked",
    "flap",
]

HOST = "127.0.0.1"
_MAX_REQUEST = 1 << 20
_RECEIVE_SIZE = 1 << 16
_JOIN_TIMEOUT = 20.0


class ScriptedServer:
    """A server that listens during a `with` block.

    Args:
        scripts: Action or actions of each path (with or without query).
        tls: TLS context for HTTPS; None for HTTP.
        silent: Whether it accepts connections and never reads or writes.
        port: Port, such as that of a former server; 0 = any free one.

    Threads: every method may be called from any thread.
    """

    def __init__(
        self,
        scripts: Mapping[str, Action | Iterable[Action]] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        silent: bool = False,
        port: int = 0,
    ) -> None:
        self.tls = tls
        self.silent = silent
        self.stopping = threading.Event()
        self._news = threading.Condition()  # guards all fields below but the listener
        self._scripts: dict[str, list[Action]] = {}
        self._played: dict[str, int] = {}
        self._requests: list[Request] = []
        self._live: set[_Connection] = set()
        self._most_open = 0
        self._threads: list[_Connection] = []
        self._error: Exception | None = None
        for path, actions in (scripts or {}).items():
            self.play(path, *(actions if isinstance(actions, Iterable) else [actions]))
        self._listener = socket.create_server((HOST, port), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name=f"scripted-{self.port}")
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def play(self, path: str, *actions: Action) -> None:
        """Give `path` a new script, which begins with the next request."""
        if not actions:
            raise ValueError(f"an empty script for {path}")
        with self._news:
            self._scripts[path] = list(actions)
            self._played[path] = 0

    def url(self, path: str = "/") -> str:
        """Return the absolute URL of `path`."""
        return f"{'https' if self.tls else 'http'}://{HOST}:{self.port}{path}"

    def requests(self, path: str | None = None) -> list[Request]:
        """Return the requests so far, all or for `path` (with or without query), in order."""
        with self._news:
            return [r for r in self._requests if path in (None, r.target, r.path)]

    def count(self, path: str | None = None) -> int:
        """Return the number of requests so far."""
        return len(self.requests(path))

    @property
    def connections(self) -> int:
        """The number of accepted connections so far."""
        with self._news:
            return len(self._threads)

    @property
    def most_open(self) -> int:
        """The largest number of connections that were open at the same time so far."""
        with self._news:
            return self._most_open

    def wait_for_requests(
        self, count: int, path: str | None = None, *, timeout: float = 60.0
    ) -> None:
        """Return once `count` requests have come.

        Raises:
            TimeoutError: They do not come within `timeout` seconds.
        """
        with self._news:
            if not self._news.wait_for(lambda: self.count(path) >= count, timeout):
                raise TimeoutError(f"{self.count(path)} of {count} requests for {path} came")

    def wait_for_connections(self, count: int, *, timeout: float = 60.0) -> None:
        """Return once `count` connections are accepted.

        Raises:
            TimeoutError: They are not within `timeout` seconds.
        """
        with self._news:
            if not self._news.wait_for(lambda: len(self._threads) >= count, timeout):
                raise TimeoutError(f"{len(self._threads)} of {count} connections came")

    def close(self) -> None:
        """End all connections and threads at once. May be called again.

        Raises:
            Exception: The first exception of a script.
        """
        if self.stopping.is_set():
            return
        self.stopping.set()
        with contextlib.suppress(OSError):  # wakes accept()
            socket.create_connection((HOST, self.port), timeout=1).close()
        self._acceptor.join()
        self._listener.close()
        with self._news:
            for connection in self._live:
                connection.abort()
            threads = list(self._threads)
        self._join(threads)
        if self._error is not None:
            raise self._error

    def _join(self, threads: list[_Connection]) -> None:
        deadline = time.monotonic() + _JOIN_TIMEOUT
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        stuck = [thread.name for thread in threads if thread.is_alive()]
        if stuck:
            raise RuntimeError(f"connections that don't end: {stuck}")

    def _accept(self) -> None:
        while True:
            raw, _ = self._listener.accept()
            if self.stopping.is_set():
                raw.close()
                return
            with contextlib.suppress(OSError):
                self._start(raw)

    def _start(self, raw: socket.socket) -> None:
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected = raw
            if self.tls is not None:
                connected = self.tls.wrap_socket(
                    raw, server_side=True, do_handshake_on_connect=False
                )
        except OSError:  # the client has left already
            raw.close()
            raise
        with self._news:
            connection = _Connection(self, connected, number=len(self._threads) + 1)
            self._threads.append(connection)
            self._live.add(connection)
            self._most_open = max(self._most_open, len(self._live))
            self._news.notify_all()
        connection.start()

    # Called by the threads of connections:

    def next_action(
        self, method: str, target: str, headers: list[str], connection: int
    ) -> tuple[Request, Action]:
        """Record a request; return it with its action."""
        pairs = tuple(_split_header(line) for line in headers)
        with self._news:
            path = target if target in self._scripts else target.partition("?")[0]
            turn = self._played.get(path, 0)
            self._played[path] = turn + 1
            request = Request(
                method=method,
                target=target,
                headers=pairs,
                connection=connection,
                ordinal=turn + 1,
                time=time.monotonic(),
            )
            self._requests.append(request)
            self._news.notify_all()
            script = self._scripts.get(path, [Reply(status=404, body=b"no script\n")])
        return request, script[min(turn, len(script) - 1)]

    def forget(self, connection: _Connection) -> None:
        """Remove a connection whose socket is about to be closed."""
        with self._news:
            self._live.discard(connection)

    def keep_error(self, error: Exception) -> None:
        """Keep the first exception of a script for `close`."""
        with self._news:
            self._error = self._error or error


def _split_header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


class _Connection(threading.Thread):
    """One accepted connection, from handshake to close."""

    def __init__(self, server: ScriptedServer, connected: socket.socket, number: int) -> None:
        super().__init__(name=f"scripted-{server.port}-{number}", daemon=True)
        self._server = server
        self._socket = connected
        self._number = number
        self._received = bytearray()

    def run(self) -> None:
        try:
            with contextlib.suppress(OSError):  # the client left, or the server closes
                self._serve()
        finally:
            self._server.forget(self)
            self._socket.close()

    def abort(self) -> None:
        """Wake the thread if it waits on its socket. May be called from any thread."""
        with contextlib.suppress(OSError):
            # SSLSocket.shutdown would remove the TLS state that the thread uses.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _serve(self) -> None:
        if self._server.silent:
            self._server.stopping.wait()
            return
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.do_handshake()
        while (lines := self._read_head()) and not self._server.stopping.is_set():
            method, target, *_ = [*lines[0].split(" "), ""]
            request, action = self._server.next_action(method, target, lines[1:], self._number)
            answer = self._answer(action, request)
            if not answer.delivery.play(self, answer.head, answer.payload):
                return
            if answer.closes:
                self._say_goodbye()
                return

    def _answer(self, action: Action, request: Request) -> Answer:
        if not callable(action):
            return action
        try:
            return action(request)
        except Exception as error:  # noqa: BLE001 - raised by close()
            self._server.keep_error(error)
            return Raw(b"")

    def _read_head(self) -> list[str]:
        """Return the lines of the next request, which has no body; none at the end."""
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            data = self._socket.recv(_RECEIVE_SIZE)
            if not data or len(self._received) > _MAX_REQUEST:
                return []
            self._received += data
        head = self._received[:end].decode("latin-1")
        del self._received[: end + 4]
        return head.split("\r\n")

    def _say_goodbye(self) -> None:
        """Send close_notify, which marks an orderly end, and do not wait for an answer."""
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(0)
            self._socket.unwrap()

    # Wire:

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def pause(self, seconds: float) -> bool:
        return not self._server.stopping.wait(seconds)

    def hold_until(self, event: threading.Event) -> bool:
        while not event.wait(0.02):
            if self._server.stopping.is_set():
                return False
        return True

    def hold(self) -> None:
        while self._socket.recv(_RECEIVE_SIZE):
            pass

    def reset(self) -> None:
        while self._unsent() and self.pause(0.001):
            pass
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _unsent(self) -> int:
        """Return the number of bytes that are not acknowledged; a RST would discard them."""
        queued = bytearray(4)
        fcntl.ioctl(self._socket, termios.TIOCOUTQ, queued)
        return int.from_bytes(queued, "little")
