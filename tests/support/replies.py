"""Replies of the scripted server, and their deliveries. Frozen values, without sockets."""

from __future__ import annotations

import enum
import http
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came.

    Args:
        method: Method in the request line.
        target: Path with query in the request line.
        headers: (name, value) pairs in order.
        connection: Number of its connection, from 1.
        ordinal: Its number among the requests for this script, from 1.
        time: Monotonic time of its last byte.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    connection: int
    ordinal: int
    time: float

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """Return the value of the first header of this name, in any case; None without one."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class Wire(Protocol):
    """The operations of a delivery on a connection; they end early when the server closes."""

    def send(self, data: bytes) -> None:
        """Send all of `data`."""

    def pause(self, seconds: float) -> bool:
        """Wait; return False if the server closes during the wait."""

    def hold_until(self, event: threading.Event) -> bool:
        """Wait for `event`; return False if the server closes first."""

    def hold(self) -> None:
        """Wait until the client leaves or the server closes."""

    def reset(self) -> None:
        """Close with RST as soon as the sent bytes have arrived."""


class Delivery(Protocol):
    """The way in which a message is sent."""

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        """Send the message; return True if the connection could carry another reply."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A delivery of all bytes at once."""

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body)
        return True


@dataclass(frozen=True, slots=True)
class Cut:
    """A delivery of the first `after` bytes of the body, and a FIN; no close_notify in TLS."""

    after: int

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body[: self.after])
        return False


@dataclass(frozen=True, slots=True)
class Reset:
    """A delivery of the first `after` bytes of the body, and a RST."""

    after: int

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body[: self.after])
        wire.reset()
        return False


@dataclass(frozen=True, slots=True)
class Stall:
    """A delivery of the first `after` bytes of the body, which then waits for the client."""

    after: int

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body[: self.after])
        wire.hold()
        return False


@dataclass(frozen=True, slots=True)
class Trickle:
    """A delivery of `after` bytes of the body at once, then of a byte each `every` seconds."""

    every: float
    after: int = 0

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body[: self.after])
        for byte in body[self.after :]:
            if not wire.pause(self.every):
                return False
            wire.send(bytes((byte,)))
        return True


@dataclass(frozen=True, slots=True)
class Hold:
    """A delivery of `after` bytes of the body at once, and of the rest once `until` is set."""

    until: threading.Event
    after: int = 0

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body[: self.after])
        if not wire.hold_until(self.until):
            return False
        wire.send(body[self.after :])
        return True


@dataclass(frozen=True, slots=True)
class Endless:
    """A delivery of the body again and again, until the client leaves."""

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head)
        while wire.pause(0):
            wire.send(body)
        return False


class Framing(enum.Enum):
    """The way a reply marks the end of its body."""

    LENGTH = enum.auto()
    CHUNKED = enum.auto()
    CLOSE = enum.auto()  # adds no header, so that a test may add false ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A well-formed reply, unless its headers say otherwise.

    Args:
        status: Status code.
        body: Content before chunking.
        headers: Headers beside those of the framing.
        framing: End of the body; `CLOSE` closes the connection after it.
        keep_alive: Whether the connection stays open for the next request.
        delivery: Way in which it is sent; it counts the bytes of the body with its framing.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()
    framing: Framing = Framing.LENGTH
    keep_alive: bool = True
    delivery: Delivery = field(default_factory=Whole)

    @property
    def closes(self) -> bool:
        """True if the connection ends with this reply."""
        return not self.keep_alive or self.framing is Framing.CLOSE

    @property
    def head(self) -> bytes:
        """Status line and headers with the blank line."""
        lines = [f"HTTP/1.1 {self.status} {_reason(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self._all_headers()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    @property
    def payload(self) -> bytes:
        """The body as it is sent."""
        return chunked(self.body) if self.framing is Framing.CHUNKED else self.body

    @property
    def message(self) -> bytes:
        """The whole reply, which a `Raw` may damage anywhere."""
        return self.head + self.payload

    def _all_headers(self) -> Iterable[tuple[str, str]]:
        given = self.headers
        yield from given.items() if isinstance(given, Mapping) else given
        if self.framing is Framing.CHUNKED:
            yield "Transfer-Encoding", "chunked"
        elif self.framing is Framing.LENGTH and self.status not in (204, 304):
            yield "Content-Length", str(len(self.body))
        if self.closes:
            yield "Connection", "close"


@dataclass(frozen=True, slots=True)
class Raw:
    """Exact bytes in place of a reply; the connection closes after them unless `keep_alive`.

    Its delivery counts from the first byte: `Raw(reply.message, Stall(20))` stalls in the head.
    """

    payload: bytes
    delivery: Delivery = field(default_factory=Whole)
    keep_alive: bool = False
    head: bytes = field(default=b"", init=False)

    @property
    def closes(self) -> bool:
        """True if the connection ends with these bytes."""
        return not self.keep_alive


Answer = Reply | Raw
Action = Answer | Callable[[Request], Answer]


def flap(times: int, then: Action, *, failing: Action | None = None) -> list[Action]:
    """Return a script that fails `times` times, by default with 500, before `then`."""
    failure = Reply(status=500) if failing is None else failing
    return [*[failure] * times, then]


def chunked(body: bytes, *, size: int = 1 << 14) -> bytes:
    """Return `body` in chunked coding (RFC 9112 §7.1), in chunks of up to `size` bytes."""
    starts = range(0, len(body), size)
    chunks = (body[start : start + size] for start in starts)
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
