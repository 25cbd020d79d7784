"""Hosts with several addresses: look-ups that a test answers, and starts that it can count."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, Protocol

import pytest

from tests.support.waiting import wait_until
from url_downloader.config.dial_settings import DialSettings
from url_downloader.network import dial_race
from url_downloader.network.address_guard import AddressGuard
from url_downloader.network.dialler import Dialler
from url_downloader.network.resolver import Address, Resolver
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

PATIENT = 60.0
"""Seconds that no passing test waits."""
NAME = "somewhere"
"""Host name that the tests look up."""

Place = tuple[str, int]
"""IP address and TCP port."""

real_getaddrinfo = socket.getaddrinfo
real_connect_ex = socket.socket.connect_ex


def address_of(place: Place) -> Address:
    """Return a place as a look-up returns it."""
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)


class System:
    """The look-up of the system, which is slow and returns the addresses of the test."""

    def __init__(self) -> None:
        self.asked: list[Place] = []
        self.may_answer = threading.Event()
        self.places: Sequence[Place] = ()
        self.error: Exception | None = None

    def getaddrinfo(self, host: str, port: int, **options: Any) -> Sequence[Address]:
        if options.get("flags"):
            return real_getaddrinfo(host, port, **options)
        self.asked.append((host, port))
        assert self.may_answer.wait(PATIENT)
        if self.error is not None:
            raise self.error
        return [address_of(place) for place in self.places]

    def answers(self, *places: Place) -> None:
        """Answer all look-ups with these addresses."""
        self.places = places
        self.error = None
        self.may_answer.set()

    def fails(self, error: Exception) -> None:
        """Answer all look-ups with this error."""
        self.error = error
        self.may_answer.set()


@contextmanager
def slow_look_ups(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """Replace the look-ups of the system; at the end those that wait are answered."""
    it = System()
    monkeypatch.setattr(socket, "getaddrinfo", it.getaddrinfo)
    yield it
    it.may_answer.set()


class Start(NamedTuple):
    """Start of an attempt to connect.

    Args:
        place: Where to.
        time: Monotonic time.
        pending: Number of other attempts that went on.
    """

    place: Place
    time: float
    pending: int


class Starts:
    """Attempts to connect that were started; they are made by real sockets.

    Args:
        monkeypatch: Patch that the recording lasts as long as.

    Attributes:
        all: The starts, in order.
        then: Called after each start, in the thread that connects.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.all: list[Start] = []
        self.then: Callable[[], object] = lambda: None
        self._sockets: list[socket.socket] = []
        self._patch = monkeypatch

        def connect_ex(sock: socket.socket, place: Place) -> int:
            return self._connect(sock, place)

        monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)

    def set_gap(self, seconds: float) -> None:
        """Set how long a start has to be after the one before it."""
        self._patch.setattr(dial_race, "START_SECONDS", seconds)

    def _connect(self, sock: socket.socket, place: Place) -> int:
        pending = sum(each.fileno() >= 0 for each in self._sockets)
        self._sockets.append(sock)
        self.all.append(Start(place[:2], time.monotonic(), pending))
        code = real_connect_ex(sock, place)
        self.then()
        return code

    @property
    def places(self) -> list[Place]:
        """Return where to the attempts were started."""
        return [start.place for start in self.all]


class Connect(Protocol):
    """Function that connects to `somewhere:80`."""

    def __call__(
        self, host: str = NAME, /, *, seconds: float = PATIENT, is_proxy: bool = False
    ) -> socket.socket: ...


class Diallers:
    """Makers of diallers, whose sockets are closed at the end of the test."""

    def __init__(self, resolver: Resolver, control: AttemptControl, sockets: ExitStack) -> None:
        self._resolver = resolver
        self._control = control
        self._sockets = sockets

    def make(
        self, *, settings: DialSettings | None = None, source: str | None = None
    ) -> Connect:
        """Return the function that connects with a new dialler."""
        guard = AddressGuard(settings or DialSettings())
        endpoint = None if source is None else (source, 0)
        made = Dialler(self._resolver, guard=guard, source=endpoint)

        def connect(
            host: str = NAME, /, *, seconds: float = PATIENT, is_proxy: bool = False
        ) -> socket.socket:
            deadline = time.monotonic() + seconds
            sock = made.connect(
                (host, 80), control=self._control, deadline=deadline, is_proxy=is_proxy
            )
            return self._sockets.enter_context(sock)

        return connect


@contextmanager
def aborting(control: AttemptControl, starts: Starts, *, count: int) -> Iterator[None]:
    """Abort after this number of starts in another thread; check that it ends the block."""

    def abort() -> None:
        wait_until(lambda: len(starts.all) == count, what="the attempts")
        control.abort()

    aborter = threading.Thread(target=abort)
    aborter.start()
    with pytest.raises(AttemptError) as caught:
        yield
    aborter.join()
    assert caught.value.kind is ErrorKind.INTERRUPTED
