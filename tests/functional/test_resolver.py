"""Look-ups of host names in threads of their own."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.support.dialling import NAME, PATIENT, System
from tests.support.raw_tcp import HOST
from url_downloader.network.resolver import Resolver


class Caller(threading.Thread):
    """Thread that waits for the addresses of a host.

    Attributes:
        has_waited: Event; set once it waits.
        found: IP addresses, after the end of the thread.
        error: Error in their place.
    """

    def __init__(self, resolver: Resolver, name: str = NAME) -> None:
        super().__init__()
        self.has_waited = threading.Event()
        self.found: list[str] = []
        self.error: BaseException | None = None
        self._resolver = resolver
        self._host = (name, 80)
        self.start()

    def run(self) -> None:
        try:
            addresses = self._resolver.addresses(self._host, check=self.has_waited.set)
        except Exception as error:  # noqa: BLE001 - the test judges it
            self.error = error
        else:
            self.found = [address[4][0] for address in addresses]


def never() -> None:
    """Stand for the check of a caller that does not have to wait."""
    raise AssertionError("waited for a look-up")


def test_an_address_needs_no_thread(system: System, resolver: Resolver) -> None:
    """An address is resolved at once, without the system's look-up."""
    for host in (HOST, "::1"):
        [address] = resolver.addresses((host, 80), check=never)
        assert address[4][:2] == (host, 80)
    assert system.asked == []


def test_look_ups_of_one_host_share_a_thread(system: System, resolver: Resolver) -> None:
    """Waiters for one name share a look-up, and later calls share its answer."""
    callers = [*(Caller(resolver) for _ in range(20)), Caller(resolver, "elsewhere")]
    assert all(caller.has_waited.wait(PATIENT) for caller in callers)
    system.answers((HOST, 80))
    for caller in callers:
        caller.join(PATIENT)
        assert caller.found == [HOST]
    assert resolver.addresses((NAME, 80), check=never)
    assert sorted(host for host, _ in system.asked) == ["elsewhere", NAME]
    resolver.forget((NAME, 80))
    assert resolver.addresses((NAME, 80), check=lambda: None)
    assert len(system.asked) == 3


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure"),
        UnicodeError("label too long"),
        RuntimeError("bug"),
    ],
)
def test_a_look_up_that_fails(system: System, resolver: Resolver, error: Exception) -> None:
    """All waiters of a failed look-up get its error, even if that is a bug; it is not kept."""
    callers = [Caller(resolver) for _ in range(2)]
    assert all(caller.has_waited.wait(PATIENT) for caller in callers)
    system.fails(error)
    for caller in callers:
        caller.join(PATIENT)
        assert caller.error is error
    assert len(system.asked) == 1
    with pytest.raises(type(error)):
        resolver.addresses((NAME, 80), check=lambda: None)
    assert len(system.asked) == 2


def test_a_caller_that_stops_waiting(system: System, resolver: Resolver) -> None:
    """A caller leaves a look-up behind, of which another one gets the answer."""
    with pytest.raises(AssertionError, match="waited"):
        resolver.addresses((NAME, 80), check=never)
    system.answers((HOST, 80))
    assert resolver.addresses((NAME, 80), check=lambda: None)
    assert len(system.asked) == 1
