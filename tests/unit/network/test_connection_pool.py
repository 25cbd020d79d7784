"""The pool of connections: which one is taken, and which ones are closed."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.network.connection_pool import IDLE_SECONDS, ConnectionPool
from url_downloader.network.route import Route

A = Route(("http", "a", 80))
B = Route(("http", "b", 80))


class FakeConnection:
    """Connection without a stream.

    Args:
        route: Route of the connection.

    Attributes:
        is_idle: Whether the server has neither closed it nor sent anything.
        is_closed: Whether it was closed.
    """

    def __init__(self, route: Route) -> None:
        self.route = route
        self.is_idle = True
        self.is_closed = False

    def close(self) -> None:
        assert not self.is_closed
        self.is_closed = True


class Pool:
    """Pool of fake connections, with a clock."""

    def __init__(self, *, max_open: int = 100, max_idle_per_route: int = 100) -> None:
        self.time = 0.0
        self._pool = ConnectionPool(
            max_open=max_open, max_idle_per_route=max_idle_per_route, now=lambda: self.time
        )
        self.leave = self._pool.leave
        self.close = self._pool.close
        self.close_idle = self._pool.close_idle

    def take(self, route: Route) -> FakeConnection | None:
        """Take a place; return an idle connection for it, if there is one."""
        return cast("FakeConnection | None", self._pool.take(route))

    def open(self, *routes: Route) -> list[FakeConnection]:
        """Take a place for each route, and return new connections for them."""
        for route in routes:
            assert self.take(route) is None
        return [FakeConnection(route) for route in routes]

    def put(self, *connections: FakeConnection) -> None:
        """Give places back, each with a connection."""
        for connection in connections:
            self._pool.put(cast("Any", connection))


def are_closed(*connections: FakeConnection) -> list[bool]:
    """Return for each connection whether it was closed."""
    return [connection.is_closed for connection in connections]


def test_the_last_one_of_a_route_is_taken() -> None:
    """Of the idle connections of a route the one that was used last is taken, each once."""
    pool = Pool()
    pool.put(*(connections := pool.open(A, B, A, B)))
    first, second, third, fourth = connections
    assert [pool.take(A), pool.take(A), pool.take(A)] == [third, first, None]
    assert [pool.take(B), pool.take(B), pool.take(B)] == [fourth, second, None]
    assert not any(are_closed(*connections))


@pytest.mark.parametrize(
    "other",
    [
        Route(("https", "a", 80)),
        Route(("http", "a", 81)),
        Route(("http", "b", 80)),
        Route(("http", "a", 80), shows_cert=True),
    ],
)
def test_no_connection_of_another_route_is_taken(other: Route) -> None:
    """A connection serves only requests with its own route."""
    pool = Pool()
    pool.put(*(connections := pool.open(A)))
    assert pool.take(other) is None
    assert [pool.take(Route(("http", "a", 80)))] == connections


def test_a_connection_comes_back() -> None:
    """A connection that is put again is taken again."""
    pool = Pool()
    [connection] = pool.open(A)
    for _ in range(3):
        pool.put(connection)
        assert pool.take(A) is connection
    assert not connection.is_closed


def test_stale_connections_are_closed() -> None:
    """Connections that are not idle any more are closed, until one is found that is."""
    pool = Pool()
    pool.put(*(connections := pool.open(A, A, A, A)))
    for stale in (connections[1], connections[3]):
        stale.is_idle = False
    assert [pool.take(A)] == [connections[2]]
    assert are_closed(*connections) == [False, False, False, True]
    assert [pool.take(A)] == [connections[0]]
    assert are_closed(*connections) == [False, True, False, True]


def test_the_idle_connections_of_a_route_are_bounded() -> None:
    """Above the bound for a route, the connection that was idle for longest is closed."""
    pool = Pool(max_idle_per_route=2)
    pool.put(*(connections := pool.open(B, A, A, A, A)))
    assert are_closed(*connections) == [False, True, True, False, False]
    assert [pool.take(A), pool.take(A), pool.take(A)] == [connections[4], connections[3], None]


def test_a_new_connection_may_cost_an_idle_one() -> None:
    """At the bound, a place for a new connection closes the one that was idle for longest."""
    pool = Pool(max_open=3)
    pool.put(*(connections := pool.open(*(Route(("http", f"h{n}", 80)) for n in range(3)))))
    assert [pool.take(connections[0].route)] == [connections[0]]
    pool.put(connections[0])
    # It was used since, so the other two have been idle for longer.
    pool.open(A)
    assert are_closed(*connections) == [False, True, False]
    pool.open(A)
    assert are_closed(*connections) == [False, True, True]


def test_an_idle_connection_is_used_at_the_bound() -> None:
    """At the bound, a request with an idle connection closes no other one."""
    pool = Pool(max_open=2)
    pool.put(*(connections := pool.open(A, B)))
    assert [pool.take(B), pool.take(A)] == connections[::-1]
    pool.put(*connections)
    assert not any(are_closed(*connections))


def test_a_place_that_is_left() -> None:
    """A place that is given back makes room for an idle connection."""
    pool = Pool(max_open=2)
    first, second = pool.open(A, B)
    pool.leave()
    pool.put(first)
    assert pool.open(B)[0].route == B
    assert are_closed(first, second) == [False, False]
    pool.open(B)
    assert first.is_closed


def test_a_stale_connection_keeps_no_place() -> None:
    """The place of a connection that turned out to be closed is used for its successor."""
    pool = Pool(max_open=2)
    pool.put(*(connections := pool.open(A, B)))
    connections[0].is_idle = False
    assert pool.take(A) is None
    assert are_closed(*connections) == [True, False]


def test_more_requests_than_may_be_open() -> None:
    """Every request gets a place, but above the bound no connection stays idle."""
    pool = Pool(max_open=1)
    connections = pool.open(A, B, A)
    pool.put(connections[0])
    assert connections[0].is_closed
    pool.put(connections[1])
    assert connections[1].is_closed
    pool.put(connections[2])
    assert not connections[2].is_closed


def test_old_connections_are_closed() -> None:
    """A connection that was idle for a minute is closed when another one is put."""
    pool = Pool()
    old, young, last = pool.open(A, B, B)
    pool.put(old)
    pool.time = 1.0
    pool.put(young)
    pool.time = IDLE_SECONDS
    pool.put(last)
    assert are_closed(old, young, last) == [True, False, False]
    pool.time += 1.0
    assert [pool.take(B)] == [last]
    pool.put(last)
    assert are_closed(young, last) == [True, False]


def test_an_old_connection_is_not_taken() -> None:
    """A connection that was idle for a minute carries no request, and is closed instead."""
    pool = Pool()
    connections = pool.open(A, B)
    pool.put(*connections)
    pool.time = IDLE_SECONDS
    assert pool.take(A) is None
    assert are_closed(*connections) == [True, True]


def test_use_makes_a_connection_young() -> None:
    """The age of a connection counts from its last use."""
    pool = Pool()
    [connection] = pool.open(A)
    for _ in range(3):
        pool.time += IDLE_SECONDS - 1
        pool.put(connection, *pool.open(B))
        assert pool.take(A) is connection
        assert pool.take(B) is not None
    assert not connection.is_closed


def test_the_end_of_a_run() -> None:
    """A pool that is closed closes its connections, and those that are put later."""
    pool = Pool()
    connections = pool.open(A, B, A)
    pool.put(*connections[:2])
    pool.close()
    assert are_closed(*connections) == [True, True, False]
    pool.put(connections[2])
    assert connections[2].is_closed
    assert (pool.take(A), pool.take(B)) == (None, None)
    pool.close()


def test_a_want_of_descriptors() -> None:
    """All idle connections can be closed; those that are put later stay idle."""
    pool = Pool()
    connections = pool.open(A, B, A)
    pool.put(*connections[:2])
    pool.close_idle()
    assert are_closed(*connections) == [True, True, False]
    assert (pool.take(A), pool.take(B)) == (None, None)
    pool.put(connections[2])
    assert pool.take(A) is connections[2]


class Model:
    """Pool, with lists of the connections that are in it or in use."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.idle: list[FakeConnection] = []
        self.used: list[FakeConnection] = []

    def do(self, step: str) -> None:
        verb, _, name = step.partition(" ")
        if verb == "take":
            self._take(Route(("http", name, 80)))
        elif verb == "put" and self.used:
            self.idle.append(self.used.pop(0))
            self.pool.put(self.idle[-1])
        elif verb == "leave" and self.used:
            self.used.pop().close()
            self.pool.leave()
        elif verb == "wait":
            self.pool.time += IDLE_SECONDS / 2
        elif verb == "stale":
            for each in self.idle[::3]:
                each.is_idle = False
        self.idle = [each for each in self.idle if not each.is_closed]

    def _take(self, route: Route) -> None:
        found = self.pool.take(route)
        if found is None:
            found = FakeConnection(route)
        else:
            self.idle.remove(found)
        assert (found.route, found.is_closed, found.is_idle) == (route, False, True)
        self.used.append(found)


STEPS = st.lists(
    st.sampled_from(
        [*("take a", "take b", "take c"), *("put", "put", "leave", "wait", "stale")]
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 6), st.integers(1, 4))
def test_no_connection_is_lost(steps: list[str], max_open: int, per_route: int) -> None:
    """Each connection is idle, in use or closed; idle and used ones are bounded together."""
    model = Model(Pool(max_open=max_open, max_idle_per_route=per_route))
    for step in steps:
        model.do(step)
        assert len(model.idle) <= max(0, max_open - len(model.used))
        routes = [each.route for each in model.idle]
        assert all(routes.count(route) <= per_route for route in routes)
        assert not any(are_closed(*model.used))
    model.pool.close()
    assert all(are_closed(*model.idle))
