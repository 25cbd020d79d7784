"""What hostile servers send: bodies and headers without end, bombs, replies nobody asked for.

Knows nothing of the program under test.
"""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass

from tests.support.replies import Delivery, Raw, Wire

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Over:
    """The first `after` bytes, then the rest of them over and over."""

    after: int

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body[: self.after])
        while wire.pause(0):
            wire.send(body[self.after :])
        return False


@dataclass(frozen=True, slots=True)
class Stay:
    """What `inner` brings, and then nothing; `left` is set when the client has left."""

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
    """The message, and `more` once `may_go_on` is set; then `has_gone_on` is set."""

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
    """`start`, and `again` for ever."""
    return Raw(start + again, Over(len(start)))


def squeezed(megabytes: int, *, bits: int = 31) -> bytes:
    """So many MiB of zeros, compressed to about a thousandth; gzip unless `bits` say else."""
    coder = zlib.compressobj(wbits=bits)
    return b"".join(coder.compress(bytes(MIB)) for _ in range(megabytes)) + coder.flush()
