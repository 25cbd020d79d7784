"""Connections one at a time, and bare ones that only show whether the network is there."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.dialling import PATIENT, Starts, address_of
from tests.support.raw_tcp import HOST, unanswered_port
from url_downloader.config.dial_settings import DialSettings
from url_downloader.network.address_guard import AddressGuard
from url_downloader.network.dialler import Dialler
from url_downloader.network.resolver import Resolver
from url_downloader.shared.attempt_control import AttemptControl

SILENT = "127.0.0.2"
SECONDS = 1.0
NAME = "somewhere"


@pytest.fixture
def port() -> Iterator[int]:
    """Yield a port which has a server at HOST, and which swallows what is sent to SILENT."""
    with unanswered_port(SILENT) as number, socket.create_server((HOST, number)):
        yield number


@pytest.fixture
def control() -> AttemptControl:
    """Return a control."""
    return AttemptControl()


def dialler_of(port: int, *addresses: str) -> Dialler:
    """Return a dialler for which NAME has these addresses."""
    resolver = Resolver(fixed={(NAME, port): addresses})
    return Dialler(resolver, guard=AddressGuard(DialSettings()))


def test_one_connection_at_a_time(
    port: int, control: AttemptControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a limit of connections, an address is tried after the one before was given up."""
    starts = Starts(monkeypatch)
    dialler = dialler_of(port, SILENT, HOST)
    deadline = time.monotonic() + SECONDS
    with dialler.connect((NAME, port), control=control, deadline=deadline, is_single=True):
        assert [start.place[0] for start in starts.all] == [SILENT, HOST]
        assert [start.pending for start in starts.all] == [0, 0]
        control.release()


def test_each_address_gets_a_part_of_the_time(
    port: int, control: AttemptControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no address answers, one after the other is tried until the time is over."""
    starts = Starts(monkeypatch)
    dialler = dialler_of(port, *[SILENT] * 4)
    deadline = time.monotonic() + SECONDS
    with pytest.raises(TimeoutError):
        dialler.connect((NAME, port), control=control, deadline=deadline, is_single=True)
    times = [start.time for start in starts.all]
    assert len(times) == 4
    assert min(b - a for a, b in itertools.pairwise(times)) >= SECONDS / 5


def test_the_last_address_is_reached(port: int, control: AttemptControl) -> None:
    """A bare connection goes to the address that was connected last; none was at first."""
    dialler = dialler_of(port, HOST)
    assert not dialler.can_reach_last()
    with dialler.connect((NAME, port), control=control, deadline=time.monotonic() + PATIENT):
        control.release()
    assert dialler.can_reach_last()


def test_an_address_that_does_not_answer(port: int, control: AttemptControl) -> None:
    """A bare connection fails if nothing comes from the address any more."""
    dialler = dialler_of(port, HOST)
    with dialler.connect((NAME, port), control=control, deadline=time.monotonic() + PATIENT):
        control.release()
    dialler._last = (address_of((SILENT, port)), False)
    assert not dialler.can_reach_last()


@pytest.mark.parametrize("is_proxy", [False, True])
def test_a_refusal(control: AttemptControl, *, is_proxy: bool) -> None:
    """A server that refuses shows that the network is there; a proxy that refuses is no way."""
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        dialler = dialler_of(port, HOST)
        deadline = time.monotonic() + PATIENT
        with dialler.connect(
            (NAME, port), control=control, deadline=deadline, is_proxy=is_proxy
        ):
            control.release()
    assert dialler.can_reach_last() is not is_proxy
