"""Replies of hostile servers: endless bodies and headers, bombs, replies without a request.

Independent of the program under test.
"""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass

from tests.support.replies import Delivery, Raw, Wire

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Over:
    """A delivery that sends the first `after` bytes once, and the rest again and again."""

    after: int

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body[: self.after])
        while wire.pause(0):
            wire.send(body[self.after :])
        return False


@dataclass(frozen=True, slots=True)
class Stay:
    """A delivery that follows `inner` and then waits; `left` is set when the client leaves."""

    inner: Delivery
    left: threading.Event

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        try:
            self.inner.play(wire, head, body)
            wire.hold()
        finally:
            self.left.set()
        return False


@dataclass(frozen=True, slots=True)
class Afterthought:
    """A delivery that sends the message, waits for `may_go_on`, sends `more`, and says so."""

    more: bytes
    may_go_on: threading.Event
    has_gone_on: threading.Event

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body)
        if not wire.hold_until(self.may_go_on):
            return False
        wire.send(self.more)
        self.has_gone_on.set()
        return True


def endless(start: bytes, again: bytes) -> Raw:
    """Return a reply that is `start`, and then `again` without end."""
    return Raw(start + again, Over(len(start)))


def squeezed(megabytes: int, *, bits: int = 31) -> bytes:
    """Return so many MiB of zeros, compressed to a thousandth; by default with gzip."""
    coder = zlib.compressobj(wbits=bits)
    return b"".join(coder.compress(bytes(MIB)) for _ in range(megabytes)) + coder.flush()
