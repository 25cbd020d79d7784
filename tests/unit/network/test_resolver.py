"""Look-ups of host names, made in the caller's thread: their answers, and for how long."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from url_downloader.network.errors import connect_error
from url_downloader.network.resolver import (
    ANSWER_SECONDS,
    MAX_ANSWERS,
    NO_NAME_SECONDS,
    Address,
    LookUpThread,
    Resolver,
)
from url_downloader.shared.models import ErrorKind

NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
real_getaddrinfo = socket.getaddrinfo


class System:
    """System that looks up host names, and a clock.

    Attributes:
        asked: Hosts that were looked up, in order.
        families: Families of these look-ups.
        error: Error of the next look-ups; None for an answer.
        time: Time of the clock, seconds.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.families: list[int] = []
        self.error: BaseException | None = None
        self.time = 1000.0

    def getaddrinfo(self, host: str, port: int, **options: Any) -> Sequence[Address]:
        if options["flags"] & socket.AI_NUMERICHOST:
            return real_getaddrinfo(host, port, **options)
        self.asked.append((host, port))
        self.families.append(options["family"])
        if self.error is not None:
            raise self.error
        # Another address each time shows which answer is old.
        address = f"10.0.0.{len(self.asked) % 256}"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    """Return the system; look-ups are made in the caller's thread."""
    it = System()
    monkeypatch.setattr(socket, "getaddrinfo", it.getaddrinfo)
    monkeypatch.setattr(LookUpThread, "try_start", lambda _: False)
    return it


@pytest.fixture
def resolver(system: System) -> Resolver:
    """Return a resolver with the clock of the system."""
    return Resolver(now=lambda: system.time)


def never() -> None:
    """Stand for the check of a caller, which does not wait where no thread is started."""
    raise AssertionError("waited for a look-up")


def find(resolver: Resolver, name: str = "h", *, port: int = 80) -> list[tuple[str, int]]:
    """Return addresses and ports of a host."""
    return [address[4][:2] for address in resolver.addresses((name, port), check=never)]


def fail(resolver: Resolver, name: str = "h") -> BaseException:
    """Return the error of a look-up."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any one
        find(resolver, name)
    return caught.value


@pytest.mark.parametrize(
    ("spelling", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
    ],
)
def test_an_address_needs_no_look_up(
    system: System, resolver: Resolver, spelling: str, address: str
) -> None:
    """An address in any spelling that connects is known at once."""
    assert find(resolver, spelling) == [(address, 80)]
    assert system.asked == []


def test_an_answer_is_kept_for_a_while(system: System, resolver: Resolver) -> None:
    """An answer is kept for a minute from its arrival; then the host is looked up again."""
    for seconds, address in (
        (0, "10.0.0.1"),
        (ANSWER_SECONDS - 1, "10.0.0.1"),
        (1, "10.0.0.2"),
        (ANSWER_SECONDS - 1, "10.0.0.2"),
        (1, "10.0.0.3"),
    ):
        system.time += seconds
        assert find(resolver) == [(address, 80)]
    assert system.asked == [("h", 80)] * 3


def test_the_time_of_a_look_up_does_not_count(
    system: System, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow look-up has an answer that is as fresh as that of a fast one."""

    def slow(*args: Any, **options: Any) -> Sequence[Address]:
        found = system.getaddrinfo(*args, **options)
        system.time += 50.0
        return found

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    find(resolver)
    monkeypatch.setattr(socket, "getaddrinfo", system.getaddrinfo)
    system.time += ANSWER_SECONDS - 1
    assert find(resolver) == [("10.0.0.1", 80)]


def test_hosts_and_ports_have_their_own_answers(system: System, resolver: Resolver) -> None:
    """Another name or port is another look-up."""
    hosts = [("a", 80), ("b", 80), ("a", 443)]
    for _ in range(2):
        for number, (name, port) in enumerate(hosts, start=1):
            assert find(resolver, name, port=port) == [(f"10.0.0.{number}", port)]
    assert system.asked == hosts


def test_a_name_that_does_not_exist_may_be_new_soon(system: System, resolver: Resolver) -> None:
    """That a name does not exist is kept for a few seconds, for all jobs of the host."""
    system.error = NO_NAME
    assert [fail(resolver), fail(resolver)] == [NO_NAME, NO_NAME]
    system.time += NO_NAME_SECONDS - 1
    assert fail(resolver) is NO_NAME
    assert len(system.asked) == 1
    system.error = None
    system.time += 1
    assert find(resolver) == [("10.0.0.2", 80)]


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure in name resolution"),
        OSError(errno.EMFILE, "Too many open files"),
        UnicodeError("label too long"),
        RuntimeError("bug"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_failures_are_not_kept(
    system: System, resolver: Resolver, error: BaseException
) -> None:
    """Any other failure, even a bug, ends one look-up; the next one is made anew."""
    system.error = error
    assert [fail(resolver), fail(resolver)] == [error, error]
    system.error = None
    assert find(resolver) == [("10.0.0.3", 80)]


def test_an_error_collects_no_tracebacks(system: System, resolver: Resolver) -> None:
    """An error that is raised for many callers keeps nothing of them."""
    system.error = NO_NAME
    lengths = []
    for _ in range(3):
        traceback, length = fail(resolver).__traceback__, 0
        while traceback is not None:
            traceback, length = traceback.tb_next, length + 1
        lengths.append(length)
    assert len(set(lengths)) == 1


def test_an_answer_that_led_nowhere_is_forgotten(system: System, resolver: Resolver) -> None:
    """After `forget` the host is looked up again, and only this host."""
    for name in ("a", "b"):
        find(resolver, name)
    resolver.forget(("a", 80))
    resolver.forget(("never asked", 80))
    for name in ("a", "b"):
        find(resolver, name)
    assert system.asked == [("a", 80), ("b", 80), ("a", 80)]


def test_an_old_look_up_does_not_replace_a_new_answer(
    system: System, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up that was forgotten while it went on leaves the cache alone when it ends."""
    newer: list[tuple[str, int]] = []

    def slow(*args: Any, **options: Any) -> Sequence[Address]:
        found = system.getaddrinfo(*args, **options)
        if len(system.asked) == 1 and not options["flags"]:
            resolver.forget(("h", 80))
            newer.extend(find(resolver))
        return found

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert (find(resolver), newer) == ([("10.0.0.1", 80)], [("10.0.0.2", 80)])
    assert find(resolver) == newer
    assert len(system.asked) == 2


def test_the_number_of_answers_is_bounded(system: System, resolver: Resolver) -> None:
    """Beyond the bound, the oldest answer is dropped; the others are kept."""
    for number in range(MAX_ANSWERS + 1):
        find(resolver, f"h{number}")
    asked = len(system.asked)
    find(resolver, "h1")
    assert len(system.asked) == asked
    find(resolver, "h0")
    assert len(system.asked) == asked + 1


@pytest.mark.parametrize("family", [socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6])
def test_only_addresses_of_the_family_are_looked_up(system: System, family: int) -> None:
    """The system is asked for addresses of the family alone."""
    find(Resolver(family=family))
    assert system.families == [family]


def test_an_address_of_another_family(system: System) -> None:
    """An address of another family is refused by the system; the error names the options."""
    system.error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    resolver = Resolver(family=socket.AF_INET6)
    assert "no IPv6 address, which -4, -6 or --interface" in str(fail(resolver, "127.0.0.1"))
    assert find(resolver, "::1") == [("::1", 80)]


FIXED = {
    ("h", 80): ["127.0.0.2", "::1", "127.0.0.3"],
    ("*", 80): ["127.0.0.9"],
    ("127.0.0.1", 443): ["127.0.0.4"],
}


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        (("h", 80), ["127.0.0.2", "::1", "127.0.0.3"]),
        (("H", 80), ["127.0.0.2", "::1", "127.0.0.3"]),
        (("h.", 80), ["127.0.0.2", "::1", "127.0.0.3"]),
        (("other", 80), ["127.0.0.9"]),
        (("127.0.0.1", 80), ["127.0.0.9"]),
        (("127.0.0.1", 443), ["127.0.0.4"]),
    ],
)
def test_fixed_addresses(system: System, host: tuple[str, int], addresses: list[str]) -> None:
    """Fixed addresses are used in their order, in place of a look-up; `*` is any other host."""
    found = find(Resolver(fixed=FIXED), host[0], port=host[1])
    assert found == [(address, host[1]) for address in addresses]
    assert system.asked == []


@pytest.mark.parametrize("host", [("h", 443), ("other", 443), ("h", 8080)])
def test_hosts_without_fixed_addresses(system: System, host: tuple[str, int]) -> None:
    """Fixed addresses are for one port; hosts without any are looked up."""
    find(Resolver(fixed=FIXED), host[0], port=host[1])
    assert system.asked == [host]


@pytest.mark.parametrize(
    ("family", "addresses"),
    [(socket.AF_INET, ["127.0.0.2", "127.0.0.3"]), (socket.AF_INET6, ["::1"])],
)
def test_fixed_addresses_of_one_family(
    system: System, family: int, addresses: list[str]
) -> None:
    """Of fixed addresses, those of the family are used, and the name is never looked up."""
    found = find(Resolver(family=family, fixed=FIXED))
    assert system.asked == []
    assert found == [(address, 80) for address in addresses]


def test_a_fixed_address_of_another_family(system: System) -> None:
    """A name whose fixed addresses are all of another family has no address."""
    assert isinstance(fail(Resolver(family=socket.AF_INET6, fixed=FIXED), "other"), OSError)
    assert system.asked == []


@pytest.mark.parametrize("host", [f"{'a' * 64}.S3CRET", "a..S3CRET", "\u00e4..S3CRET"])
def test_an_invalid_name(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """A name that can't be looked up makes an invalid URL; the message does not show it."""
    monkeypatch.setattr(LookUpThread, "try_start", lambda _: False)
    error = fail(Resolver(), host)
    assert isinstance(error, UnicodeError)
    found = connect_error(error, seconds=9)
    assert (found.kind, found.message) == (ErrorKind.INVALID_URL, "invalid host name")
