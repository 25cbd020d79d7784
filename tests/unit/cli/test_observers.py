"""The state of a run in the log: status lines, and the reply to SIGUSR1."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import pytest

from tests.support.jobs import make_job, make_record
from tests.support.run_view import FakeRunView, make_state, make_troubles
from url_downloader.cli.observers import log_limit, log_state, log_status, state_lines
from url_downloader.display.console import STATE_REPLY
from url_downloader.engine.host_state import HostPhase, HostState
from url_downloader.engine.host_troubles import HostTroubles
from url_downloader.engine.monitor import RunView
from url_downloader.shared.models import DownloadJob, JobRecord, JobStatus
from url_downloader.shared.ports import Phase, Progress

STATE = make_state(retries=3, counts=dict.fromkeys(JobStatus, 1))


def job(number: int) -> DownloadJob:
    """Return a job whose URL has credentials."""
    return make_job(number, url=f"http://user:secret@h/{number}")


def retry(number: int, due: float) -> JobRecord:
    """Return the record of a job that waits for its second attempt."""
    return make_record(JobStatus.RETRY_SCHEDULED, job(number), due=due)


def run_view(
    *attempts: tuple[str, Progress],
    waiting: Sequence[JobRecord] = (),
    hosts: HostTroubles | None = None,
) -> FakeRunView:
    """Return a run with these attempts, retries and hosts in trouble."""
    state = STATE._replace(hosts=hosts or HostTroubles())
    return FakeRunView(lambda: state, attempts=attempts, waiting=waiting)


def test_state_lines() -> None:
    """The lines have the counts, the attempts and the next retries, but no credentials."""
    attempt = Progress(3, job(1), 90.0, received=2048, phase=Phase.REPLYING, since=91.0)
    waiting = [retry(n, due) for n, due in ((2, 110.0), (3, 99.0), (4, 105.0))]
    assert list(state_lines(run_view(("worker-0", attempt), waiting=waiting))) == [
        f"state: {STATE}",
        "worker-0: http://h/1: receiving, 2.0 KiB in 10.0 s, 205 B/s",
        "next retry in 0.0 s: http://h/3",
        "next retry in 5.0 s: http://h/4",
        "next retry in 10.0 s: http://h/2",
    ]


def test_many_retries_are_counted() -> None:
    """Ten retries are named, and the others are counted."""
    waiting = [retry(n, due=100 + n) for n in range(1, 14)]
    lines = list(state_lines(run_view(waiting=waiting)))
    assert lines[10:] == ["next retry in 10.0 s: http://h/10", "and 3 more wait for a retry"]


def test_hosts_in_trouble_are_named() -> None:
    """Each host in trouble has a line before the retries; the ones left out are counted."""
    states = [
        HostState(HostPhase.PAUSED, "HTTP 429 Too Many Requests", 112.0, "http://a", 40),
        HostState(HostPhase.DOWN, "the host is down: refused", 160.0, "http://b"),
    ]
    hosts = make_troubles(*states, others=5)
    lines = list(state_lines(run_view(waiting=[retry(1, 105.0)], hosts=hosts)))
    assert lines[0].endswith(" | hosts: 1 paused, 6 down")
    assert lines[1:] == [
        "http://a: paused, next request in 12.0 s, 40 URLs wait: HTTP 429 Too Many Requests",
        "http://b: down, next request in 1m00s: the host is down: refused",
        "and 5 more hosts in trouble",
        "next retry in 5.0 s: http://h/1",
    ]


@pytest.mark.parametrize(
    ("log", "logger"),
    [(log_status, "url_downloader.status"), (log_state, "url_downloader.status.answer")],
)
def test_the_user_sees_it(
    package_log: pytest.LogCaptureFixture,
    log: Callable[[RunView], None],
    logger: str,
) -> None:
    """The state is logged at the level that users see, by the logger that filters know."""
    package_log.set_level(logging.INFO, logger=logger)
    log(run_view())
    (record,) = package_log.records
    assert (record.name, record.levelno) == (logger, logging.INFO)
    assert record.getMessage().endswith(str(STATE))


@pytest.mark.parametrize(
    ("rate", "is_on", "line"),
    [
        (512_000, True, "--limit-rate 500.0 KiB/s is on"),
        (512_000, False, "--limit-rate 500.0 KiB/s is off; the next SIGUSR2 switches it on"),
        (0, True, "SIGUSR2 has no effect: the run has no --limit-rate"),
        (0, False, "SIGUSR2 has no effect: the run has no --limit-rate"),
    ],
)
def test_the_switch_of_the_rate_limit(
    package_log: pytest.LogCaptureFixture, *, rate: float, is_on: bool, line: str
) -> None:
    """A line tells whether the limit is on now, or that there is none to switch."""
    package_log.set_level(logging.INFO, logger=STATE_REPLY)
    log_limit(rate, is_on=is_on)
    (record,) = package_log.records
    assert (record.name, record.getMessage()) == (STATE_REPLY, line)
