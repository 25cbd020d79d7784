"""Benchmarks of the work for each job, line, name and chunk.

`pytest -n0 tests/benchmarks --benchmark-enable` measures it; in the test suite each benchmark
runs once.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.hosts import make_policy
from tests.support.jobs import make_job
from url_downloader.config.settings import OutputSettings
from url_downloader.engine.host_queue import HostQueue
from url_downloader.input_parser import InputParser
from url_downloader.inputs.job_maker import JobRules
from url_downloader.metrics import Metrics
from url_downloader.naming.name_claims import NameClaims
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import DownloadJob, JobResult
from url_downloader.storage.output_directory import OutputDirectory

CHUNK = bytes(256 * 1024)


class Benchmark(Protocol):
    """The fixture of pytest-benchmark, as far as it is used."""

    def __call__(self, function: object, *args: object) -> object: ...


def test_the_life_of_a_job(benchmark: Benchmark) -> None:
    """A job makes three transitions, with the metrics as listener."""
    registry, numbers = JobRegistry(listeners=[Metrics().on_event]), itertools.count(1)

    def live() -> None:
        # Not by a builder, whose time would be measured too.
        record = registry.add(DownloadJob(next(numbers), "http://a.test/b", "b", 4))
        registry.start(record.job.job_id)
        registry.succeed(record.job.job_id, JobResult(http_status=200, size=1))

    benchmark(live)
    assert sum(registry.counts().values()) == next(numbers) - 1


def test_a_line_of_the_list(benchmark: Benchmark) -> None:
    """A line becomes a job with a claimed name."""
    numbers = itertools.count()
    parser = InputParser(
        source="list",
        rules=JobRules(claims=NameClaims()),
        limits=AttemptLimits(),
        max_retries=4,
        on_rejected=print,
        on_note=print,
    )
    lines = (line for n in numbers for line in (b"https://a.test/files/%d.bin?v=2" % n, None))
    jobs = filter(None, parser.parse(lines))
    benchmark(next, jobs)
    assert not parser.rejected


def test_a_name_is_claimed(benchmark: Benchmark) -> None:
    """A free name is claimed, and then claimed again."""
    claims, numbers = NameClaims(), itertools.count()

    def claim() -> None:
        name, url = f"{next(numbers)}.bin", "http://a.test/b"
        assert claims.claim(name, url) != claims.claim(name, url)

    benchmark(claim)
    assert next(numbers) > 0


@pytest.mark.parametrize("hosts", [1, 5_000, 100_000])
def test_a_job_on_the_task_queue(benchmark: Benchmark, hosts: int) -> None:
    """A job is put, taken and done, in a run of 10,000 jobs a second, 3,000 of which wait."""
    ticks = itertools.count()
    tasks = HostQueue(
        10, look_ahead=4000, workers=8, policy=make_policy(), now=lambda: next(ticks) / 40_000
    )
    jobs = itertools.cycle([make_job(n, url=f"http://h{n}.test/{n}") for n in range(hosts)])
    for job in itertools.islice(jobs, 3000):
        tasks.put(job)

    def run() -> None:
        tasks.put(next(jobs))
        taken = tasks.get()
        assert taken is not None
        tasks.done(taken)

    benchmark(run)
    assert tasks.parked() == 3000


def test_a_chunk_of_a_body(benchmark: Benchmark, tmp_path: Path) -> None:
    """A chunk is counted and written; this includes the time of the disk."""
    metrics = Metrics()
    with OutputDirectory(OutputSettings(directory=tmp_path, min_free=0)) as directory:
        part = directory.create(make_job())

        def take() -> None:
            part.begin(None, len(CHUNK))
            metrics.on_bytes(len(CHUNK))
            part.write(CHUNK)

        benchmark(take)
        assert part.size == len(CHUNK)
        part.discard()
