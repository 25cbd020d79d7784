"""A dialler: it connects to the address of a host that answers first (RFC 8305).

The steps of `Dialler.connect`:

1. The resolver returns the addresses. The address guard checks them.
2. The addresses are put in order: the one that answered last, then IPv6 and IPv4 by turns.
3. A race connects to one after the other, a quarter of a second apart, or at once after a
   failure. The first connection is returned, the others are closed.
"""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain, zip_longest
from math import inf
from typing import Any

from url_downloader.network.address_guard import AddressGuard
from url_downloader.network.errors import LookUpTimeoutError
from url_downloader.network.resolver import Address, Host, Resolver
from url_downloader.shared.attempt_control import AttemptControl

START_SECONDS = 0.25
"""Seconds between the starts of two attempts to connect (RFC 8305 §5)."""
MAX_PENDING = 4
"""Upper bound for the attempts of one race at the same time: each needs a descriptor."""
_REACH_SECONDS = 1.5
"""Seconds that a bare connection may take; a second SYN is sent after one second."""
_MAX_WINNERS = 4096
"""Upper bound for the remembered addresses."""
_IP_BIND_ADDRESS_NO_PORT = 24
"""Option of Linux: the port of a bound socket is chosen when it connects (ip(7))."""


Endpoint = tuple[Any, ...]
"""Address of a socket, as `bind` and `connect` take it."""


class Dialler:
    """Dialler of hosts, which remembers the address that answered last.

    Args:
        resolver: Resolver of host names.
        guard: Rules for the addresses of servers.
        source: Address of this machine to connect from, with port 0; None for any.

    Threads: any.
    """

    def __init__(
        self, resolver: Resolver, *, guard: AddressGuard, source: Endpoint | None = None
    ) -> None:
        self._resolver = resolver
        self._guard = guard
        self._source = source
        # Guards changes of _winners: by host, the address that answered last; the oldest is
        # first. To read one takes no lock.
        self._lock = threading.Lock()
        self._winners: OrderedDict[Host, Address] = OrderedDict()
        # Address that was connected last, and whether it is a proxy's; replaced without the
        # lock.
        self._last: tuple[Address, bool] | None = None

    def connect(
        self,
        host: Host,
        *,
        control: AttemptControl,
        deadline: float,
        is_proxy: bool = False,
        is_single: bool = False,
    ) -> socket.socket:
        """Return a blocking socket that is connected to a host, and held by the control.

        Args:
            host: The host.
            control: Control whose abort ends the wait.
            deadline: Monotonic time at which the wait ends; infinite for none.
            is_proxy: Whether the host is a proxy; the address guard is for servers only.
            is_single: Whether there is never more than one connection to the host.

        Raises:
            AttemptError: An address is forbidden, or the attempt was aborted.
            OSError, UnicodeError: No address is known or can be reached.
        """
        found = self.addresses(host, control=control, deadline=deadline, is_proxy=is_proxy)
        race = self._race(self._in_order(host, found), control, is_single=is_single)
        sock, address = self._run(race, host, deadline=deadline)
        self._last = address, is_proxy
        if len(found) > 1:
            self._remember(host, address)
        return sock

    def can_reach_last(self) -> bool:
        """Tell whether the address that was connected last can be reached now.

        A server that refuses is reached: the network is there. A proxy that refuses is not,
        because it is the way to all servers. The call takes at most 1.5 seconds, and nothing
        can interrupt it.
        """
        if self._last is None:
            return False
        address, is_proxy = self._last
        race = self._race([address], AttemptControl(), is_single=True)
        try:
            sock, _ = race.run(time.monotonic() + _REACH_SECONDS)
        except ConnectionRefusedError:
            return not is_proxy
        except OSError:
            return False
        sock.close()
        return True

    def addresses(
        self, host: Host, *, control: AttemptControl, deadline: float, is_proxy: bool = False
    ) -> Sequence[Address]:
        """Return the addresses of a host; see `connect`."""

        def check() -> None:
            if (failure := control.failure()) is not None:
                raise failure
            if time.monotonic() > deadline:
                raise LookUpTimeoutError("timed out")

        found = self._resolver.addresses(host, check=check)
        if not is_proxy:
            self._guard.check(host[0], [address[4][0] for address in found])
        return found

    def _race(
        self, addresses: Sequence[Address], control: AttemptControl, *, is_single: bool
    ) -> _Race:
        return _Race(addresses, source=self._source, control=control, is_single=is_single)

    def _in_order(self, host: Host, addresses: Sequence[Address]) -> list[Address]:
        """Return the addresses: the winner, then the families by turns (RFC 8305 §4)."""
        by_family: dict[int, list[Address]] = {}
        for address in addresses:
            by_family.setdefault(address[0], []).append(address)
        turns = chain.from_iterable(zip_longest(*by_family.values()))
        winner = self._winners.get(host)
        # A stable sort: all others keep their order.
        return sorted(filter(None, turns), key=lambda address: address != winner)

    def _run(
        self, race: _Race, host: Host, *, deadline: float
    ) -> tuple[socket.socket, Address]:
        """Run a race; if it is lost, the next attempt looks the host up again."""
        try:
            return race.run(deadline)
        except OSError:
            self._resolver.forget(host)
            raise

    def _remember(self, host: Host, address: Address) -> None:
        with self._lock:
            self._winners[host] = address
            self._winners.move_to_end(host)
            if len(self._winners) > _MAX_WINNERS:
                self._winners.popitem(last=False)


class _Race:
    """Race of the attempts to connect to one of several addresses.

    Args:
        addresses: Addresses in the order of their attempts.
        source: Address of this machine to connect from, with port 0; None for any.
        control: Control whose abort ends the race.
        is_single: Whether one attempt ends before the next one begins. Then each gets an equal
            part of the time.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        source: Endpoint | None,
        control: AttemptControl,
        is_single: bool,
    ) -> None:
        self._max_pending = 1 if is_single else MAX_PENDING
        self._waiting = deque(addresses)
        self._source = source
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
