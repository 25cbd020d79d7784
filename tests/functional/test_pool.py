"""Pool with real threads: ends of jobs, retries, backpressure and the number of workers."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.jobs import BUSY, NOT_FOUND, OK, make_job, make_jobs
from tests.support.racing import frequent_switches
from tests.support.scripted_pool import (
    PATIENT,
    Script,
    ScriptedPool,
    ended_jobs,
    raise_bug,
)
from url_downloader.config.settings import PoolSettings, RetrySettings
from url_downloader.engine.worker import Clock
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    JobEvent,
    JobResult,
    JobStatus,
)


@pytest.mark.parametrize(
    ("script", "status", "attempts"),
    [
        (lambda *_: OK, JobStatus.SUCCESS, 1),
        (lambda *_: NOT_FOUND, JobStatus.FAILED, 1),
        (lambda *_: BUSY, JobStatus.FAILED, 5),
        (lambda _, n: OK if n == 5 else BUSY, JobStatus.SUCCESS, 5),
        (lambda _, n: raise_bug() if n == 3 else BUSY, JobStatus.FAILED, 3),
        (raise_bug, JobStatus.FAILED, 1),
    ],
)
@pytest.mark.parametrize(
    "pool",
    [
        PoolSettings(),
        PoolSettings(max_workers=32, queue_size=1),
        PoolSettings(max_workers=32, queue_size=1, look_ahead=0),
    ],
)
def test_each_job_ends_once(
    script: Script, status: JobStatus, attempts: int, pool: PoolSettings
) -> None:
    """Each job releases one permit, and the run ends, even with a queue of one job."""
    running = ScriptedPool(script, pool=pool)
    summary = running.run(make_jobs(100))
    assert (summary.counts[status], running.permits) == (100, 100)
    assert (summary.was_stopped, summary.crash) == (False, None)
    assert set(Counter(running.attempts).values()) == {attempts}
    # The order of the shutdown: the scheduler, then the workers, then the watchdog.
    is_alive = [name in running.threads_at_close for name in ("retry-scheduler", "watchdog")]
    assert is_alive == [False, True]


def test_none_in_the_list() -> None:
    """None among the jobs is no job; with it, the producer checks whether to stop."""
    calls = itertools.count()
    jobs = make_jobs(2)
    pool = ScriptedPool(lambda *_: OK)
    assert ended_jobs(pool.run([None, jobs[0], None, None, jobs[1], None])) == 2
    pool = ScriptedPool(lambda *_: OK, should_stop=lambda: next(calls) > 100)
    assert pool.run(itertools.repeat(None)).was_stopped
    assert ended_jobs(ScriptedPool(raise_bug).run([])) == 0


@pytest.mark.parametrize("look_ahead", [0, 20])
def test_backpressure(look_ahead: int) -> None:
    """While all workers are busy and the queue is full, the producer reads no more jobs."""
    is_released = threading.Event()
    taken: list[DownloadJob] = []
    counts: list[int] = []

    def jobs() -> Iterator[DownloadJob]:
        for job in make_jobs(500):
            taken.append(job)
            yield job
        is_released.set()

    def should_stop() -> bool:
        if not is_released.is_set():
            counts.append(len(taken))
        if counts[-5:] == [len(taken)] * 5:  # the producer waits for room in the queue
            is_released.set()
        return is_released.is_set()

    def script(*_: object) -> JobResult:
        is_released.wait(PATIENT)
        return OK

    settings = PoolSettings(max_workers=3, queue_size=7, look_ahead=look_ahead)
    ScriptedPool(script, pool=settings, should_stop=should_stop).run(jobs())
    assert 7 + look_ahead < counts[-1] <= 3 + 7 + look_ahead + 1


def test_the_order_of_retries() -> None:
    """Retries run in the order of their due times, not in the order of their failures."""
    clock = [0.0]
    delays = iter([0.3, 0.2, 0.4, 0.1])

    def advance(event: JobEvent) -> None:
        waiting = pool.job_pool.registry.counts()[JobStatus.RETRY_SCHEDULED]
        clock[0] = 1.0 if waiting == 4 else clock[0]

    pool = ScriptedPool(
        lambda _, ordinal: BUSY if ordinal == 1 else OK,
        pool=PoolSettings(max_workers=1),
        listeners=[advance],
        clock=Clock(now=lambda: clock[0], jitter=lambda *_: next(delays)),
    )
    pool.run(make_jobs(4))
    assert pool.attempts == [1, 2, 3, 4, 4, 2, 1, 3]


@pytest.mark.parametrize(("jobs", "workers"), [(0, 0), (1, 1), (3, 3), (4, 4), (50, 4)])
def test_the_number_of_workers(jobs: int, workers: int) -> None:
    """A run starts one worker for each job, up to its maximum; retries start no more."""
    pool = ScriptedPool(lambda _, ordinal: OK if ordinal == 3 else BUSY)
    summary = pool.run(make_jobs(jobs))
    assert summary.counts[JobStatus.SUCCESS] == jobs
    assert sorted(pool.workers) == [f"worker-{index}" for index in range(workers)]


def test_workers_while_retries_wait() -> None:
    """Workers process other jobs during the delays of retries: the delays do not add up.

    2,000 jobs fail twice each.
    """
    waiting: list[int] = []
    delays = 2000 * (0.5 + 1.0)

    def listen(_: JobEvent) -> None:
        waiting.append(pool.job_pool.registry.counts()[JobStatus.RETRY_SCHEDULED])

    pool = ScriptedPool(
        lambda _, ordinal: OK if ordinal == 3 else BUSY,
        pool=PoolSettings(max_workers=8),
        retry=RetrySettings(delay=0.25),
        listeners=[listen],
        clock=Clock(jitter=lambda _, high: high),
    )
    began = time.monotonic()
    summary = pool.run(make_jobs(2000))
    assert summary.counts[JobStatus.SUCCESS] == 2000
    assert len(pool.attempts) == 6000
    assert max(waiting) > 10 * 8
    first, second, _ = (place for place, job_id in enumerate(pool.attempts) if job_id == 1)
    assert second - first > 10 * 8
    # Eight workers that slept through the delays would take an eighth of their sum.
    assert time.monotonic() - began < delays / 8 / 5


@pytest.mark.parametrize("stop_after", [None, 300])
@pytest.mark.parametrize("look_ahead", [0, 20])
def test_a_run_with_many_races(stop_after: int | None, look_ahead: int) -> None:
    """With many threads, a short queue and random results, all counts of the run agree."""
    chance = random.Random(7)
    results = [OK, OK, NOT_FOUND, BUSY, BUSY, JobResult(kind=ErrorKind.TRUNCATED)]
    pool = ScriptedPool(
        lambda *_: chance.choice(results),
        pool=PoolSettings(max_workers=32, queue_size=2, look_ahead=look_ahead),
        retry=RetrySettings(delay=0.0001),
        should_stop=lambda: stop_after is not None and len(pool.attempts) > stop_after,
    )
    with frequent_switches():
        summary = pool.run(
            [make_job(n, url=f"http://h{n % 4}/", max_retries=3) for n in range(1, 601)]
        )
    counts, metrics = summary.counts, summary.metrics
    assert (summary.crash, pool.permits) == (None, ended_jobs(summary))
    assert summary.was_stopped is (stop_after is not None)
    assert stop_after is not None or ended_jobs(summary) == 600
    assert len(pool.attempts) == ended_jobs(summary) + metrics.retries
    assert metrics.successes == counts[JobStatus.SUCCESS]
    assert sum(metrics.failures.values()) == counts[JobStatus.FAILED] == len(summary.failures)
    assert sum(r.attempts for r in pool.job_pool.registry.snapshot()) == len(pool.attempts)
