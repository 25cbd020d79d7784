"""The monitor: the status line of a run, and the moments at which observers are called."""

from __future__ import annotations

import itertools
import logging

import pytest

from tests.support.run_view import FakeRunView, make_troubles
from url_downloader.engine.host_state import HostPhase, HostState
from url_downloader.engine.monitor import Monitor, Observer, PoolState, RunView
from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.models import JobStatus

COUNTS = {
    JobStatus.PENDING: 10,
    JobStatus.RUNNING: 4,
    JobStatus.RETRY_SCHEDULED: 3,
    JobStatus.SUCCESS: 20,
    JobStatus.FAILED: 2,
}


def state(tasks: int = 7) -> PoolState:
    """Return the state of a pool in which all numbers differ."""
    return PoolState(
        tasks=tasks,
        parked=8,
        retries=6,
        counts=COUNTS,
        metrics=MetricsSnapshot(
            seconds=60.0,
            received=5 * 1024**2,
            rate=1.5 * 1024,
            in_flight=5,
            successes=21,
            retries=11,
        ),
    )


def read_state(view: RunView) -> None:
    """Observe a run by reading its state."""
    view.state()


class SteppedMonitor:
    """A monitor whose thread is not started, without an interval, and its lines."""

    def __init__(self) -> None:
        turns = itertools.count(1)
        self.lines: list[str] = []
        self.crashes: list[BaseException] = []
        self.monitor = Monitor(
            Observer(name="monitor", interval=0.0, tell=self._look),
            view=FakeRunView(lambda: state(next(turns))),
            on_crash=self.crashes.append,
        )

    def _look(self, view: RunView) -> None:
        self.lines.append(str(view.state()).partition(",")[0])


@pytest.fixture
def watched() -> SteppedMonitor:
    """Return a new monitor."""
    return SteppedMonitor()


def test_the_line() -> None:
    """The line has queues, running attempts, jobs by state, bytes, and the current rate."""
    assert str(state()) == (
        "tasks 7, parked 8, retries 6, in flight 5 | "
        "done 20, failed 2, retrying 3, pending 10 of 39 | 5.0 MiB, 1.5 KiB/s"
    )


def test_an_outage_is_told() -> None:
    """While the network is gone, the line says so at its end."""
    assert str(state()._replace(has_outage=True)) == f"{state()} | no network"


def test_hosts_in_trouble_are_counted() -> None:
    """If hosts are in trouble, the line ends with their numbers."""
    paused = HostState(HostPhase.PAUSED, "HTTP 429", 9.0, "http://h")
    line = str(state()._replace(hosts=make_troubles(paused, paused, others=1)))
    assert line == f"{state()} | hosts: 2 paused, 1 down"


def test_one_turn_is_one_line(watched: SteppedMonitor) -> None:
    """After each interval the observer is called with the new state."""
    assert watched.monitor.run_once() is True
    assert watched.monitor.run_once() is True
    assert watched.lines == ["tasks 1", "tasks 2"]


def test_a_stop_ends_the_wait_without_a_line(watched: SteppedMonitor) -> None:
    """A monitor that is stopped calls its observer no more in that turn."""
    watched.monitor.stop()
    assert watched.monitor.run_once() is False
    assert watched.lines == []


def test_the_last_line_is_said_at_the_end(watched: SteppedMonitor) -> None:
    """The observer is called once at the end, however short the run was."""
    watched.monitor.stop()
    watched.monitor.run()
    assert watched.lines == ["tasks 1"]
    assert watched.crashes == []


def test_a_pool_that_cannot_be_looked_at_is_a_crash(
    package_log: pytest.LogCaptureFixture,
) -> None:
    """An error of the state ends the monitor, and is passed to on_crash."""
    trouble, crashes = RuntimeError("pool's trouble"), list[BaseException]()

    def look() -> PoolState:
        raise trouble

    observer = Observer(name="monitor", interval=0.0, tell=read_state)
    monitor = Monitor(observer, view=FakeRunView(look), on_crash=crashes.append)
    monitor.run()
    assert monitor.error is trouble
    assert set(crashes) == {trouble}
    assert {record.levelno for record in package_log.records} == {logging.CRITICAL}


def test_its_name() -> None:
    """The thread has the name of its observer, for logs."""
    observer = Observer(name="x", interval=0.0, tell=print)
    assert Monitor(observer, view=FakeRunView(state), on_crash=print).name == "x"
