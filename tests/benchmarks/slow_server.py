"""A slow HTTP server: `python slow_server.py` prints its port and serves on it.

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

BODY_SIZE = 1024
_HALF_A_MILLISECOND = 0.0005
_RECEIVE_SIZE = 65536


def body_of(name: str) -> bytes:
    """Return the body of the file of this name."""
    return name.encode().ljust(BODY_SIZE, b".")


class SlowServer:
    """A server with one epoll loop for all connections.

    Args:
        listener: Listening socket.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(listener, select.EPOLLIN)
        self._clients: dict[int, socket.socket] = {}
        self._unread: dict[int, bytes] = {}
        self._answers: list[tuple[float, int, int, bytes]] = []
        self._order = itertools.count()
        self._asked: Counter[str] = Counter()

    def serve(self) -> None:
        """Serve until the process is killed."""
        while True:
            for descriptor, _ in self._epoll.poll(self._timeout()):
                if descriptor == self._listener.fileno():
                    self._accept()
                else:
                    self._receive(descriptor)
            self._answer_due()

    def _timeout(self) -> float | None:
        """Return the time to the next answer, to the nearest millisecond: epoll rounds up."""
        if not self._answers:
            return None
        return max(0, round((self._answers[0][0] - time.monotonic()) * 1000)) / 1000

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
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
            heapq.heappush(self._answers, (due, next(self._order), descriptor, answer))

    def _answer(self, target: str) -> bytes:
        _, _, failures, _, name = target.split("/")
        self._asked[target] += failures != "0"
        if self._asked[target] and self._asked[target] <= int(failures):
            return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (BODY_SIZE, body_of(name))

    def _answer_due(self) -> None:
        now = time.monotonic() + _HALF_A_MILLISECOND
        while self._answers and self._answers[0][0] <= now:
            _, _, descriptor, answer = heapq.heappop(self._answers)
            client = self._clients.get(descriptor)
            if client is not None:
                try:
                    client.sendall(answer)
                except OSError:
                    continue


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        print(listening.getsockname()[1], flush=True)  # noqa: T201
        SlowServer(listening).serve()
