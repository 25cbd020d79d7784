"""The line that says how a run stands, and when it is said."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Sequence

import pytest

from url_downloader.cli.observers import log_line, state_lines
from url_downloader.engine.monitor import Monitor, Observer, PoolState
from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.models import DownloadJob, JobRecord, JobStatus
from url_downloader.shared.ports import Phase, Progress

COUNTS = {
    JobStatus.PENDING: 10,
    JobStatus.RUNNING: 4,
    JobStatus.RETRY_SCHEDULED: 3,
    JobStatus.SUCCESS: 20,
    JobStatus.FAILED: 2,
}


def state(tasks: int = 7) -> PoolState:
    """A pool in which every number is another one."""
    return PoolState(
        tasks=tasks,
        retries=6,
        counts=COUNTS,
        metrics=MetricsSnapshot(
            seconds=60.0,
            received=5 * 1024**2,
            kept=8 * 1024**2,
            rate=1.5 * 1024,
            in_flight=5,
            successes=21,
            retries=11,
        ),
    )


class FakeRun:
    """A run as it is seen at second 100."""

    def __init__(
        self,
        state: Callable[[], PoolState] = state,
        *,
        attempts: Sequence[tuple[str, Progress]] = (),
        waiting: Sequence[JobRecord] = (),
    ) -> None:
        self.state = state
        self.attempts = lambda: attempts
        self.waiting = lambda: waiting

    def now(self) -> float:
        return 100.0


OBSERVER = Observer(name="monitor", interval=0.0, tell=log_line)


class Watched:
    """A monitor that was never started, with an interval of no time, and what it logged."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        turns = itertools.count(1)
        self.crashes: list[BaseException] = []
        self.monitor = Monitor(
            OBSERVER,
            view=FakeRun(lambda: state(next(turns))),
            on_crash=self.crashes.append,
        )

    @property
    def lines(self) -> list[str]:
        return [record.getMessage().partition(",")[0] for record in self._caplog.records]


@pytest.fixture
def watched(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """A fresh one."""
    monkeypatch.setattr(logging.getLogger("url_downloader"), "propagate", True)
    caplog.set_level(logging.INFO, logger="url_downloader.status")
    return Watched(caplog)


def test_the_line() -> None:
    """Queues, attempts under way, jobs by state of all so far, bytes, throughput now."""
    assert str(state()) == (
        "tasks 7, retries 6, in flight 5 | done 20, failed 2, retrying 3, pending 10 of 39 | "
        "5.0 MiB, 1.5 KiB/s"
    )


def test_one_turn_is_one_line(watched: Watched) -> None:
    """After each interval the state is looked at anew and said, for people to see."""
    assert watched.monitor.run_once() is True
    assert watched.monitor.run_once() is True
    assert watched.lines == ["tasks 1", "tasks 2"]


def test_a_stop_ends_the_wait_without_a_line(watched: Watched) -> None:
    """Told to stop, the monitor says nothing more in its turn."""
    watched.monitor.stop()
    assert watched.monitor.run_once() is False
    assert watched.lines == []


def test_the_last_line_is_said_at_the_end(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    """However short the run was, its end is told, once, at the level that users see."""
    watched.monitor.stop()
    watched.monitor.run()
    assert watched.lines == ["tasks 1"]
    assert [record.levelno for record in caplog.records] == [logging.INFO]
    assert watched.crashes == []


def test_a_pool_that_cannot_be_looked_at_is_a_crash(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error while looking ends the monitor and is handed on."""
    monkeypatch.setattr(logging.getLogger("url_downloader"), "propagate", True)
    trouble, crashes = RuntimeError("pool's trouble"), list[BaseException]()

    def look() -> PoolState:
        raise trouble

    monitor = Monitor(OBSERVER, view=FakeRun(look), on_crash=crashes.append)
    monitor.run()
    assert monitor.error is trouble
    assert set(crashes) == {trouble}
    assert {record.levelno for record in caplog.records} == {logging.CRITICAL}


def test_its_name() -> None:
    """The thread is found in logs as what it is."""
    assert Monitor(OBSERVER, view=FakeRun(), on_crash=print).name == "monitor"


def job(number: int, url: str = "http://user:secret@h/") -> DownloadJob:
    """A job with credentials in its URL."""
    return DownloadJob(job_id=number, url=f"{url}{number}", output="a", max_retries=4)


def retry(number: int, due: float) -> JobRecord:
    """A job that waits for its second attempt."""
    status = JobStatus.RETRY_SCHEDULED
    return JobRecord(job=job(number), status=status, attempts=1, created_at=0, since=0, due=due)


def test_the_state_for_those_who_ask() -> None:
    """Counts, downloads in flight and the next retries are said, and no credentials."""
    attempt = Progress(3, job(1), 90.0, received=2048, phase=Phase.REPLYING, since=91.0)
    waiting = [retry(n, due) for n, due in ((2, 110.0), (3, 99.0), (4, 105.0))]
    lines = list(state_lines(FakeRun(attempts=[("worker-0", attempt)], waiting=waiting)))
    assert lines == [
        f"state: {state()}",
        "worker-0: http://h/1: receiving, 2.0 KiB in 10.0 s, 205 B/s",
        "next retry in 0.0 s: http://h/3",
        "next retry in 5.0 s: http://h/4",
        "next retry in 10.0 s: http://h/2",
    ]


def test_a_long_state_is_cut() -> None:
    """Ten retries are shown, and how many more there are."""
    waiting = [retry(n, due=100 + n) for n in range(1, 14)]
    lines = list(state_lines(FakeRun(waiting=waiting)))
    assert lines[10:] == ["next retry in 10.0 s: http://h/10", "and 3 more wait for a retry"]
