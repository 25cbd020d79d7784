"""Look-ups in threads of their own, and connections over several addresses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from url_downloader.network.connection import AbortableConnection
from url_downloader.network.resolver import Resolver
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.models import DownloadJob
from url_downloader.shared.ports import Address, Phase

JOB = DownloadJob(job_id=1, url="http://somewhere/", output="a", max_retries=0)
LOOPBACK = "127.0.0.1"
real_getaddrinfo = socket.getaddrinfo


class System:
    """The system's look-up: slow, and with what addresses the test says."""

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
    """Takes the place of the system's look-up; lets go of all that wait at the end."""
    it = System()
    monkeypatch.setattr(socket, "getaddrinfo", it.getaddrinfo)
    yield it
    it.may_answer.set()


@pytest.fixture
def resolver() -> Resolver:
    """A resolver."""
    return Resolver()


@pytest.fixture
def place() -> Iterator[tuple[str, int]]:
    """Where a server listens."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()


@pytest.fixture
def deaf() -> Iterator[tuple[str, int]]:
    """Where a server listens that has no room for one more connection."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((LOOPBACK, 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()


@pytest.fixture
def control() -> Iterator[AttemptControl]:
    """One that lets go at the end."""
    it = AttemptControl()
    yield it
    it.release()


@pytest.fixture
def connect(resolver: Resolver, control: AttemptControl) -> Iterator[Callable[..., Any]]:
    """Connects to `somewhere:80`, or elsewhere; the connections are closed at the end."""
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
    """What is an address already is known at once, whatever the system is doing."""
    for host in (LOOPBACK, "::1"):
        pending = resolver.look_up(host, 80)
        assert pending.wait(0)
        assert pending.addresses()[0][4][:2] == (host, 80)
    assert system.asked == []


def test_look_ups_of_one_host_share_a_thread(system: System, resolver: Resolver) -> None:
    """However many wait for a name, it is asked for once; later ones ask again."""
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
    """All who wait get the error, also one that is a bug, and so does nobody else."""
    system.error = error
    system.may_answer.set()
    pending = resolver.look_up("somewhere", 80)
    assert pending.wait(60)
    for _ in range(2):
        with pytest.raises(type(error)):
            pending.addresses()


def test_a_look_up_that_takes_too_long(system: System, connect: Callable[..., Any]) -> None:
    """The limit for connecting holds for it."""
    with pytest.raises(ConnectTimeoutError):
        connect(timeout=0.1)


def test_a_look_up_that_is_cut(
    system: System, connect: Callable[..., Any], control: AttemptControl
) -> None:
    """Who waits for it is free as soon as the line is cut."""
    threading.Timer(0.1, control.abort).start()
    with pytest.raises(NewConnectionError):
        connect()
    assert control.failure() is not None


def test_a_name_that_is_not_known(system: System, connect: Callable[..., Any]) -> None:
    """It is told from a host that takes no connection."""
    system.error = socket.gaierror(socket.EAI_NONAME, "Name not known")
    system.may_answer.set()
    with pytest.raises(NameResolutionError):
        connect()


def test_the_first_address_that_answers(
    system: System, connect: Callable[..., Any], place: tuple[str, int], deaf: tuple[str, int]
) -> None:
    """One that refuses and one that is silent cost time, but not the connection."""
    with socket.create_server((LOOPBACK, 0)) as closed:
        refusing = closed.getsockname()
    system.places = [refusing, deaf, place]
    system.may_answer.set()
    assert connect(timeout=2).sock.getpeername() == place


def test_no_address_answers(
    system: System, connect: Callable[..., Any], deaf: tuple[str, int]
) -> None:
    """However many there are, one limit holds for all of them together."""
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
    """Also while the other side does not answer at all; no further address is tried."""
    system.places = [deaf] * 50
    system.may_answer.set()
    threading.Timer(0.2, control.abort).start()
    with pytest.raises((NewConnectionError, OSError)):
        connect(timeout=None)
    assert control.failure() is not None


def test_the_phases_are_told(
    system: System, connect: Callable[..., Any], control: AttemptControl, place: tuple[str, int]
) -> None:
    """A connection that is being made is seen as such, from the look-up on."""
    system.places = [place]
    seen: list[Phase] = []

    def phase() -> Phase:
        progress = control.progress()
        assert progress is not None
        return progress.phase

    def answer() -> None:
        seen.append(phase())
        system.may_answer.set()

    control.begin(JOB)
    threading.Timer(0.1, answer).start()
    connect()
    assert (seen, phase()) == ([Phase.CONNECTING], Phase.WAITING)
