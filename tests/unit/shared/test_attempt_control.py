"""The state of an attempt and the means to abort it, over pairs of sockets."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.support.jobs import make_job
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Phase

JOB = make_job()
FOREVER = 600.0
Line = tuple[socket.socket, socket.socket]
"""Both ends of a connection, the near end first."""


def is_open(line: Line) -> bool:
    """Return whether a byte that is sent at the near end arrives at the far one."""
    with suppress(BrokenPipeError):
        line[0].sendall(b"x")
    return line[1].recv(1) == b"x"


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    """Yield two connections."""
    with ExitStack() as stack:
        both = [socket.socketpair(), socket.socketpair()]
        for end in itertools.chain(*both):
            stack.enter_context(end).settimeout(20)
        yield both


@pytest.fixture
def control() -> Iterator[AttemptControl]:
    """Yield a control that releases its connection at the end."""
    it = AttemptControl()
    yield it
    it.release()


def test_a_held_connection_can_be_cut(lines: list[Line], control: AttemptControl) -> None:
    """After an abort both ends see the end of the stream; other connections stay open."""
    near, far = lines[0]
    control.hold(near)
    assert (control.failure(), is_open(lines[0])) == (None, True)
    control.abort()
    assert (near.recv(1), far.recv(1)) == (b"", b"")
    assert (is_open(lines[0]), is_open(lines[1])) == (False, True)


def test_a_connection_made_after_the_cut_is_cut(
    lines: list[Line], control: AttemptControl
) -> None:
    """After an abort every connection is aborted as soon as it is held."""
    control.abort()
    assert control.failure() is not None
    for near, far in lines:
        assert is_open((near, far))
        control.hold(near)
        assert (near.recv(1), far.recv(1)) == (b"", b"")


def test_a_released_connection_is_safe(lines: list[Line], control: AttemptControl) -> None:
    """A released connection stays open, also after a later abort."""
    control.hold(lines[0][0])
    control.release()
    control.release()
    control.abort()
    assert is_open(lines[0])


def test_only_the_last_connection_is_held(lines: list[Line], control: AttemptControl) -> None:
    """A new connection takes the place of the one before."""
    for near, _ in lines:
        control.hold(near)
    control.abort()
    assert [is_open(line) for line in lines] == [True, False]


def test_a_cut_of_what_is_closed_is_nothing(lines: list[Line], control: AttemptControl) -> None:
    """A connection that both ends have closed can be aborted, and aborted again."""
    control.hold(lines[0][0])
    for end in lines[0]:
        end.close()
    control.abort()
    control.abort()
    assert control.failure() is not None


def test_an_attempt_expires_by_its_number(lines: list[Line], control: AttemptControl) -> None:
    """Expiry of another attempt changes nothing; that of this one is final, with its reason."""
    for _ in range(2):
        control.begin(JOB)
    control.hold(lines[0][0])
    control.expire(1, "too late")
    assert (control.failure(), is_open(lines[0])) == (None, True)
    control.expire(2, "too slow")
    failure = control.failure()
    assert failure is not None
    assert (failure.kind, str(failure)) == (ErrorKind.TIMEOUT, "too slow")
    assert not is_open(lines[0])


def test_a_new_attempt_is_not_expired(lines: list[Line], control: AttemptControl) -> None:
    """The expiry of the last attempt leaves the next one's connection open."""
    control.begin(JOB)
    control.expire(1, "too late")
    control.hold(lines[0][0])
    assert not is_open(lines[0])
    control.begin(JOB)
    control.hold(lines[1][0])
    assert (control.failure(), is_open(lines[1])) == (None, True)


def test_a_cut_is_for_good(lines: list[Line], control: AttemptControl) -> None:
    """No new attempt undoes an abort, and an abort is reported before an expiry."""
    control.abort()
    control.begin(JOB)
    control.expire(1, "too late")
    failure = control.failure()
    assert failure is not None
    assert failure.kind is ErrorKind.INTERRUPTED
    control.hold(lines[0][0])
    assert not is_open(lines[0])


def test_the_phase_is_seen_with_its_time() -> None:
    """A phase has the time when it was entered, and an attempt begins with waiting."""
    clock = itertools.count(1.0)
    control = AttemptControl(now=lambda: next(clock))
    assert control.progress() is None
    seen = []
    control.begin(JOB)
    for phase in (None, Phase.CONNECTING):
        if phase is not None:
            control.enter(phase)
        progress = control.progress()
        assert progress is not None
        seen.append((progress.phase, progress.since))
    control.end()
    assert control.progress() is None
    assert seen == [(Phase.WAITING, 2.0), (Phase.CONNECTING, 4.0)]


def test_bytes_and_position_of_an_attempt() -> None:
    """Bytes beside the file count as received, but not for the position; both begin at 0."""
    counted: list[int] = []
    control = AttemptControl(on_bytes=counted.append)
    for _ in range(2):
        control.begin(JOB)
        control.add_other_bytes(5)
        control.set_position(100, 300)
        control.add_bytes(20)
        control.add_bytes(30)
        progress = control.progress()
        assert progress is not None
        assert (progress.received, progress.position, progress.total) == (55, 150, 300)
        assert control.received == 50
        control.set_position(150, None)
        control.add_bytes(1)
        assert control.progress() == progress._replace(received=56, position=151, total=None)
        control.end()
    assert counted == [20, 30, 1] * 2


class Waits:
    """Clock that goes on by a second with each look."""

    def __init__(self) -> None:
        self._clock = itertools.count(1.0)
        self.control = AttemptControl(now=lambda: next(self._clock))
        self.control.begin(JOB)

    @property
    def throttled(self) -> float:
        """Return the seconds that the progress shows."""
        progress = self.control.progress()
        assert progress is not None
        return progress.throttled


def test_waits_for_the_rate_limit_are_summed_up() -> None:
    """The progress has the time in which the rate limit made this phase wait."""
    waits = Waits()
    waits.control.enter(Phase.REPLYING)
    assert waits.throttled == 0
    for seconds in (1.0, 2.0):
        assert waits.control.throttle(0.0) is None
        assert waits.throttled == seconds
    waits.control.enter(Phase.WAITING)
    assert waits.throttled == 0
    waits.control.throttle(0.0)
    assert waits.throttled == 1.0


def test_a_wait_that_goes_on_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other threads see the time of a wait while it lasts, not only when it has ended."""
    waits, seen = Waits(), list[float]()

    def look(*_: object) -> None:
        seen.extend(waits.throttled for _ in range(3))

    monkeypatch.setattr(threading.Condition, "wait", look)
    waits.control.throttle(600)
    assert seen == [1.0, 2.0, 3.0]
    assert waits.throttled == 4.0


def test_no_wait_after_an_abort(control: AttemptControl) -> None:
    """An attempt that was aborted, or has expired, waits for no limit; the next one may."""
    control.begin(JOB)
    control.expire(1, "too late")
    assert str(control.throttle(FOREVER)) == "too late"
    control.begin(JOB)
    assert control.throttle(0.0) is None
    control.abort()
    failure = control.throttle(FOREVER)
    assert failure is not None
    assert failure.kind is ErrorKind.INTERRUPTED


def test_a_wake_before_the_wait_is_not_lost(control: AttemptControl) -> None:
    """A wait that was to end before it began ends at once."""
    for _ in range(2):
        control.wake()
        control.wake()
        assert control.throttle(FOREVER) is None
