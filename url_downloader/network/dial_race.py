"""A race of the attempts to connect to the addresses of a host (RFC 8305 §5)."""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import Any

from url_downloader.network.resolver import Address
from url_downloader.shared.attempt_control import AttemptControl

START_SECONDS = 0.25
"""Seconds between the starts of two attempts to connect (RFC 8305 §5)."""
MAX_PENDING = 4
"""Upper bound for the attempts of one race at the same time: each needs a descriptor."""
_IP_BIND_ADDRESS_NO_PORT = 24
"""Option of Linux: the port of a bound socket is chosen when it connects (ip(7))."""

Endpoint = tuple[Any, ...]
"""Address of a socket, as `bind` and `connect` take it."""


class DialRace:
    """Race of the attempts to connect to one of several addresses.

    Args:
        addresses: Addresses in the order of their attempts.
        source: Address of this machine to connect from, with port 0; None for any.
        receive_buffer: Bytes of the receive buffers; 0 = the kernel chooses them.
        control: Control whose abort ends the race.
        is_single: Whether one attempt ends before the next one begins. Then each gets an equal
            part of the time.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        source: Endpoint | None,
        receive_buffer: int,
        control: AttemptControl,
        is_single: bool,
    ) -> None:
        self._max_pending = 1 if is_single else MAX_PENDING
        self._waiting = deque(addresses)
        self._source = source
        self._receive_buffer = receive_buffer
        self._control = control
        # The attempts that go on, by descriptor; the oldest is first.
        self._pending: dict[int, tuple[socket.socket, Address]] = {}
        self._poll = select.poll()
        self._next_start = -inf
        self._error = OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))

    def run(self, deadline: float) -> tuple[socket.socket, Address]:
        """Return the first connection and its address.

        Raises:
            AttemptError: The attempt was aborted.
            OSError: No address could be reached, or the deadline has passed.
        """
        try:
            return self._run(deadline)
        except BaseException:
            # Before the sockets are closed.
            self._control.release()
            raise
        finally:
            for sock, _ in self._pending.values():
                sock.close()

    def _run(self, deadline: float) -> tuple[socket.socket, Address]:
        while self._waiting or self._pending:
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError("timed out")
            if self._waiting and (not self._pending or now >= self._next_start):
                seconds = START_SECONDS
                if self._max_pending == 1:
                    seconds = (deadline - now) / len(self._waiting)
                goes_on = self._start(self._waiting.popleft())
                self._next_start = now + seconds if goes_on else -inf
                continue
            until = min(deadline, self._next_start) if self._waiting else deadline
            for descriptor in self._wait(until - now):
                if (winner := self._end(descriptor)) is not None:
                    return winner
        raise self._error

    def _start(self, address: Address) -> bool:
        """Begin to connect to an address; return False if that fails at once."""
        if len(self._pending) == self._max_pending:
            self._drop(next(iter(self._pending)))
        try:
            sock = self._new_socket(address)
        except OSError as error:
            self._error = error
            return False
        code = sock.connect_ex(address[4])
        self._pending[sock.fileno()] = sock, address
        self._poll.register(sock, select.POLLOUT)
        # Not before connect(): until then, the abort of a socket has no effect.
        self._control.hold(sock)
        if code in (0, errno.EINPROGRESS):
            return True
        self._error = OSError(code, os.strerror(code))
        self._drop(sock.fileno())
        return False

    def _new_socket(self, address: Address) -> socket.socket:
        sock = socket.socket(*address[:3])
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._receive_buffer:
                # Before connect(): the handshake settles how large the window can get.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
            if self._source is not None:
                with suppress(OSError):
                    sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
                sock.bind(self._source)
        except BaseException:
            sock.close()
            raise
        return sock

    def _wait(self, seconds: float) -> list[int]:
        """Wait until attempts end; return their descriptors."""
        events = self._poll.poll(None if seconds == inf else math.ceil(seconds * 1000))
        if (failure := self._control.failure()) is not None:
            raise failure
        return [descriptor for descriptor, _ in events]

    def _end(self, descriptor: int) -> tuple[socket.socket, Address] | None:
        """End an attempt; return the connection if there is one."""
        sock, address = self._pending[descriptor]
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._error = OSError(code, os.strerror(code))
            self._next_start = -inf
            self._drop(descriptor)
            return None
        self._control.hold(sock)
        del self._pending[descriptor]
        sock.setblocking(True)
        return sock, address

    def _drop(self, descriptor: int) -> None:
        """Give an attempt up; an abort then ends another one that goes on."""
        sock, _ = self._pending.pop(descriptor)
        self._poll.unregister(descriptor)
        self._control.release()
        for other, _ in self._pending.values():
            self._control.hold(other)
        sock.close()
