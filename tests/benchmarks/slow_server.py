"""A slow HTTP server: `python slow_server.py` prints its port and serves on it.

It serves on 127.0.0.1, and on the same port of the addresses of HOSTS.

Requests for `/<milliseconds>/<failures>/<run>/<name>` are answered after the milliseconds. The
first answers, as many as failures, are 503; later ones have a body made from the name. The
server is a process of its own, so that no tool competes with it for the GIL.
"""

from __future__ import annotations

import heapq
import itertools
import select
import socket
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress

BODY_SIZE = 1024
HOSTS = tuple(f"127.0.1.{n}" for n in range(1, 52))
"""Other addresses of the server, so that it is many hosts."""
_HALF_A_MILLISECOND = 0.0005
_RECEIVE_SIZE = 65536


def body_of(name: str) -> bytes:
    """Return the body of the file of this name."""
    return name.encode().ljust(BODY_SIZE, b".")


class SlowServer:
    """A server with one epoll loop for all connections.

    Args:
        listeners: Listening sockets.
    """

    def __init__(self, listeners: Sequence[socket.socket]) -> None:
        self._listeners = {each.fileno(): each for each in listeners}
        self._epoll = select.epoll()
        for each in listeners:
            each.setblocking(False)
            self._epoll.register(each, select.EPOLLIN)
        self._clients: dict[int, socket.socket] = {}
        self._unread: dict[int, bytes] = {}
        self._answers: list[tuple[float, int, socket.socket, bytes]] = []
        self._order = itertools.count()
        self._asked: Counter[str] = Counter()

    def serve(self) -> None:
        """Serve until the process is killed."""
        while True:
            for descriptor, _ in self._epoll.poll(self._timeout()):
                if descriptor in self._listeners:
                    self._accept(self._listeners[descriptor])
                else:
                    self._receive(descriptor)
            self._answer_due()

    def _timeout(self) -> float | None:
        """Return the time to the next answer, to the nearest millisecond: epoll rounds up."""
        if not self._answers:
            return None
        return max(0, round((self._answers[0][0] - time.monotonic()) * 1000)) / 1000

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except BlockingIOError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._clients[client.fileno()] = client
            self._unread[client.fileno()] = b""
            self._epoll.register(client, select.EPOLLIN)

    def _receive(self, descriptor: int) -> None:
        try:
            data = self._clients[descriptor].recv(_RECEIVE_SIZE)
        except OSError:
            data = b""
        if not data:
            self._epoll.unregister(descriptor)
            self._clients.pop(descriptor).close()
            return
        *requests, self._unread[descriptor] = (self._unread[descriptor] + data).split(
            b"\r\n\r\n"
        )
        for request in requests:
            target = request.split(b" ", 2)[1].decode()
            delay = int(target.split("/")[1]) / 1000
            answer = self._answer(target)
            due = time.monotonic() + delay
            client = self._clients[descriptor]
            heapq.heappush(self._answers, (due, next(self._order), client, answer))

    def _answer(self, target: str) -> bytes:
        _, _, failures, _, name = target.split("/")
        self._asked[target] += failures != "0"
        if self._asked[target] and self._asked[target] <= int(failures):
            return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (BODY_SIZE, body_of(name))

    def _answer_due(self) -> None:
        now = time.monotonic() + _HALF_A_MILLISECOND
        while self._answers and self._answers[0][0] <= now:
            _, _, client, answer = heapq.heappop(self._answers)
            # A client that was killed is closed.
            with suppress(OSError):
                client.sendall(answer)


def main() -> None:
    """Serve until the process is killed."""
    with ExitStack() as opened:
        first = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=4096))
        port = first.getsockname()[1]
        others = [
            opened.enter_context(socket.create_server((host, port), backlog=4096))
            for host in HOSTS
        ]
        print(port, flush=True)  # noqa: T201
        SlowServer([first, *others]).serve()


if __name__ == "__main__":
    main()
