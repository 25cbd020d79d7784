"""System with too few threads or too little memory: a run goes on, or says why it stops."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from tests.support.jobs import OK, make_jobs
from tests.support.scripted_pool import ScriptedPool
from url_downloader.config.settings import PoolSettings
from url_downloader.engine.monitor import Observer
from url_downloader.engine.run_limits import StopReason
from url_downloader.network.resolver import Resolver
from url_downloader.shared.models import DownloadJob, JobResult, JobStatus


class FewThreads:
    """A system that can run only a few threads with certain names.

    Args:
        monkeypatch: Patch that the limit lasts as long as.
        most: Largest number of these threads at a time.
        names: Beginnings of the threads' names.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int, *names: str) -> None:
        self._most = most
        self._names = names
        self._start = threading.Thread.start
        self._started: list[threading.Thread] = []

        def start(thread: threading.Thread) -> None:
            self._try(thread)

        monkeypatch.setattr(threading.Thread, "start", start)

    def _try(self, thread: threading.Thread) -> None:
        if thread.name.startswith(self._names):
            if sum(each.is_alive() for each in self._started) >= self._most:
                raise RuntimeError("can't start new thread")
            self._started.append(thread)
        self._start(thread)


@pytest.mark.parametrize("most", [1, 3])
def test_too_few_threads_for_all_workers(
    monkeypatch: pytest.MonkeyPatch,
    package_log: pytest.LogCaptureFixture,
    most: int,
) -> None:
    """The workers that could be started process all jobs; one warning gives their number."""
    FewThreads(monkeypatch, most, "worker-")
    pool = ScriptedPool(lambda *_: OK, pool=PoolSettings(max_workers=8, queue_size=2))
    summary = pool.run(make_jobs(100))
    assert summary.counts[JobStatus.SUCCESS] == 100
    assert summary.is_success
    assert set(pool.workers) <= {f"worker-{n}" for n in range(most)}
    [warning] = [r.getMessage() for r in package_log.records if r.levelname == "WARNING"]
    assert f"only {most} of 8 workers run" in warning


def test_one_thread_for_worker_and_observer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The observer's thread is ended, so that the first worker can be started."""
    states: list[object] = []
    FewThreads(monkeypatch, 1, "worker-", "observer")
    observer = Observer("observer", 60.0, states.append)
    summary = ScriptedPool(lambda *_: OK, observers=[observer]).run(make_jobs(10))
    assert summary.counts[JobStatus.SUCCESS] == 10
    assert len(states) == 1


@pytest.mark.parametrize("name", ["worker-", "retry-scheduler", "watchdog"])
def test_no_thread_for_a_part_of_the_pool(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The run stops in order and reports the reason; no job fails, and no bug is reported."""
    FewThreads(monkeypatch, 0, name)
    summary = ScriptedPool(lambda *_: OK).run(make_jobs(10))
    assert summary.stopped_by is StopReason.NO_THREADS
    assert summary.has_local_trouble
    assert (summary.crash, summary.counts[JobStatus.FAILED]) == (None, 0)


def test_too_little_memory_for_an_attempt() -> None:
    """An attempt that lacks memory is excused, and its job is retried."""

    def script(job: DownloadJob, n: int) -> JobResult:
        if job.job_id == 2 and n == 1:
            raise MemoryError
        return OK

    summary = ScriptedPool(script).run(make_jobs(5))
    assert (summary.counts[JobStatus.SUCCESS], summary.metrics.retries) == (5, 1)


def never() -> None:
    """Stand for the check of a caller that does not wait."""
    raise AssertionError("waited for a look-up")


def test_no_thread_for_a_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calling thread looks up a host name itself, and the answer is kept as ever."""
    FewThreads(monkeypatch, 0, "resolver-")
    real, threads = socket.getaddrinfo, []

    def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        if not options["flags"]:
            threads.append(threading.current_thread())
        return real(host, port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = Resolver()
    for port in (80, 80, 81):
        assert resolver.addresses(("localhost", port), check=never)
    assert threads == [threading.current_thread()] * 2


def test_a_broken_look_up_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error reaches the caller, and the next call makes a new look-up."""

    def broken(*_: object, flags: int = 0, **__: object) -> object:
        raise OSError if flags else MemoryError

    FewThreads(monkeypatch, 0, "resolver-")
    resolver = Resolver()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", broken)
        with pytest.raises(MemoryError):
            resolver.addresses(("localhost", 80), check=never)
    assert resolver.addresses(("localhost", 80), check=never)
