"""A dialler: it connects to the address of a host that answers first (RFC 8305).

The steps of `Dialler.connect`:

1. The resolver returns the addresses. The address guard checks them.
2. The addresses are put in order: the one that answered last, then IPv6 and IPv4 by turns.
3. A race connects to one after the other, a quarter of a second apart, or at once after a
   failure. The first connection is returned, the others are closed.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest

from url_downloader.network.address_guard import AddressGuard
from url_downloader.network.dial_race import DialRace, Endpoint
from url_downloader.network.errors import LookUpTimeoutError
from url_downloader.network.resolver import Address, Host, Resolver
from url_downloader.shared.attempt_control import AttemptControl

_REACH_SECONDS = 1.5
"""Seconds that a bare connection may take; a second SYN is sent after one second."""
_MAX_WINNERS = 4096
"""Upper bound for the remembered addresses."""


class Dialler:
    """Dialler of hosts, which remembers the address that answered last.

    Args:
        resolver: Resolver of host names.
        guard: Rules for the addresses of servers.
        source: Address of this machine to connect from, with port 0; None for any.
        receive_buffer: Returns the size of a new socket's receive buffer in bytes; 0 = the
            kernel chooses it.

    Threads: any.
    """

    def __init__(
        self,
        resolver: Resolver,
        *,
        guard: AddressGuard,
        source: Endpoint | None = None,
        receive_buffer: Callable[[], int] = lambda: 0,
    ) -> None:
        self._resolver = resolver
        self._guard = guard
        self._source = source
        self._receive_buffer = receive_buffer
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
    ) -> DialRace:
        return DialRace(
            addresses,
            source=self._source,
            receive_buffer=self._receive_buffer(),
            control=control,
            is_single=is_single,
        )

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
        self, race: DialRace, host: Host, *, deadline: float
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
