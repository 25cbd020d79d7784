"""Shutdown of a pool with real threads: after a stop, a crash, or an error of the list."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.jobs import BUSY, NOT_FOUND, OK, make_jobs
from tests.support.scripted_pool import (
    PATIENT,
    ScriptedPool,
    ended_jobs,
    raise_bug,
    thread_names,
)
from tests.support.waiting import wait_until
from url_downloader.config.settings import PoolSettings
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    JobEvent,
    JobResult,
    JobStatus,
)

PROMPT = 15.0
"""Seconds within which a stopped run must end, even on a busy machine."""
INTERRUPTED = JobResult(kind=ErrorKind.INTERRUPTED, message="interrupted")


@pytest.mark.parametrize("error", [RuntimeError("boom"), SystemExit("boom")])
@pytest.mark.parametrize("verb", ["start", "succeed", "fail", "schedule_retry"])
def test_a_worker_that_crashes(
    monkeypatch: pytest.MonkeyPatch, verb: str, error: BaseException
) -> None:
    """The run stops in order, and its summary has the crash; no job is lost or left running."""
    results = itertools.cycle([OK, NOT_FOUND, BUSY])
    pool = ScriptedPool(lambda *_: next(results))
    original = getattr(pool.job_pool.registry, verb)
    calls = itertools.count(1)

    def broken(*args: object, **kwargs: object) -> object:
        if next(calls) == 10:
            raise error
        return original(*args, **kwargs)

    monkeypatch.setattr(pool.job_pool.registry, verb, broken)
    summary = pool.run(make_jobs(10_000))
    assert summary.was_stopped
    assert type(error).__name__ in str(summary.crash)
    assert pool.permits == ended_jobs(summary)


@pytest.mark.parametrize(
    "place", ["make_downloader", "close", "jitter", "on_event", "should_stop"]
)
def test_a_crash_in_a_part_of_the_pool(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """If a function that the pool was given raises an error, the run ends and reports it."""
    monkeypatch.setattr(ScriptedPool, place, raise_bug)
    pool = ScriptedPool(lambda *_: BUSY)
    summary = pool.run(make_jobs(20))
    assert "RuntimeError" in str(summary.crash)
    assert pool.permits == ended_jobs(summary)


@pytest.mark.parametrize("sick", [None, *JobStatus])
def test_a_listener_that_raises(sick: JobStatus | None) -> None:
    """The run is completed, and its summary has the crash; only this listener is removed."""
    events: list[JobEvent] = []
    raised: list[JobEvent] = []

    def raising(event: JobEvent) -> None:
        if sick in (None, event.record.status):
            raised.append(event)
            raise RuntimeError("boom")

    pool = ScriptedPool(
        lambda job, n: (OK if job.job_id % 2 else NOT_FOUND) if n == 2 else BUSY,
        pool=PoolSettings(max_workers=1),
        listeners=[raising, events.append],
    )
    summary = pool.run(make_jobs(20))
    assert (ended_jobs(summary), summary.was_stopped, pool.permits) == (20, False, 20)
    assert "RuntimeError" in str(summary.crash)
    assert len(events) == 20 * 5
    assert len(raised) <= 2  # producer and worker may call it at the same time


@pytest.mark.parametrize("listed", [5, 1000])
@pytest.mark.parametrize("moment", [0, 1, 2, 3, 5, 8, 13, 21])
def test_a_stop_at_any_moment(moment: int, listed: int) -> None:
    """The run ends soon; each job that was read is registered, and its state is true."""
    calls = itertools.count()
    taken: list[DownloadJob] = []
    list_ends: list[int] = []

    def jobs() -> Iterator[DownloadJob]:
        for job in make_jobs(listed):
            taken.append(job)
            yield job
        list_ends.append(len(taken))

    def script(job: DownloadJob, _: int) -> JobResult:
        if job.job_id % 3:
            return OK if job.job_id % 3 == 1 else BUSY
        pool.wait_for_abort()
        return INTERRUPTED

    pool = ScriptedPool(script, should_stop=lambda: next(calls) >= moment)
    began = time.monotonic()
    summary = pool.run(jobs())
    assert time.monotonic() - began < PROMPT
    assert (summary.was_stopped, summary.crash) == (True, None)
    assert [record.job for record in pool.job_pool.registry.snapshot()] == taken
    assert summary.is_list_read is bool(list_ends)
    assert pool.permits == ended_jobs(summary)
    kinds = {record.result.kind for record in summary.failures if record.result}
    assert kinds <= {ErrorKind.INTERRUPTED, ErrorKind.SERVER_ERROR}
    pool.job_pool.shutdown()
    assert pool.job_pool.summary().counts == summary.counts


def test_an_attempt_that_ignores_the_abort() -> None:
    """The stop does not wait for the attempt: its job fails, whatever its later result is."""
    is_over = threading.Event()

    def script(*_: object) -> JobResult:
        is_over.wait(PATIENT)
        return OK

    pool = ScriptedPool(script, should_stop=lambda: len(pool.attempts) == 4)
    began = time.monotonic()
    summary = pool.run(make_jobs(100))
    assert time.monotonic() - began < PROMPT
    assert [r.result and r.result.kind for r in summary.failures] == [INTERRUPTED.kind] * 4
    is_over.set()
    wait_until(lambda: "worker-" not in thread_names(), what="the workers to end")
    assert pool.job_pool.summary().counts == summary.counts
    assert (pool.permits, pool.job_pool.summary().crash) == (4, None)


@pytest.mark.parametrize("error", [OSError("boom"), KeyboardInterrupt()])
def test_a_list_that_raises(error: BaseException) -> None:
    """The run stops in order and reports the error; a KeyboardInterrupt is raised again."""

    def jobs() -> Iterator[DownloadJob]:
        yield from make_jobs(5)
        raise error

    pool = ScriptedPool(lambda *_: OK)
    if isinstance(error, Exception):
        summary = pool.run(jobs())
        assert summary.was_stopped
        assert type(error).__name__ in str(summary.crash)
    else:
        with pytest.raises(KeyboardInterrupt):
            pool.run(jobs())
    assert pool.permits == ended_jobs(pool.job_pool.summary())
