"""Connections straight to origins, each kept for the next request that goes there."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from urllib3.connection import HTTPSConnection

from url_downloader.dialer import AbortableConnection
from url_downloader.http_wire import StrictResponse
from url_downloader.lifeline import Lifeline
from url_downloader.origins import Origin
from url_downloader.seams import LookUp
from url_downloader.shared.models import AttemptLimits
from url_downloader.trust import Trust, ssl_context

Place = tuple[Origin, bool]
"""An origin, and whether the client's certificate is shown there."""


class _SecureConnection(AbortableConnection, HTTPSConnection):
    """One with TLS."""


class Connections:
    """Asks origins; what urllib3's pools do for us, in a fraction of the time.

    Args:
        lifeline: holds the connection in use.
        look_up: finds the addresses of hosts.
        trust: whom servers must be vouched for by.
        max_idle: places to which a connection is kept.

    Threads: used in the transport's.
    """

    def __init__(
        self, lifeline: Lifeline, look_up: LookUp, *, trust: Trust, max_idle: int
    ) -> None:
        self._lifeline = lifeline
        self._look_up = look_up
        self._trust = trust
        self._max_idle = max_idle
        # The one that was used last is at the end.
        self._idle: OrderedDict[Place, AbortableConnection] = OrderedDict()

    def exchange(
        self,
        target: str,
        fields: Mapping[str, str | bytes],
        *,
        place: Place,
        limits: AttemptLimits,
    ) -> tuple[StrictResponse, Callable[[], None]]:
        """Send a GET; returns the head of the reply, and what is to be called at its end.

        Args:
            target: path and query.
            fields: of the header, without Host.
            place: where to.
            limits: for connecting and for silence.
        """
        connection = self._connection(place)
        try:
            connection.timeout = limits.connect_seconds or None
            connection.request("GET", target, headers=fields)
            connection.timeout = limits.timeout or None
            reply = connection.reply()
        except BaseException:
            connection.close()
            raise
        return reply, functools.partial(self._let_go, connection, reply, place=place)

    def close(self) -> None:
        """Close all that are kept."""
        while self._idle:
            self._idle.popitem()[1].close()

    def _connection(self, place: Place) -> AbortableConnection:
        kept = self._idle.pop(place, None)
        if kept is None:
            return self._made(place)
        # What TLS has decrypted already, nobody asked for; the socket does not show it.
        if kept.is_connected and not getattr(kept.sock, "pending", int)():
            return kept
        kept.close()
        return self._made(place)

    def _made(self, place: Place) -> AbortableConnection:
        (scheme, host, port), shows_cert = place
        options: dict[str, Any] = {"host": host, "port": port}
        if scheme == "https":
            trust = self._trust if shows_cert else self._trust.anonymous
            options["ssl_context"] = ssl_context(trust)
        made = (_SecureConnection if scheme == "https" else AbortableConnection)(**options)
        made.lifeline, made.look_up = self._lifeline, self._look_up
        return made

    def _let_go(
        self, connection: AbortableConnection, reply: StrictResponse, *, place: Place
    ) -> None:
        """Keep the connection if it can serve again, else close it."""
        can_serve = reply.is_complete and not reply.will_close
        reply.close()
        if not can_serve:
            connection.close()
            return
        if (other := self._idle.pop(place, None)) is not None:
            other.close()
        self._idle[place] = connection
        if len(self._idle) > self._max_idle:
            self._idle.popitem(last=False)[1].close()
