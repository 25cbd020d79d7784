"""The line that cuts connections, over pairs of sockets."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from url_downloader.network.cutoff import Cutoff
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Phase

Line = tuple[socket.socket, socket.socket]


def is_open(line: Line) -> bool:
    """Whether a byte sent at the near end is received at the far one."""
    with suppress(BrokenPipeError):
        line[0].sendall(b"x")
    return line[1].recv(1) == b"x"


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    """Two connections, near end first, closed at the end."""
    with ExitStack() as stack:
        both = [socket.socketpair(), socket.socketpair()]
        for end in itertools.chain(*both):
            stack.enter_context(end).settimeout(20)
        yield both


@pytest.fixture
def cutoff() -> Iterator[Cutoff]:
    """One that lets go at the end."""
    it = Cutoff()
    yield it
    it.release()


def test_a_held_connection_can_be_cut(lines: list[Line], cutoff: Cutoff) -> None:
    """Both ends see the end of the stream; other connections are not touched."""
    near, far = lines[0]
    cutoff.hold(near)
    assert (cutoff.failure(), is_open(lines[0])) == (None, True)
    cutoff.cut()
    assert (near.recv(1), far.recv(1)) == (b"", b"")
    assert (is_open(lines[0]), is_open(lines[1])) == (False, True)


def test_a_connection_made_after_the_cut_is_cut(lines: list[Line], cutoff: Cutoff) -> None:
    """Cut before there is anything to hold, every connection is cut as soon as there is."""
    cutoff.cut()
    assert cutoff.failure() is not None
    for near, far in lines:
        assert is_open((near, far))
        cutoff.hold(near)
        assert (near.recv(1), far.recv(1)) == (b"", b"")


def test_a_released_connection_is_safe(lines: list[Line], cutoff: Cutoff) -> None:
    """What was let go stays open, and a later cut does not touch it."""
    cutoff.hold(lines[0][0])
    cutoff.release()
    cutoff.release()
    cutoff.cut()
    assert is_open(lines[0])


def test_a_connection_that_is_closed_is_let_go(lines: list[Line], cutoff: Cutoff) -> None:
    """The grip does not keep a connection open that its owner has closed; an open one stays."""
    near, far = lines[0]
    cutoff.hold(near)
    cutoff.release_closed()
    assert is_open(lines[0])
    near.close()
    cutoff.release_closed()
    assert far.recv(1) == b""


def test_only_the_last_connection_is_held(lines: list[Line], cutoff: Cutoff) -> None:
    """A new connection takes the former one's place."""
    for near, _ in lines:
        cutoff.hold(near)
    cutoff.cut()
    assert [is_open(line) for line in lines] == [True, False]


def test_the_hold_outlives_a_new_owner(lines: list[Line], cutoff: Cutoff) -> None:
    """Wrapped in TLS, a socket moves to another object; the grip on it stays."""
    near, far = lines[0]
    cutoff.hold(near)
    with socket.socket(fileno=near.detach()):
        cutoff.cut()
        assert far.recv(1) == b""


def test_a_cut_of_what_is_closed_is_nothing(lines: list[Line], cutoff: Cutoff) -> None:
    """A connection that both ends have closed can be cut, and again."""
    cutoff.hold(lines[0][0])
    for end in lines[0]:
        end.close()
    cutoff.cut()
    cutoff.cut()
    assert cutoff.failure() is not None


def test_an_attempt_expires_by_its_number(lines: list[Line], cutoff: Cutoff) -> None:
    """Another attempt's end is nothing to this one; its own is final, and says why."""
    cutoff.begin_attempt(2)
    cutoff.hold(lines[0][0])
    cutoff.expire(1, "too late")
    assert (cutoff.failure(), is_open(lines[0])) == (None, True)
    cutoff.expire(2, "too slow")
    failure = cutoff.failure()
    assert failure is not None
    assert (failure.kind, str(failure)) == (ErrorKind.TIMEOUT, "too slow")
    assert not is_open(lines[0])


def test_a_new_attempt_is_not_expired(lines: list[Line], cutoff: Cutoff) -> None:
    """What ended the last attempt does not touch the next one's connection."""
    cutoff.begin_attempt(1)
    cutoff.expire(1, "too late")
    cutoff.hold(lines[0][0])
    assert not is_open(lines[0])
    cutoff.begin_attempt(2)
    cutoff.hold(lines[1][0])
    assert (cutoff.failure(), is_open(lines[1])) == (None, True)


def test_a_cut_is_for_good(lines: list[Line], cutoff: Cutoff) -> None:
    """No new attempt mends it, and it is told before an expiry."""
    cutoff.cut()
    cutoff.begin_attempt(1)
    cutoff.expire(1, "too late")
    failure = cutoff.failure()
    assert failure is not None
    assert failure.kind is ErrorKind.INTERRUPTED
    cutoff.hold(lines[0][0])
    assert not is_open(lines[0])


def test_the_phase_is_seen_with_its_time() -> None:
    """Each phase begins when it is entered, and an attempt begins by waiting."""
    clock = itertools.count(1.0)
    cutoff = Cutoff(now=lambda: next(clock))
    seen = [cutoff.phase()]
    cutoff.enter(Phase.CONNECTING)
    seen.append(cutoff.phase())
    cutoff.begin_attempt(1)
    seen.append(cutoff.phase())
    assert seen == [(Phase.WAITING, 1.0), (Phase.CONNECTING, 2.0), (Phase.WAITING, 3.0)]


def _no_look_up(name: str, port: int) -> Any:
    raise AssertionError((name, port))
