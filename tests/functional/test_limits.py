"""Attempts end within their limits, whatever the server does; against real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.replies import Framing, Raw, Reply, Stall, Trickle
from tests.support.scripted_server import ScriptedServer
from url_downloader.config import (
    OutputSettings,
    PoolSettings,
    RetrySettings,
    Settings,
)
from url_downloader.process_jobs import process_jobs
from url_downloader.shared.models import AttemptLimits, DownloadJob, ErrorKind
from url_downloader.summary import RunSummary

BODY = bytes(500)
MESSAGE = Reply(body=BODY)
CHUNKED = Reply(body=BODY, framing=Framing.CHUNKED)
PHASES: dict[str, Raw | Reply] = {
    "head stalls": Raw(MESSAGE.message, Stall(20)),
    "head trickles": Raw(b"HTTP/1.1 200 OK\r\nX: " + BODY, Trickle(0.05)),
    "body stalls": Reply(body=BODY, delivery=Stall(9)),
    "body trickles": Reply(body=BODY, delivery=Trickle(0.05)),
    "chunk size trickles": Raw(CHUNKED.message, Trickle(0.05, len(CHUNKED.head))),
    "trailer stalls": Raw(CHUNKED.message, Stall(len(CHUNKED.message) - 2)),
}


def run(url: str, directory: Path, limits: AttemptLimits) -> RunSummary:
    """Run one job, with two attempts at most and a second of silence allowed."""
    job = DownloadJob(job_id=1, url=url, output="file", limits=limits, max_retries=1)
    settings = Settings(
        retry=RetrySettings(delay=0),
        pool=PoolSettings(max_workers=1),
        output=OutputSettings(directory=directory),
    )
    return process_jobs([job], settings, name=lambda name, url: name)


@pytest.mark.parametrize("phase", PHASES)
def test_max_time_holds_in_every_phase(
    server: ScriptedServer, tmp_path: Path, phase: str
) -> None:
    """The attempt ends as a timeout and is made again; nothing is published."""
    server.play("/x", PHASES[phase])
    summary = run(server.url("/x"), tmp_path, AttemptLimits(timeout=1, max_time=0.5))
    (record,) = summary.failures
    assert record.result is not None
    assert (record.attempts, record.result.kind) == (2, ErrorKind.TIMEOUT)
    assert "--max-time" in record.result.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("phase", [phase for phase in PHASES if "trickles" in phase])
def test_a_trickle_is_too_slow(server: ScriptedServer, tmp_path: Path, phase: str) -> None:
    """A byte now and then does not keep a worker for ever."""
    server.play("/x", PHASES[phase])
    limits = AttemptLimits(timeout=1, speed_limit=10_000, speed_time=1)
    (record,) = run(server.url("/x"), tmp_path, limits).failures
    assert record.result is not None
    assert record.result.kind is ErrorKind.TIMEOUT
    assert "--speed-limit" in record.result.message
