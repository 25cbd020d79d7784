"""Hosts in a run with real threads: a slow host leaves workers to the others."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hosts import POLICY, busy, job_of, name_of
from tests.support.jobs import BUSY, OK, make_job, make_jobs
from tests.support.racing import frequent_switches
from tests.support.scripted_pool import NO_DELAY, PATIENT, ScriptedPool
from tests.support.scripted_server import Hold, Reply, ScriptedServer
from url_downloader.config.settings import (
    OutputSettings,
    PoolSettings,
    RetrySettings,
    Settings,
)
from url_downloader.engine.host_queue import HostQueue
from url_downloader.engine.host_state import HostPhase
from url_downloader.engine.monitor import PoolState
from url_downloader.engine.worker import Clock
from url_downloader.process_jobs import process_jobs
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import DownloadJob, JobEvent, JobResult, JobStatus

QUICK = 400
SLOW = 40
EIGHT = PoolSettings(max_workers=8)


@pytest.fixture
def slow_server() -> Iterator[ScriptedServer]:
    """Yield a second server, which is another host."""
    with ScriptedServer() as running:
        yield running


@pytest.mark.usefixtures("bare_environment")
def test_a_slow_host_does_not_delay_a_quick_one(
    server: ScriptedServer, slow_server: ScriptedServer, tmp_path: Path
) -> None:
    """All quick files are there before the slow host has sent one, which it holds till then."""
    gate = threading.Event()
    server.play("/q", Reply(body=b"quick"))
    slow_server.play("/s", Reply(body=b"slow", delivery=Hold(gate)))
    quick_ones = itertools.count(1)
    begun: list[int] = []

    def listen(event: JobEvent) -> None:
        is_quick = event.record.status is JobStatus.SUCCESS and "/q" in event.record.job.url
        if is_quick and next(quick_ones) == QUICK:
            begun.append(slow_server.count())
            gate.set()

    limits = AttemptLimits(timeout=PATIENT)
    every = (QUICK + SLOW) // SLOW
    jobs = [
        make_job(
            n,
            url=server.url(f"/q?{n}") if n % every else slow_server.url(f"/s?{n}"),
            limits=limits,
        )
        for n in range(1, QUICK + SLOW + 1)
    ]
    settings = Settings(pool=EIGHT, retry=NO_DELAY, output=OutputSettings(directory=tmp_path))
    summary = process_jobs(jobs, settings, listeners=[listen])
    assert summary.counts[JobStatus.SUCCESS] == QUICK + SLOW
    [slow] = begun
    assert slow <= 8, "a second batch of slow files was begun"


def test_a_host_at_the_end_of_the_list_begins_early() -> None:
    """10 jobs of a host that come after 10,000 of another begin while those still go on.

    The attempts are so slow that 3,000 jobs wait at any time.
    """
    permits = threading.Semaphore(0)

    def listed() -> Iterator[DownloadJob]:
        for n in range(1, 10_011):
            yield job_of("a" if n <= 10_000 else "b", n)
            if n > 3000:
                permits.release()
        permits.release(3000)

    def script(*_: object) -> JobResult:
        assert permits.acquire(timeout=PATIENT)
        return OK

    pool = ScriptedPool(script, pool=EIGHT)
    assert pool.run(listed()).counts[JobStatus.SUCCESS] == 10_010
    places = [place for place, number in enumerate(pool.attempts) if number > 10_000]
    assert places[-1] < 8000


def test_retries_of_a_full_queue() -> None:
    """While the producer waits for room and retries are due, no thread waits for ever."""
    pool = ScriptedPool(
        lambda _, n: OK if n == 4 else BUSY,
        pool=PoolSettings(max_workers=2, queue_size=1, look_ahead=3),
    )
    jobs = [job_of("abc"[n % 3], n) for n in range(1, 301)]
    assert pool.run(jobs).counts[JobStatus.SUCCESS] == 300
    assert set(Counter(pool.attempts).values()) == {4}


def test_hosts_in_trouble_are_in_state_and_summary() -> None:
    """Both name a host that is paused; the summary has the time since the epoch."""
    seen: list[PoolState] = []

    def should_stop() -> bool:
        if pool.attempts and pool.job_pool.state().hosts.states:
            seen.append(pool.job_pool.state())
        return bool(seen)

    clock = Clock(utc_now=lambda: time.monotonic() + 1e9, jitter=lambda low, _: low)
    pool = ScriptedPool(
        lambda _, __: busy(500.0), should_stop=should_stop, retry=RetrySettings(), clock=clock
    )
    summary = pool.run([job_of("a", n) for n in range(1, 10)])
    [during], [after] = seen[0].hosts.states, summary.hosts.states
    assert (during.phase, during.host) == (HostPhase.PAUSED, name_of("a"))
    assert during._replace(until=0) == after._replace(until=0)
    assert after.until == pytest.approx(during.until + 1e9, abs=1.0)
    assert summary.hosts.begun == {HostPhase.PAUSED: 1}


@pytest.mark.parametrize("hosts", [1, 3, 40])
@pytest.mark.parametrize("look_ahead", [0, 5, 400])
def test_each_job_is_taken_once(hosts: int, look_ahead: int) -> None:
    """With racing threads, each job is taken once, and each worker gets its end marker."""
    tasks = HostQueue(3, look_ahead=look_ahead, workers=16, policy=POLICY)
    taken: queue.SimpleQueue[int] = queue.SimpleQueue()

    def work() -> None:
        while (job := tasks.get()) is not None:
            taken.put(job.job_id)
            tasks.done(job)

    threads = [threading.Thread(target=work) for _ in range(16)]
    with frequent_switches():
        for thread in threads:
            thread.start()
        for job in make_jobs(500):
            tasks.put(job._replace(url=f"http://h{job.job_id % hosts}/"))
        for job in make_jobs(500):
            tasks.put_retry(job._replace(url=f"http://h{job.job_id % hosts}/"))
        tasks.note_end_of_list()
        found = Counter(taken.get(timeout=PATIENT) for _ in range(1000))
        for _ in threads:
            tasks.put(None)
        for thread in threads:
            thread.join(PATIENT)
    assert set(found.values()) == {2}
    assert (tasks.qsize(), tasks.parked(), taken.empty()) == (0, 0, True)
