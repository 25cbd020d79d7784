"""Look-ups of host names in threads of their own, and connections over several addresses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from tests.support.jobs import make_job
from url_downloader.network.connection import AbortableConnection
from url_downloader.network.resolver import Resolver
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.ports import Address, Phase

LOOPBACK = "127.0.0.1"
real_getaddrinfo = socket.getaddrinfo


class System:
    """The look-up of the system, which is slow and returns the addresses of the test."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.may_answer = threading.Event()
        self.places: Sequence[tuple[str, int]] = ()
        self.error: Exception | None = None

    def getaddrinfo(self, host: str, port: int, **options: Any) -> Sequence[Address]:
        if options.get("flags"):
            return real_getaddrinfo(host, port, **options)
        self.asked.append((host, port))
        assert self.may_answer.wait(60)
        if self.error is not None:
            raise self.error
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in self.places]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """Yield the look-up that replaces the system's; at the end it answers all that wait."""
    it = System()
    monkeypatch.setattr(socket, "getaddrinfo", it.getaddrinfo)
    yield it
    it.may_answer.set()


@pytest.fixture
def resolver() -> Resolver:
    """Return a resolver."""
    return Resolver()


@pytest.fixture
def place() -> Iterator[tuple[str, int]]:
    """Yield the address of a server."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()


@pytest.fixture
def deaf() -> Iterator[tuple[str, int]]:
    """Yield the address of a server that can accept no more connections."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((LOOPBACK, 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()


@pytest.fixture
def control() -> Iterator[AttemptControl]:
    """Yield a control that releases its connection at the end."""
    it = AttemptControl()
    yield it
    it.release()


@pytest.fixture
def connect(resolver: Resolver, control: AttemptControl) -> Iterator[Callable[..., Any]]:
    """Yield a function that connects to `somewhere:80`; connections are closed at the end."""
    made: list[Any] = []

    def open_one(timeout: float | None = 60, host: str = "somewhere") -> Any:
        made.append(AbortableConnection(host, 80, timeout=timeout))
        made[-1].control, made[-1].look_up = control, resolver.look_up
        made[-1].connect()
        return made[-1]

    yield open_one
    for connection in made:
        connection.close()


def test_an_address_needs_no_thread(system: System, resolver: Resolver) -> None:
    """An address is resolved at once, without the system's look-up."""
    for host in (LOOPBACK, "::1"):
        pending = resolver.look_up(host, 80)
        assert pending.wait(0)
        assert pending.addresses()[0][4][:2] == (host, 80)
    assert system.asked == []


def test_look_ups_of_one_host_share_a_thread(system: System, resolver: Resolver) -> None:
    """Waiters for one name share a look-up; a later call makes a new one."""
    system.places = [(LOOPBACK, 80)]
    first = [resolver.look_up("somewhere", 80) for _ in range(20)]
    other = resolver.look_up("elsewhere", 80)
    assert not first[0].wait(0)
    system.may_answer.set()
    for pending in (*first, other):
        assert pending.wait(60)
        assert [address[4] for address in pending.addresses()] == system.places
    assert resolver.look_up("somewhere", 80).wait(60)
    asked = sorted(host for host, _ in system.asked)
    assert asked == ["elsewhere", "somewhere", "somewhere"]


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(-2, "Name not known"),
        UnicodeError("label too long"),
        RuntimeError("bug"),
    ],
)
def test_a_name_that_is_none(system: System, resolver: Resolver, error: Exception) -> None:
    """All waiters of a failed look-up get its error, even if that is a bug; it is not kept."""
    system.error = error
    system.may_answer.set()
    for count in (1, 2):
        pending = resolver.look_up("somewhere", 80)
        assert pending.wait(60)
        for _ in range(2):
            with pytest.raises(type(error)):
                pending.addresses()
        assert len(system.asked) == count


def test_a_look_up_that_takes_too_long(system: System, connect: Callable[..., Any]) -> None:
    """The limit for connecting includes the look-up."""
    with pytest.raises(ConnectTimeoutError):
        connect(timeout=0.1)


def test_a_look_up_that_is_cut(
    system: System, connect: Callable[..., Any], control: AttemptControl
) -> None:
    """An abort ends the wait for a look-up at once."""
    threading.Timer(0.1, control.abort).start()
    with pytest.raises(NewConnectionError):
        connect()
    assert control.failure() is not None


def test_a_name_that_is_not_known(system: System, connect: Callable[..., Any]) -> None:
    """An unknown name has another error than a host that accepts no connection."""
    system.error = socket.gaierror(socket.EAI_NONAME, "Name not known")
    system.may_answer.set()
    with pytest.raises(NameResolutionError):
        connect()


def test_the_first_address_that_answers(
    system: System, connect: Callable[..., Any], place: tuple[str, int], deaf: tuple[str, int]
) -> None:
    """Addresses that refuse or are silent cost time, but not the connection."""
    with socket.create_server((LOOPBACK, 0)) as closed:
        refusing = closed.getsockname()
    system.places = [refusing, deaf, place]
    system.may_answer.set()
    assert connect(timeout=2).sock.getpeername() == place


def test_no_address_answers(
    system: System, connect: Callable[..., Any], deaf: tuple[str, int]
) -> None:
    """One limit holds for all addresses together."""
    system.places = [deaf] * 5
    system.may_answer.set()
    with pytest.raises(ConnectTimeoutError):
        connect(timeout=0.3)


def test_connecting_can_be_cut(
    system: System,
    connect: Callable[..., Any],
    control: AttemptControl,
    deaf: tuple[str, int],
) -> None:
    """An abort ends a connection attempt, and no further address is tried."""
    system.places = [deaf] * 50
    system.may_answer.set()
    threading.Timer(0.2, control.abort).start()
    with pytest.raises((NewConnectionError, OSError)):
        connect(timeout=None)
    assert control.failure() is not None


def test_the_phases_are_told(
    system: System, connect: Callable[..., Any], control: AttemptControl, place: tuple[str, int]
) -> None:
    """The phase is CONNECTING from the look-up on, until the connection is there."""
    system.places = [place]
    seen: list[Phase] = []

    def phase() -> Phase:
        progress = control.progress()
        assert progress is not None
        return progress.phase

    def answer() -> None:
        seen.append(phase())
        system.may_answer.set()

    control.begin(make_job())
    threading.Timer(0.1, answer).start()
    connect()
    assert (seen, phase()) == ([Phase.CONNECTING], Phase.WAITING)
