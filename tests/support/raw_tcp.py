"""TCP below HTTP: servers that speak first, a slow relay, and ports that never answer.

Independent of the program under test.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Self

HOST = "127.0.0.1"
_RECEIVE_SIZE = 1 << 16
_JOIN_TIMEOUT = 20.0
_FILLED_AFTER = 0.1
"""Seconds without an answer, after which the backlog of a port counts as full."""

Talk = Callable[[socket.socket, threading.Event], None]
"""A function that serves a connection; the event is set when the function must end."""


class Talker:
    """A server that calls a function for each connection, as soon as it is accepted.

    Args:
        talk: Function that is called with each connection in a thread of its own. The
            connection is closed when it returns. Its OSError means that the client has left.

    Threads: every method may be called from any thread.
    """

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards the lists
        self._live: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name=f"talker-{self.port}")
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):  # wakes accept()
            socket.create_connection((HOST, self.port), timeout=1).close()
        self._acceptor.join()
        self._listener.close()
        with self._lock:
            for connected in self._live:
                _shut_down(connected)
        for thread in self._threads:
            thread.join(_JOIN_TIMEOUT)
        assert not any(thread.is_alive() for thread in self._threads)

    def url(self, path: str = "/", *, scheme: str = "http") -> str:
        """Return the absolute URL of `path`."""
        return f"{scheme}://{HOST}:{self.port}{path}"

    def _accept(self) -> None:
        while True:
            connected, _ = self._listener.accept()
            if self._stopping.is_set():
                connected.close()
                return
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(
                target=self._serve, args=[connected], name=f"talk-{self.port}"
            )
            with self._lock:
                self._live.append(connected)
                self._threads.append(thread)
            thread.start()

    def _serve(self, connected: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError):
                self._talk(connected, self._stopping)
        finally:
            with self._lock:
                self._live.remove(connected)
            connected.close()


def says(data: bytes, *, waits: bool = False, stays: bool = True) -> Talk:
    """Return a talk that sends `data`.

    Args:
        data: Bytes to send.
        waits: Whether it first waits for bytes of the client.
        stays: Whether it then waits until the client leaves.
    """

    def talk(connected: socket.socket, _: threading.Event) -> None:
        if waits:
            connected.recv(_RECEIVE_SIZE)
        connected.sendall(data)
        while stays and connected.recv(_RECEIVE_SIZE):
            pass

    return talk


def relay(port: int, *, is_slow: threading.Event, every: float) -> Talk:
    """Return a talk that relays all bytes to and from a server on this host.

    Args:
        port: Port of the server.
        is_slow: Event; once it is set, bytes of the server are relayed one by one.
        every: Seconds between two of these bytes.
    """

    def talk(client: socket.socket, stopping: threading.Event) -> None:
        with socket.create_connection((HOST, port)) as server:
            while not stopping.is_set():
                readable, _, _ = select.select([client, server], [], [], 0.05)
                for source in readable:
                    data = source.recv(_RECEIVE_SIZE)
                    if not data:
                        return
                    if source is client:
                        server.sendall(data)
                    elif is_slow.is_set():
                        _send_slowly(client, data, every=every, stopping=stopping)
                    else:
                        client.sendall(data)

    return talk


def _send_slowly(
    to: socket.socket, data: bytes, *, every: float, stopping: threading.Event
) -> None:
    for byte in data:
        if stopping.wait(every):
            return
        to.sendall(bytes((byte,)))


@contextlib.contextmanager
def unanswered_port(host: str = HOST) -> Iterator[int]:
    """Yield a port that neither accepts nor refuses connections, as its backlog is full."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket(family))
        listener.bind((host, 0))
        listener.listen(0)
        is_taken = True
        while is_taken:
            filler = sockets.enter_context(socket.socket(family))
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            is_taken = bool(select.select([], [filler], [], _FILLED_AFTER)[1])
        yield listener.getsockname()[1]


def _shut_down(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
