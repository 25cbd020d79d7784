"""A pool of connections, which all workers of a run share.

Each request has a place in the pool: from `take` to `put`, or to `leave`. Places and idle
connections are bounded together, because each of them may be an open socket.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from url_downloader.network.connection import Connection
from url_downloader.network.route import Route

IDLE_SECONDS = 60.0
"""Seconds that a connection stays idle; after a similar time, most servers close it."""


class ConnectionPool:
    """Pool of idle connections by route; of one route, the one that was used last is taken.

    Args:
        max_open: Upper bound for the places and the idle connections together. More requests
            get a place, but no connection stays idle then.
        max_idle_per_route: Upper bound for the idle connections of one route.
        now: Monotonic clock, seconds.

    Threads: any.
    """

    def __init__(
        self,
        *,
        max_open: int,
        max_idle_per_route: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_open = max_open
        self._max_idle_per_route = max_idle_per_route
        self._now = now
        # Guards all fields below. Connections are closed after it is released.
        self._lock = threading.Lock()
        self._is_closed = False
        self._places = 0
        # Both have the same connections; the one that became idle first is first.
        self._idle_since: OrderedDict[Connection, float] = OrderedDict()
        self._by_route: dict[Route, list[Connection]] = {}

    def take(self, route: Route) -> Connection | None:
        """Take a place, and return an idle connection for it; None if there is none.

        The connection belongs to the caller then. Connections that are too old, that the
        server has closed, or on which bytes have arrived, are closed.
        """
        now = self._now()
        with self._lock:
            self._places += 1
        while (found := self._pop(route)) is not None:
            connection, since = found
            # A NAT may have forgotten an old connection: a request on it gets no answer.
            if now - since < IDLE_SECONDS and connection.is_idle:
                return connection
            connection.close()
        with self._lock:
            surplus = self._remove_surplus(now)
        for each in surplus:
            each.close()
        return None

    def leave(self) -> None:
        """Give a place back. The caller has closed the connection, or has none."""
        with self._lock:
            self._places -= 1

    def put(self, connection: Connection) -> None:
        """Give a place back with a connection that can carry another request."""
        now = self._now()
        with self._lock:
            self._places -= 1
            if self._is_closed:
                surplus = [connection]
            else:
                self._idle_since[connection] = now
                of_route = self._by_route.setdefault(connection.route, [])
                of_route.append(connection)
                surplus = of_route[: -self._max_idle_per_route]
                for each in surplus:
                    self._remove(each)
                surplus += self._remove_surplus(now)
        for each in surplus:
            each.close()

    def close(self) -> None:
        """Close all idle connections; each that is put later is closed, too."""
        with self._lock:
            self._is_closed = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close all idle connections."""
        with self._lock:
            idle = list(self._idle_since)
            self._idle_since.clear()
            self._by_route.clear()
        for connection in idle:
            connection.close()

    def _pop(self, route: Route) -> tuple[Connection, float] | None:
        """Remove a connection of a route; return it, and since when it was idle."""
        with self._lock:
            of_route = self._by_route.get(route)
            if not of_route:
                return None
            connection = of_route[-1]
            since = self._idle_since[connection]
            self._remove(connection)
            return connection, since

    def _remove_surplus(self, now: float) -> list[Connection]:
        """Remove and return the oldest connections in excess. The caller holds the lock."""
        removed = []
        while self._idle_since:
            connection, since = next(iter(self._idle_since.items()))
            is_within = len(self._idle_since) + self._places <= self._max_open
            if is_within and now - since < IDLE_SECONDS:
                break
            self._remove(connection)
            removed.append(connection)
        return removed

    def _remove(self, connection: Connection) -> None:
        """Remove a connection. The caller holds the lock."""
        del self._idle_since[connection]
        of_route = self._by_route[connection.route]
        of_route.remove(connection)
        if not of_route:
            del self._by_route[connection.route]
