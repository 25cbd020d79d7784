"""Connections to hosts with several addresses, of which some refuse or never answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from math import inf
from pathlib import Path

import pytest

from tests.support.dialling import (
    NAME,
    PATIENT,
    Connect,
    Diallers,
    Place,
    Starts,
    System,
    aborting,
)
from tests.support.jobs import make_job
from tests.support.raw_tcp import HOST, unanswered_port
from url_downloader.config.dial_settings import DialSettings, parse_network
from url_downloader.network.address_guard import AddressGuard
from url_downloader.network.connector import Connector
from url_downloader.network.dial_race import MAX_PENDING, START_SECONDS
from url_downloader.network.dialler import Dialler
from url_downloader.network.resolver import Resolver
from url_downloader.network.route import Route
from url_downloader.network.tls import TlsConfig
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Phase

SHORT = 0.1
SHORT_GAP = 0.02
"""Seconds between two starts, so that a race with many of them is short."""

needs_ipv6 = pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="no IPv6 here")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Yield the listening socket of a server."""
    with socket.create_server((HOST, 0)) as it:
        it.settimeout(PATIENT)
        yield it


@pytest.fixture
def place(listener: socket.socket) -> Place:
    """Return the address of a server."""
    found: Place = listener.getsockname()
    return found


@pytest.fixture
def refusing() -> Place:
    """Return an address that refuses connections."""
    with socket.create_server((HOST, 0)) as closed:
        found: Place = closed.getsockname()
    return found


@pytest.fixture
def hole() -> Iterator[Place]:
    """Yield an address that swallows what is sent to it."""
    with unanswered_port() as port:
        yield HOST, port


@pytest.fixture
def hole6() -> Iterator[Place]:
    """Yield an IPv6 address that swallows what is sent to it."""
    with unanswered_port("::1") as port:
        yield "::1", port


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch, hole: Place) -> Starts:
    """Return the recorder of starts, after the other sockets of the test have connected."""
    return Starts(monkeypatch)


@pytest.fixture
def control() -> Iterator[AttemptControl]:
    """Yield a control that releases its socket at the end."""
    it = AttemptControl()
    yield it
    it.release()


@pytest.fixture
def diallers(resolver: Resolver, control: AttemptControl) -> Iterator[Diallers]:
    """Yield the maker of diallers; their connections are closed at the end."""
    with ExitStack() as sockets:
        yield Diallers(resolver, control, sockets)
        control.release()


@pytest.fixture
def connect(diallers: Diallers) -> Connect:
    """Return a function that connects to `somewhere:80` without any rules for addresses."""
    return diallers.make()


def test_a_look_up_that_takes_too_long(system: System, connect: Connect) -> None:
    """The limit for connecting includes the look-up."""
    with pytest.raises(TimeoutError):
        connect(seconds=SHORT)


def test_a_look_up_that_is_aborted(
    system: System, connect: Connect, control: AttemptControl
) -> None:
    """An abort ends the wait for a look-up at once."""
    threading.Timer(SHORT, control.abort).start()
    with pytest.raises(AttemptError) as caught:
        connect(seconds=inf)
    assert caught.value.kind is ErrorKind.INTERRUPTED


def test_a_name_that_is_not_known(system: System, connect: Connect) -> None:
    """An unknown name has another error than a host that accepts no connection."""
    system.fails(socket.gaierror(socket.EAI_NONAME, "Name not known"))
    with pytest.raises(socket.gaierror):
        connect()


def test_a_name_without_addresses(system: System, connect: Connect) -> None:
    """A name that has no address is an error, not an endless wait."""
    system.answers()
    with pytest.raises(OSError, match="assign requested address"):
        connect()


def test_the_first_address_that_answers(
    system: System, connect: Connect, place: Place, refusing: Place, hole: Place
) -> None:
    """Addresses that refuse or are silent cost time, but not the connection."""
    system.answers(refusing, hole, place)
    sock = connect()
    assert sock.getpeername() == place
    assert sock.getblocking()
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_no_address_answers(system: System, connect: Connect, hole: Place) -> None:
    """One limit holds for all addresses together."""
    system.answers(*[hole] * 5)
    with pytest.raises(TimeoutError):
        connect(seconds=0.3)


def test_every_address_refuses(
    system: System, connect: Connect, refusing: Place, starts: Starts
) -> None:
    """Each address is tried once; the error is that of the last one."""
    system.answers(refusing, refusing, refusing)
    with pytest.raises(ConnectionRefusedError):
        connect(seconds=inf)
    assert starts.places == [refusing] * 3


def test_a_host_that_can_not_be_reached_is_looked_up_again(
    system: System, connect: Connect, refusing: Place, place: Place
) -> None:
    """An answer whose addresses all fail is not kept: the host may have moved."""
    system.answers(refusing)
    with pytest.raises(ConnectionRefusedError):
        connect()
    system.answers(place)
    for _ in range(2):
        assert connect().getpeername() == place
    assert len(system.asked) == 2


def test_a_refusal_costs_no_time(
    system: System, connect: Connect, starts: Starts, *, place: Place, refusing: Place
) -> None:
    """After a failure the next address is tried at once."""
    starts.set_gap(10 * PATIENT)
    system.answers(refusing, refusing, place)
    assert connect().getpeername() == place


def test_a_refusal_costs_no_time_while_another_attempt_goes_on(
    system: System,
    connect: Connect,
    starts: Starts,
    *,
    place: Place,
    refusing: Place,
    hole: Place,
) -> None:
    """After a failure the next address is tried at once, also beside a silent one."""

    def wait_for_ever() -> None:
        if len(starts.all) == 2:
            starts.set_gap(10 * PATIENT)

    starts.then = wait_for_ever
    system.answers(hole, refusing, place)
    assert connect(seconds=1).getpeername() == place


def test_an_address_that_fails_at_once_costs_no_time(
    system: System, connect: Connect, starts: Starts, *, place: Place, hole: Place
) -> None:
    """After an address that the system itself refuses, the next one is tried at once."""
    starts.then = lambda: starts.set_gap(10 * PATIENT if starts.all[1:] else SHORT_GAP)
    # TCP has no broadcast.
    system.answers(hole, ("255.255.255.255", 80), place)
    assert connect(seconds=1).getpeername() == place


@needs_ipv6
def test_the_starts_of_attempts(
    system: System, connect: Connect, hole6: Place, starts: Starts, *, place: Place, hole: Place
) -> None:
    """Addresses are tried by turns of their families, 250 ms after each other (RFC 8305)."""
    system.answers(hole6, hole6, hole, place)
    begun = time.monotonic()
    assert connect().getpeername() == place
    assert starts.places == [hole6, hole, hole6, place]
    for number, start in enumerate(starts.all):
        assert start.time - begun >= number * START_SECONDS
        assert start.pending == number


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        ("4", [1]),
        ("444", [1, 2, 3]),
        ("664", [1, 3, 2]),
        ("446", [1, 3, 2]),
        ("66644", [1, 4, 2, 5, 3]),
        ("6464", [1, 2, 3, 4]),
    ],
)
@needs_ipv6
def test_families_by_turns(
    system: System, connect: Connect, starts: Starts, families: str, expected: list[int]
) -> None:
    """The system's first family begins; each family keeps the system's order."""
    # No server has these ports, so that each address is tried.
    system.answers(
        *(("::1" if family == "6" else HOST, port) for port, family in enumerate(families, 1))
    )
    with pytest.raises(ConnectionRefusedError):
        connect()
    assert [port for _, port in starts.places] == expected


@needs_ipv6
def test_a_host_whose_ipv6_leads_nowhere(
    system: System, connect: Connect, hole6: Place, starts: Starts, *, place: Place
) -> None:
    """A black hole delays the first connection to a host, and no later one."""
    system.answers(hole6, place)
    for _ in range(3):
        assert connect().getpeername() == place
    assert starts.places == [hole6, place, place, place]


def test_the_winner_that_fails_later(
    system: System, connect: Connect, starts: Starts, *, place: Place, refusing: Place
) -> None:
    """The address that answered last is tried first, until another one answers."""
    with socket.create_server((HOST, 0)) as other:
        second: Place = other.getsockname()
        system.answers(refusing, second, place)
        assert connect().getpeername() == second
    for _ in range(2):
        assert connect().getpeername() == place
    assert starts.places == [refusing, second, second, refusing, place, place]


def test_winners_are_remembered_for_their_host(
    system: System, connect: Connect, starts: Starts, *, place: Place, refusing: Place
) -> None:
    """The order of the addresses of another host is its own."""
    system.answers(refusing, place)
    for host in (NAME, "elsewhere"):
        assert connect(host).getpeername() == place
    assert starts.places == [refusing, place] * 2


def test_more_black_holes_than_attempts_at_once(
    system: System, connect: Connect, starts: Starts, *, hole: Place, place: Place
) -> None:
    """More addresses than may be tried at once are tried nevertheless; the oldest give way."""
    starts.set_gap(SHORT_GAP)
    system.answers(*[hole] * (MAX_PENDING + 3), place)
    assert connect().getpeername() == place
    pending = [start.pending for start in starts.all]
    assert pending == [*range(MAX_PENDING), *[MAX_PENDING - 1] * 4]


@pytest.mark.parametrize("count", [1, 2, MAX_PENDING, MAX_PENDING + 1])
def test_a_race_can_be_aborted(
    system: System,
    connect: Connect,
    starts: Starts,
    *,
    control: AttemptControl,
    hole: Place,
    count: int,
) -> None:
    """An abort ends all attempts of a race at once; no further address is tried."""
    starts.set_gap(SHORT_GAP)

    def wait_for_ever() -> None:
        if len(starts.all) == count:
            starts.set_gap(inf)

    starts.then = wait_for_ever
    system.answers(*[hole] * 50)
    with aborting(control, starts, count=count):
        connect(seconds=inf)
    assert len(starts.all) == count


def test_a_race_can_be_aborted_after_a_failure(
    system: System,
    connect: Connect,
    starts: Starts,
    *,
    control: AttemptControl,
    hole: Place,
    refusing: Place,
) -> None:
    """An abort also reaches the attempts that go on after another one has failed."""
    starts.set_gap(SHORT_GAP)
    system.answers(*[hole] * MAX_PENDING, refusing)
    with aborting(control, starts, count=MAX_PENDING + 1):
        connect(seconds=inf)


def test_an_early_attempt_that_answers_late(
    system: System, connect: Connect, starts: Starts, *, control: AttemptControl, hole: Place
) -> None:
    """Any attempt may win, also not the last one; its connection can be aborted then."""
    with ExitStack() as sockets:
        busy = sockets.enter_context(socket.create_server((HOST, 0), backlog=0))
        late: Place = busy.getsockname()
        # Its queue is full then: the first packet to it is lost, and sent again after a second.
        sockets.enter_context(socket.socket()).connect(late)
        starts.set_gap(SHORT_GAP)

        def accept() -> None:
            if len(starts.all) == 2:
                sockets.enter_context(busy.accept()[0])

        starts.then = accept
        system.answers(late, hole)
        sock = connect()
        assert (sock.getpeername(), starts.places) == (late, [late, hole])
        sock.settimeout(PATIENT)
        control.abort()
        assert sock.recv(1) == b""


def test_an_attempt_that_was_aborted_before(
    system: System, connect: Connect, control: AttemptControl, hole: Place
) -> None:
    """An abort that came before the first attempt to connect ends it, too."""
    control.abort()
    system.answers(hole)
    with pytest.raises(AttemptError) as caught:
        connect(seconds=inf)
    assert caught.value.kind is ErrorKind.INTERRUPTED


def test_a_connection_is_held(
    system: System, connect: Connect, control: AttemptControl, place: Place, refusing: Place
) -> None:
    """After the race, an abort shuts the connection down."""
    system.answers(refusing, place)
    sock = connect()
    sock.settimeout(PATIENT)
    control.abort()
    assert sock.recv(1) == b""


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="127.0.0.5 is Linux's")
def test_the_source_of_connections(
    system: System, diallers: Diallers, listener: socket.socket, place: Place
) -> None:
    """A server sees the address that the user chose to connect from."""
    system.answers(place)
    diallers.make(source="127.0.0.5")()
    accepted, (host, _) = listener.accept()
    accepted.close()
    assert host == "127.0.0.5"


def test_a_source_that_is_not_here(
    system: System, diallers: Diallers, place: Place, starts: Starts
) -> None:
    """An address that this machine does not have is an error of each attempt."""
    system.answers(place, place)
    with pytest.raises(OSError, match="assign requested address"):
        diallers.make(source="192.0.2.1")(seconds=inf)
    assert starts.places == []


PUBLIC_ONLY = DialSettings(is_public_only=True)


def refuse_sockets(*_: object, **__: object) -> None:
    """Stand for socket.socket where no socket may be opened."""
    raise AssertionError("a socket was opened")


@pytest.mark.parametrize("host", [HOST, "2130706433", "0177.0.0.1", "0x7f.1", "::1", NAME])
def test_a_forbidden_address(
    system: System, diallers: Diallers, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """An address is judged in each spelling, before any socket is opened."""
    system.answers(("192.168.1.1", 80))
    connect = diallers.make(settings=PUBLIC_ONLY)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", refuse_sockets)
        with pytest.raises(AttemptError) as caught:
            connect(host)
    assert caught.value.kind is ErrorKind.FORBIDDEN_ADDRESS
    address = {NAME: "192.168.1.1", "::1": "::1"}.get(host, HOST)
    assert f"the address {address}" in caught.value.message


def test_one_forbidden_address_forbids_the_name(
    system: System, diallers: Diallers, place: Place, starts: Starts
) -> None:
    """A name with a forbidden address is refused, wherever its other addresses lead."""
    denying = DialSettings(denied_nets=(parse_network("192.0.2.0/24"),))
    connect = diallers.make(settings=denying)
    system.answers(place, ("192.0.2.1", 80))
    with pytest.raises(AttemptError) as caught:
        connect()
    assert caught.value.kind is ErrorKind.FORBIDDEN_ADDRESS
    assert starts.places == []
    system.answers(place)
    assert connect("elsewhere").getpeername() == place


def test_proxies_are_not_guarded(system: System, diallers: Diallers, place: Place) -> None:
    """The user chose the proxy, so that its address is not judged."""
    system.answers(place)
    connect = diallers.make(settings=PUBLIC_ONLY)
    assert connect(is_proxy=True).getpeername() == place


def test_the_phase_of_connecting(
    system: System, resolver: Resolver, control: AttemptControl, place: Place
) -> None:
    """The phase is CONNECTING from the look-up on, until the connection is there."""
    seen: list[Phase] = []

    def see() -> None:
        progress = control.progress()
        assert progress is not None
        seen.append(progress.phase)

    def answer() -> None:
        see()
        system.answers(place)

    control.begin(make_job())
    see()
    dialler = Dialler(resolver, guard=AddressGuard(DialSettings()))
    threading.Timer(SHORT, answer).start()
    connection = Connector(dialler, TlsConfig()).connect(
        Route(("http", NAME, 80)), control=control, seconds=PATIENT
    )
    see()
    connection.close()
    assert seen == [Phase.WAITING, Phase.CONNECTING, Phase.CONNECTING]
