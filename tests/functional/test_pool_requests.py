"""The pool against a scripted server: requests, retries, connections and files of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.jobs import make_jobs
from tests.support.scripted_pool import FOUR_WORKERS, NO_DELAY, PATIENT, thread_names
from tests.support.scripted_server import Action, Cut, Raw, Reply, ScriptedServer, Stall, flap
from tests.support.waiting import wait_until
from url_downloader.config.settings import OutputSettings, PoolSettings, Settings
from url_downloader.engine.run_summary import RunSummary
from url_downloader.process_jobs import process_jobs
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    EventListener,
    JobEvent,
    JobStatus,
)
from url_downloader.shared.run_controls import RunContext, RunControls

pytestmark = pytest.mark.usefixtures("bare_environment")
PROMPT = 15.0
"""Seconds within which a stopped run must end, even on a busy machine."""
LIMITS = AttemptLimits(timeout=PATIENT)
WHOLE = Reply(body=b"0123456789")
CUT = Reply(body=b"0123456789", delivery=Cut(5))


def download(
    jobs: Sequence[DownloadJob],
    directory: Path,
    *,
    pool: PoolSettings = FOUR_WORKERS,
    listeners: Sequence[EventListener] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Process the jobs, without a delay before retries; return the summary."""
    output = OutputSettings(directory=directory)
    settings = Settings(pool=pool, retry=NO_DELAY, output=output)
    context = RunContext(controls=RunControls(should_stop))
    return process_jobs(jobs, settings, listeners=listeners, context=context)


@pytest.mark.parametrize(
    ("script", "max_retries", "requests", "status"),
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
def test_the_number_of_requests(
    server: ScriptedServer,
    tmp_path: Path,
    script: list[Action],
    max_retries: int,
    requests: int,
    status: JobStatus,
) -> None:
    """A failure that may pass is retried up to the limit; a 404 and a success are not.

    The file exists when the job has succeeded, not earlier. A failed job leaves no file.
    """
    server.play("/a", *script)
    seen: list[tuple[bool, bool]] = []

    def listen(event: JobEvent) -> None:
        file = tmp_path / "1"
        is_whole = file.exists() and file.read_bytes() == WHOLE.body
        seen.append((file.exists(), event.record.status is JobStatus.SUCCESS and is_whole))

    jobs = make_jobs(1, url=server.url("/a"), limits=LIMITS, max_retries=max_retries)
    summary = download(jobs, tmp_path, listeners=[listen])
    assert (server.count(), summary.counts[status]) == (requests, 1)
    assert (summary.was_stopped, summary.crash) == (False, None)
    is_success = status is JobStatus.SUCCESS
    assert set(seen[:-1]) == {(False, False)}
    assert seen[-1] == (is_success, is_success)
    assert [path.name for path in tmp_path.iterdir()] == ["1"] * is_success
    assert len(seen) == 1 + 2 * requests  # added, then started and ended with each attempt


def test_retry_after(server: ScriptedServer, tmp_path: Path) -> None:
    """After a reply with Retry-After, the next request is sent no earlier than that."""
    server.play("/a", Reply(status=503, headers={"Retry-After": "1"}), WHOLE)
    summary = download(make_jobs(1, url=server.url("/a"), limits=LIMITS), tmp_path)
    assert summary.counts[JobStatus.SUCCESS] == 1
    first, second = server.requests()
    assert second.time - first.time >= 1.0


def test_keep_alive(server: ScriptedServer, tmp_path: Path) -> None:
    """A worker uses one connection for all its jobs, also after replies that are errors."""
    server.play("/a", *[WHOLE, Reply(status=404, body=b"none"), Reply(status=503)] * 9)
    jobs = make_jobs(10, url=server.url("/a"), limits=LIMITS)
    download(jobs, tmp_path, pool=PoolSettings(max_workers=1))
    assert (server.count() > 10, server.connections) == (True, 1)


def test_a_stop_of_64_stalled_workers(server: ScriptedServer, tmp_path: Path) -> None:
    """The run ends soon; jobs that ran have failed as interrupted, others are unfinished."""
    server.play("/a", Reply(body=bytes(100), delivery=Stall(50)))
    began = time.monotonic()
    summary = download(
        make_jobs(200, url=server.url("/a"), limits=LIMITS),
        tmp_path,
        pool=PoolSettings(max_workers=64),
        should_stop=lambda: server.count() >= 64,
    )
    assert time.monotonic() - began < PROMPT
    wait_until(lambda: "worker-" not in thread_names(), what="the workers to end")
    assert {r.result and r.result.kind for r in summary.failures} == {ErrorKind.INTERRUPTED}
    assert (len(summary.failures), summary.counts[JobStatus.RUNNING]) == (64, 0)
    assert (summary.was_stopped, summary.crash) == (True, None)
    assert summary.counts[JobStatus.PENDING] == summary.unfinished > 0
