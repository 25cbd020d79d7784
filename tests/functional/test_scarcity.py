"""A machine with too few threads or too little memory: the run goes on, or gives its reason."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.functional.test_pool import OK, Stage, make_jobs
from url_downloader.config.settings import PoolSettings, Settings
from url_downloader.engine.monitor import Observer
from url_downloader.engine.pool import JobPool
from url_downloader.engine.run_limits import StopReason
from url_downloader.network.resolver import Resolver
from url_downloader.shared.models import DownloadJob, JobResult, JobStatus


class FewThreads:
    """A system that starts no more than so many threads of some names.

    Args:
        most: Number of threads at a time.
        names: Beginnings of the names of the threads that count.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int, *names: str) -> None:
        self._most = most
        self._names = names
        self._start = threading.Thread.start
        self._begun: list[threading.Thread] = []

        def start(thread: threading.Thread) -> None:
            self._try(thread)

        monkeypatch.setattr(threading.Thread, "start", start)

    def _try(self, thread: threading.Thread) -> None:
        if thread.name.startswith(self._names):
            if sum(each.is_alive() for each in self._begun) >= self._most:
                raise RuntimeError("can't start new thread")
            self._begun.append(thread)
        self._start(thread)


@pytest.mark.parametrize("most", [1, 3])
def test_with_fewer_workers(
    monkeypatch: pytest.MonkeyPatch,
    package_log: pytest.LogCaptureFixture,
    most: int,
) -> None:
    """If the system gives no more threads, the workers that there are do all the work."""
    FewThreads(monkeypatch, most, "worker-")
    stage = Stage(lambda *_: OK, pool=PoolSettings(max_workers=8, queue_size=2))
    summary = stage.run(make_jobs(100))
    assert summary.counts[JobStatus.SUCCESS] == 100
    assert summary.is_success
    assert set(stage.workers) <= {f"worker-{n}" for n in range(most)}
    [warning] = [r.getMessage() for r in package_log.records if r.levelname == "WARNING"]
    assert f"only {most} of 8 workers run" in warning


def test_a_worker_is_worth_more_than_an_observer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of observers end, so that the first worker can begin."""
    told: list[object] = []
    FewThreads(monkeypatch, 1, "worker-", "observer")
    stage = Stage(lambda *_: OK)
    stage.pool = JobPool(
        Settings(),
        listeners=[],
        observers=[Observer("observer", 60.0, told.append)],
        should_stop=stage.should_stop,
        make_downloader=stage.make,
    )
    summary = stage.run(make_jobs(10))
    assert summary.counts[JobStatus.SUCCESS] == 10
    assert len(told) == 1


@pytest.mark.parametrize("name", ["worker-", "retry-scheduler", "watchdog"])
def test_without_a_thread_that_is_needed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The run ends in order with its reason; nothing counts as failed or as a bug."""
    FewThreads(monkeypatch, 0, name)
    summary = Stage(lambda *_: OK).run(make_jobs(10))
    assert summary.stopped_by is StopReason.NO_THREADS
    assert summary.has_local_trouble
    assert (summary.crash, summary.counts[JobStatus.FAILED]) == (None, 0)


def test_memory_runs_out() -> None:
    """A job without memory is tried again, as it is not the job's fault; the run goes on."""

    def play(job: DownloadJob, n: int) -> JobResult:
        if job.job_id == 2 and n == 1:
            raise MemoryError
        return OK

    summary = Stage(play).run(make_jobs(5))
    assert (summary.counts[JobStatus.SUCCESS], summary.metrics.retries) == (5, 1)


def test_a_look_up_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's thread makes the look-up, and the next call makes a new one."""
    FewThreads(monkeypatch, 0, "resolver-")
    resolver = Resolver()
    for _ in range(2):
        answer = resolver.look_up("localhost", 80)
        assert answer.wait(0)
        assert answer.addresses()


def test_a_broken_look_up_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error reaches the caller, and the next call makes a new look-up."""

    def broken(*_: object, flags: int = 0, **__: object) -> object:
        raise OSError if flags else MemoryError

    FewThreads(monkeypatch, 0, "resolver-")
    resolver = Resolver()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", broken)
        answer = resolver.look_up("localhost", 80)
        assert answer.wait(0)
        with pytest.raises(MemoryError):
            answer.addresses()
    assert resolver.look_up("localhost", 80).addresses()
