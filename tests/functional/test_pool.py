"""The pool with real threads: against a scripted server, and with attempts that are played."""

from __future__ import annotations

import itertools
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.support.scripted_server import Action, Cut, Raw, Reply, ScriptedServer, Stall, flap
from tests.support.waiting import wait_until
from url_downloader.config import settings as config
from url_downloader.config.settings import PoolSettings, RetrySettings, Settings
from url_downloader.engine.pool import JobPool
from url_downloader.engine.run_summary import RunSummary
from url_downloader.engine.worker import Clock
from url_downloader.process_jobs import process_jobs
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.models import (
    AttemptLimits,
    DownloadJob,
    ErrorKind,
    EventListener,
    JobEvent,
    JobResult,
    JobStatus,
)

PATIENT = 60.0
"""Seconds that no passing test waits."""
PROMPT = 15.0
"""Seconds within which a run that is told to stop has ended, also on a busy machine."""

OK = JobResult(http_status=200, size=1, path="file")
BUSY = JobResult(kind=ErrorKind.SERVER_ERROR, message="HTTP 503", http_status=503)
GONE = JobResult(kind=ErrorKind.CLIENT_ERROR, message="HTTP 404", http_status=404)
INTERRUPTED = JobResult(kind=ErrorKind.INTERRUPTED, message="interrupted")

WHOLE = Reply(body=b"0123456789")
CUT = Reply(body=b"0123456789", delivery=Cut(5))

FOUR = PoolSettings(max_workers=4, queue_size=10)
AT_ONCE = RetrySettings(delay=0.0)
Play = Callable[[DownloadJob, int], JobResult]


def make_jobs(count: int, *, max_retries: int = 4, url: str = "http://h/") -> list[DownloadJob]:
    """Jobs 1, 2, 3 ... with a file of their own each."""
    return [
        DownloadJob(
            job_id=n,
            url=url,
            output=f"{n}",
            limits=AttemptLimits(timeout=PATIENT),
            max_retries=max_retries,
        )
        for n in range(1, count + 1)
    ]


class Stage:
    """A pool whose attempts are played, by job and number of the attempt."""

    def __init__(
        self,
        play: Play,
        *,
        pool: PoolSettings = FOUR,
        retry: RetrySettings = AT_ONCE,
        listeners: Sequence[EventListener] = (),
        should_stop: Callable[[], bool] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.attempts: list[int] = []
        self.workers: list[str] = []
        self._controls: dict[int, AttemptControl] = {}
        self.beside_last = ""
        self._play = play
        self._ordinals: Counter[int] = Counter()
        self.pool = JobPool(
            Settings(retry=retry, pool=pool, monitor=config.MonitorSettings(interval=0.01)),
            listeners=[*listeners, self.listen],
            should_stop=should_stop or self.should_stop,
            make_downloader=self.make,
            clock=clock or Clock(jitter=self.jitter),
        )

    def run(self, jobs: Iterable[DownloadJob | None]) -> RunSummary:
        """Run, and see that nothing is left half done: no job runs, and all are counted."""
        summary = self.pool.run(jobs)
        assert summary.counts[JobStatus.RUNNING] == 0
        assert summary.metrics.in_flight == 0
        assert sum(summary.counts.values()) == len(self.pool.registry.snapshot())
        return summary

    def listen(self, event: JobEvent) -> None:
        pass

    def should_stop(self) -> bool:
        return False

    def jitter(self, low: float, high: float) -> float:
        return low

    def make(self, control: AttemptControl) -> Stage:
        self.workers.append(threading.current_thread().name)
        self._controls[threading.get_ident()] = control
        return self

    def attempt(self, job: DownloadJob) -> JobResult:
        self.attempts.append(job.job_id)
        self._ordinals[job.job_id] += 1
        return self._play(job, self._ordinals[job.job_id])

    def wait_for_abort(self) -> None:
        """Wait in a worker's thread, as for a silent server, until the pool aborts it."""
        control = self._controls[threading.get_ident()]
        near, far = socket.socketpair()
        with near, far:
            near.settimeout(PATIENT)
            control.hold(near)
            assert near.recv(1) == b""
            control.release()

    def close(self) -> None:
        self.beside_last = living_threads()


def living_threads() -> str:
    """Their names."""
    return " ".join(thread.name for thread in threading.enumerate())


def ended(summary: RunSummary) -> int:
    """How many jobs have ended, well or badly."""
    return summary.counts[JobStatus.SUCCESS] + summary.counts[JobStatus.FAILED]


def boom(*_: object, **__: object) -> JobResult:
    """What a bug does."""
    raise RuntimeError("boom")


@pytest.fixture
def permits(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each permit that the semaphore of terminal states was given."""
    given: list[None] = []

    class CountedSemaphore(threading.Semaphore):
        def release(self, n: int = 1) -> None:
            given.extend([None] * n)
            super().release(n)

    monkeypatch.setattr(threading, "Semaphore", CountedSemaphore)
    return given


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted server is asked directly, wherever the tests run."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def download(
    jobs: Sequence[DownloadJob],
    directory: Path,
    *,
    pool: PoolSettings = FOUR,
    listeners: Sequence[EventListener] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Download for real, without waiting before retries."""
    output = config.OutputSettings(directory=directory)
    settings = Settings(pool=pool, retry=AT_ONCE, output=output)
    return process_jobs(jobs, settings, listeners=listeners, should_stop=should_stop)


@pytest.mark.parametrize(
    ("script", "max_retries", "asked", "status"),
    [
        ([WHOLE], 4, 1, JobStatus.SUCCESS),
        ([Reply(status=404)], 4, 1, JobStatus.FAILED),
        ([Reply(status=503)], 0, 1, JobStatus.FAILED),
        ([Reply(status=503)], 3, 4, JobStatus.FAILED),
        (flap(4, WHOLE), 4, 5, JobStatus.SUCCESS),
        (flap(5, WHOLE), 4, 5, JobStatus.FAILED),
        (flap(2, WHOLE, failing=CUT), 4, 3, JobStatus.SUCCESS),
        (flap(2, WHOLE, failing=Raw(WHOLE.message[:20])), 4, 3, JobStatus.SUCCESS),
        ([CUT], 4, 5, JobStatus.FAILED),
    ],
)
def test_asked_as_often_as_it_makes_sense(
    server: ScriptedServer,
    tmp_path: Path,
    script: list[Action],
    max_retries: int,
    asked: int,
    status: JobStatus,
) -> None:
    """A file is there with its SUCCESS and never before it; a failed job leaves nothing."""
    server.play("/a", *script)
    seen: list[tuple[bool, bool]] = []

    def listen(event: JobEvent) -> None:
        file = tmp_path / "1"
        is_whole = file.exists() and file.read_bytes() == WHOLE.body
        seen.append((file.exists(), event.record.status is JobStatus.SUCCESS and is_whole))

    jobs = make_jobs(1, max_retries=max_retries, url=server.url("/a"))
    summary = download(jobs, tmp_path, listeners=[listen])
    assert (server.count(), summary.counts[status]) == (asked, 1)
    assert (summary.was_stopped, summary.crash) == (False, None)
    is_success = status is JobStatus.SUCCESS
    assert set(seen[:-1]) == {(False, False)}
    assert seen[-1] == (is_success, is_success)
    assert [path.name for path in tmp_path.iterdir()] == ["1"] * is_success
    assert len(seen) == 1 + 2 * asked  # added, and then started and ended each time


def test_a_server_is_given_the_time_it_asks_for(server: ScriptedServer, tmp_path: Path) -> None:
    """With Retry-After, the next request comes that much later, and not earlier."""
    server.play("/a", Reply(status=503, headers={"Retry-After": "1"}), WHOLE)
    summary = download(make_jobs(1, url=server.url("/a")), tmp_path)
    assert summary.counts[JobStatus.SUCCESS] == 1
    first, second = server.requests()
    assert second.time - first.time >= 1.0


def test_a_worker_keeps_its_connection(server: ScriptedServer, tmp_path: Path) -> None:
    """From job to job, and over replies that are errors."""
    server.play("/a", *[WHOLE, Reply(status=404, body=b"none"), Reply(status=503)] * 9)
    download(make_jobs(10, url=server.url("/a")), tmp_path, pool=PoolSettings(max_workers=1))
    assert (server.count() > 10, server.connections) == (True, 1)


def test_64_stalled_workers_can_be_stopped(server: ScriptedServer, tmp_path: Path) -> None:
    """The run ends soon: what ran has FAILED as interrupted, the rest is unfinished."""
    server.play("/a", Reply(body=bytes(100), delivery=Stall(50)))
    began = time.monotonic()
    summary = download(
        make_jobs(200, url=server.url("/a")),
        tmp_path,
        pool=PoolSettings(max_workers=64),
        should_stop=lambda: server.count() >= 64,
    )
    assert time.monotonic() - began < PROMPT
    wait_until(lambda: "worker-" not in living_threads(), what="the workers to end")
    assert {r.result and r.result.kind for r in summary.failures} == {ErrorKind.INTERRUPTED}
    assert (len(summary.failures), summary.counts[JobStatus.RUNNING]) == (64, 0)
    assert (summary.was_stopped, summary.crash) == (True, None)
    assert summary.counts[JobStatus.PENDING] == summary.unfinished > 0


@pytest.mark.parametrize(
    ("play", "status", "attempts"),
    [
        (lambda *_: OK, JobStatus.SUCCESS, 1),
        (lambda *_: GONE, JobStatus.FAILED, 1),
        (lambda *_: BUSY, JobStatus.FAILED, 5),
        (lambda _, n: OK if n == 5 else BUSY, JobStatus.SUCCESS, 5),
        (lambda _, n: boom() if n == 3 else BUSY, JobStatus.FAILED, 3),
        (boom, JobStatus.FAILED, 1),
    ],
)
@pytest.mark.parametrize("pool", [PoolSettings(), PoolSettings(max_workers=32, queue_size=1)])
def test_one_permit_for_each_job(
    permits: list[None], play: Play, status: JobStatus, attempts: int, pool: PoolSettings
) -> None:
    """However a job ends, it ends once; with room for one job and many retries the run too."""
    stage = Stage(play, pool=pool)
    summary = stage.run(make_jobs(100))
    assert (summary.counts[status], len(permits)) == (100, 100)
    assert (summary.was_stopped, summary.crash) == (False, None)
    assert set(Counter(stage.attempts).values()) == {attempts}
    # The order of the phases: the scheduler, then the workers, then who watches them.
    beside = [name in stage.beside_last for name in ("retry-scheduler", "watchdog")]
    assert beside == [False, True]


@pytest.mark.parametrize("error", [RuntimeError("boom"), SystemExit("boom")])
@pytest.mark.parametrize("verb", ["start", "succeed", "fail", "schedule_retry"])
def test_a_worker_that_crashes_ends_the_run(
    permits: list[None], monkeypatch: pytest.MonkeyPatch, verb: str, error: BaseException
) -> None:
    """In order, with a summary that tells; its job has FAILED, the others are not lost."""
    endings = itertools.cycle([OK, GONE, BUSY])
    stage = Stage(lambda *_: next(endings))
    original = getattr(stage.pool.registry, verb)
    calls = itertools.count(1)

    def broken(*args: object, **kwargs: object) -> object:
        if next(calls) == 10:
            raise error
        return original(*args, **kwargs)

    monkeypatch.setattr(stage.pool.registry, verb, broken)
    summary = stage.run(make_jobs(10_000))
    assert summary.was_stopped
    assert type(error).__name__ in str(summary.crash)
    assert len(permits) == ended(summary)


@pytest.mark.parametrize("place", ["make", "close", "jitter", "listen", "should_stop"])
def test_a_crash_anywhere_is_told(
    permits: list[None], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Whatever breaks of what the pool works with: the run ends, and doesn't end well."""
    monkeypatch.setattr(Stage, place, boom)
    summary = Stage(lambda *_: BUSY).run(make_jobs(20))
    assert "RuntimeError" in str(summary.crash)
    assert len(permits) == ended(summary)


@pytest.mark.parametrize("listed", [5, 1000])
@pytest.mark.parametrize("moment", [0, 1, 2, 3, 5, 8, 13, 21])
def test_a_run_can_be_stopped_at_any_moment(
    permits: list[None], moment: int, listed: int
) -> None:
    """It ends soon, each job in a state that is true; none that was drawn is lost."""
    calls = itertools.count()
    taken: list[DownloadJob] = []
    list_ends: list[int] = []

    def jobs() -> Iterator[DownloadJob]:
        for job in make_jobs(listed):
            taken.append(job)
            yield job
        list_ends.append(len(taken))

    def play(job: DownloadJob, _: int) -> JobResult:
        if job.job_id % 3:
            return OK if job.job_id % 3 == 1 else BUSY
        stage.wait_for_abort()
        return INTERRUPTED

    stage = Stage(play, should_stop=lambda: next(calls) >= moment)
    began = time.monotonic()
    summary = stage.run(jobs())
    assert time.monotonic() - began < PROMPT
    assert (summary.was_stopped, summary.crash) == (True, None)
    assert [record.job for record in stage.pool.registry.snapshot()] == taken
    assert summary.is_list_read is bool(list_ends)
    assert len(permits) == ended(summary)
    kinds = {record.result.kind for record in summary.failures if record.result}
    assert kinds <= {ErrorKind.INTERRUPTED, ErrorKind.SERVER_ERROR}
    stage.pool.shutdown()
    assert stage.pool.summary().counts == summary.counts


def test_a_stop_does_not_wait_for_what_can_t_be_interrupted(permits: list[None]) -> None:
    """An attempt that hears no abort is left behind: FAILED, whatever it comes to later."""
    is_over = threading.Event()

    def play(*_: object) -> JobResult:
        is_over.wait(PATIENT)
        return OK

    stage = Stage(play, should_stop=lambda: len(stage.attempts) == 4)
    began = time.monotonic()
    summary = stage.run(make_jobs(100))
    assert time.monotonic() - began < PROMPT
    assert [r.result and r.result.kind for r in summary.failures] == [INTERRUPTED.kind] * 4
    is_over.set()
    wait_until(lambda: "worker-" not in living_threads(), what="the workers to end")
    assert stage.pool.summary().counts == summary.counts
    assert (len(permits), stage.pool.summary().crash) == (4, None)


@pytest.mark.parametrize("sick", [None, *JobStatus])
def test_a_listener_that_raises_holds_nobody_up(
    permits: list[None], sick: JobStatus | None
) -> None:
    """The run goes on to its end and tells; the listener is dropped, the others are not."""
    told: list[JobEvent] = []
    shouts: list[JobEvent] = []

    def raising(event: JobEvent) -> None:
        if sick in (None, event.record.status):
            shouts.append(event)
            raise RuntimeError("boom")

    stage = Stage(
        lambda job, n: (OK if job.job_id % 2 else GONE) if n == 2 else BUSY,
        pool=PoolSettings(max_workers=1),
        listeners=[raising, told.append],
    )
    summary = stage.run(make_jobs(20))
    assert (ended(summary), summary.was_stopped, len(permits)) == (20, False, 20)
    assert "RuntimeError" in str(summary.crash)
    assert len(told) == 20 * 5
    assert len(shouts) <= 2  # the producer may have been about to call it, too


@pytest.mark.parametrize("error", [OSError("boom"), KeyboardInterrupt()])
def test_a_list_that_breaks_off(permits: list[None], error: BaseException) -> None:
    """What it raises ends the run in order; only what means to end the program goes on up."""

    def jobs() -> Iterator[DownloadJob]:
        yield from make_jobs(5)
        raise error

    stage = Stage(lambda *_: OK)
    if isinstance(error, Exception):
        summary = stage.run(jobs())
        assert summary.was_stopped
        assert type(error).__name__ in str(summary.crash)
    else:
        with pytest.raises(KeyboardInterrupt):
            stage.run(jobs())
    assert len(permits) == ended(stage.pool.summary())


def test_none_among_the_jobs_is_no_job() -> None:
    """It only gives the producer an occasion to look around: to see a stop, for instance."""
    looks = itertools.count()
    jobs = make_jobs(2)
    stage = Stage(lambda *_: OK)
    assert ended(stage.run([None, jobs[0], None, None, jobs[1], None])) == 2
    stage = Stage(lambda *_: OK, should_stop=lambda: next(looks) > 100)
    assert stage.run(itertools.repeat(None)).was_stopped
    assert ended(Stage(boom).run([])) == 0


def test_a_long_list_is_read_as_the_workers_get_on() -> None:
    """While all workers are at work, and the queue is full, the producer reads nothing more."""
    is_released = threading.Event()
    taken: list[DownloadJob] = []
    looks: list[int] = []

    def jobs() -> Iterator[DownloadJob]:
        for job in make_jobs(500):
            taken.append(job)
            yield job
        is_released.set()

    def look() -> bool:
        if not is_released.is_set():
            looks.append(len(taken))
        if looks[-5:] == [len(taken)] * 5:  # the producer waits for room
            is_released.set()
        return is_released.is_set()

    def play(*_: object) -> JobResult:
        is_released.wait(PATIENT)
        return OK

    stage = Stage(play, pool=PoolSettings(max_workers=3, queue_size=7), should_stop=look)
    stage.run(jobs())
    assert 7 < looks[-1] <= 3 + 7 + 1


def test_retries_come_in_the_order_of_their_due_times() -> None:
    """Not in the order in which the jobs failed."""
    clock = [0.0]
    delays = iter([0.3, 0.2, 0.4, 0.1])

    def advance(event: JobEvent) -> None:
        waiting = stage.pool.registry.counts()[JobStatus.RETRY_SCHEDULED]
        clock[0] = 1.0 if waiting == 4 else clock[0]

    stage = Stage(
        lambda _, ordinal: BUSY if ordinal == 1 else OK,
        pool=PoolSettings(max_workers=1),
        listeners=[advance],
        clock=Clock(now=lambda: clock[0], jitter=lambda *_: next(delays)),
    )
    stage.run(make_jobs(4))
    assert stage.attempts == [1, 2, 3, 4, 4, 2, 1, 3]


@pytest.mark.parametrize(("jobs", "workers"), [(0, 0), (1, 1), (3, 3), (4, 4), (50, 4)])
def test_no_worker_starts_without_a_job(jobs: int, workers: int) -> None:
    """A short list has as many as it has jobs, however often they are tried; a long one all."""
    stage = Stage(lambda _, ordinal: OK if ordinal == 3 else BUSY)
    summary = stage.run(make_jobs(jobs))
    assert summary.counts[JobStatus.SUCCESS] == jobs
    assert sorted(stage.workers) == [f"worker-{index}" for index in range(workers)]


def test_while_retries_wait_workers_are_busy_with_other_jobs() -> None:
    """2,000 jobs that each fail twice: the time is the work's, not the sum of the delays."""
    waiting: list[int] = []
    delays = 2000 * (0.5 + 1.0)

    def listen(_: JobEvent) -> None:
        waiting.append(stage.pool.registry.counts()[JobStatus.RETRY_SCHEDULED])

    stage = Stage(
        lambda _, ordinal: OK if ordinal == 3 else BUSY,
        pool=PoolSettings(max_workers=8),
        retry=RetrySettings(delay=0.25),
        listeners=[listen],
        clock=Clock(jitter=lambda _, high: high),
    )
    began = time.monotonic()
    summary = stage.run(make_jobs(2000))
    assert summary.counts[JobStatus.SUCCESS] == 2000
    assert len(stage.attempts) == 6000
    assert max(waiting) > 10 * 8
    first, second, _ = (place for place, job_id in enumerate(stage.attempts) if job_id == 1)
    assert second - first > 10 * 8
    # Workers that slept through the delays would take an eighth of the sum.
    assert time.monotonic() - began < delays / 8 / 5


@pytest.mark.parametrize("stop_after", [None, 300])
def test_a_hammered_run_loses_nothing(
    request: pytest.FixtureRequest, permits: list[None], stop_after: int | None
) -> None:
    """Many threads, tiny queue, every outcome at random: each count agrees with the others."""
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-6)
    luck = random.Random(7)
    endings = [OK, OK, GONE, BUSY, BUSY, JobResult(kind=ErrorKind.TRUNCATED)]
    stage = Stage(
        lambda *_: luck.choice(endings),
        pool=PoolSettings(max_workers=32, queue_size=2),
        retry=RetrySettings(delay=0.0001),
        should_stop=lambda: stop_after is not None and len(stage.attempts) > stop_after,
    )
    summary = stage.run(make_jobs(600, max_retries=3))
    counts, metrics = summary.counts, summary.metrics
    assert (summary.crash, len(permits)) == (None, ended(summary))
    assert summary.was_stopped is (stop_after is not None)
    assert stop_after is not None or ended(summary) == 600
    assert len(stage.attempts) == ended(summary) + metrics.retries
    assert metrics.successes == counts[JobStatus.SUCCESS]
    assert sum(metrics.failures.values()) == counts[JobStatus.FAILED] == len(summary.failures)
    assert sum(r.attempts for r in stage.pool.registry.snapshot()) == len(stage.attempts)
