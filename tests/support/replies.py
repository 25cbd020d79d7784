"""The vocabulary of the scripted server: what to answer, and what becomes of it on the way.

Frozen values; knows no socket.
"""

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
        method: as in the request line.
        target: path with query, as in the request line.
        headers: (name, value) pairs in order.
        connection: number of the connection that it came on, from 1.
        ordinal: how many requests for this script came, with this one.
        time: monotonic, when its last byte was there.
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
        """The value of the first header called `name`, in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class Wire(Protocol):
    """What a delivery may do with a connection. All of it ends early when the server closes."""

    def send(self, data: bytes) -> None:
        """Send all of `data`."""

    def pause(self, seconds: float) -> bool:
        """Wait; False if the server closes meanwhile."""

    def hold_until(self, event: threading.Event) -> bool:
        """Wait for `event`; False if the server closes before."""

    def hold(self) -> None:
        """Wait until the client leaves or the server closes."""

    def reset(self) -> None:
        """Close with RST as soon as what was sent has arrived."""


class Delivery(Protocol):
    """What becomes of a message on its way."""

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        """Deliver; True if the connection could carry another reply."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything at once."""

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body)
        return True


@dataclass(frozen=True, slots=True)
class Cut:
    """The first `after` bytes of the body, then a FIN; in TLS without close_notify."""

    after: int

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body[: self.after])
        return False


@dataclass(frozen=True, slots=True)
class Reset:
    """The first `after` bytes of the body, then a RST."""

    after: int

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body[: self.after])
        wire.reset()
        return False


@dataclass(frozen=True, slots=True)
class Stall:
    """The first `after` bytes of the body, then nothing until the client leaves."""

    after: int

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head + body[: self.after])
        wire.hold()
        return False


@dataclass(frozen=True, slots=True)
class Trickle:
    """The first `after` bytes of the body, then one byte each `every` seconds."""

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
    """The first `after` bytes of the body, and the rest once `until` is set."""

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
    """The body over and over, until the client leaves."""

    def play(self, wire: Wire, head: bytes, body: bytes) -> bool:
        wire.send(head)
        while wire.pause(0):
            wire.send(body)
        return False


class Framing(enum.Enum):
    """How a reply says where its body ends."""

    LENGTH = enum.auto()
    CHUNKED = enum.auto()
    CLOSE = enum.auto()  # adds no header of its own: also for headers that lie


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A well-formed reply, unless its headers say otherwise.

    Args:
        status: status code.
        body: content, before any chunking.
        headers: beside those of the framing.
        framing: where the body ends; `CLOSE` closes the connection after it.
        keep_alive: whether the connection stays open for the next request.
        delivery: what becomes of it; counts the bytes of the body as framed.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()
    framing: Framing = Framing.LENGTH
    keep_alive: bool = True
    delivery: Delivery = field(default_factory=Whole)

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this reply."""
        return not self.keep_alive or self.framing is Framing.CLOSE

    @property
    def head(self) -> bytes:
        """Status line and headers with the blank line."""
        lines = [f"HTTP/1.1 {self.status} {_reason(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self._all_headers()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    @property
    def payload(self) -> bytes:
        """The body as it goes over the wire."""
        return chunked(self.body) if self.framing is Framing.CHUNKED else self.body

    @property
    def message(self) -> bytes:
        """The whole reply: what to put into a `Raw` to damage it anywhere."""
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

    The delivery counts from the first byte: `Raw(reply.message, Stall(20))` stalls in the head.
    """

    payload: bytes
    delivery: Delivery = field(default_factory=Whole)
    keep_alive: bool = False
    head: bytes = field(default=b"", init=False)

    @property
    def closes(self) -> bool:
        """Whether the connection ends with these bytes."""
        return not self.keep_alive


Answer = Reply | Raw
Action = Answer | Callable[[Request], Answer]


def flap(times: int, then: Action, *, failing: Action | None = None) -> list[Action]:
    """A script that fails `times` times, with 503 unless said otherwise, before `then`."""
    failure = Reply(status=503) if failing is None else failing
    return [*[failure] * times, then]


def chunked(body: bytes, *, size: int = 1 << 14) -> bytes:
    """`body` in chunked transfer coding (RFC 9112 §7.1), in chunks of up to `size` bytes."""
    starts = range(0, len(body), size)
    chunks = (body[start : start + size] for start in starts)
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
