"""What is done for each job, line, name and chunk, on its own.

`pytest -n0 tests/benchmarks --benchmark-enable` measures; in the test suite each is just run
once.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Protocol

from url_downloader.config.settings import OutputSettings
from url_downloader.input_parser import InputParser
from url_downloader.metrics import Metrics
from url_downloader.naming.name_claims import NameClaims
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import AttemptLimits, DownloadJob, JobResult
from url_downloader.storage.output_directory import OutputDirectory

CHUNK = bytes(256 * 1024)


class Benchmark(Protocol):
    """pytest-benchmark's fixture, as far as it is used."""

    def __call__(self, function: object, *args: object) -> object: ...


def job(number: int) -> DownloadJob:
    """A job of this number."""
    return DownloadJob(job_id=number, url="http://a.test/b", output="b", max_retries=4)


def test_the_life_of_a_job(benchmark: Benchmark) -> None:
    """Three transitions, with the metrics listening."""
    registry, numbers = JobRegistry(listeners=[Metrics().on_event]), itertools.count(1)

    def live() -> None:
        record = registry.add(job(next(numbers)))
        registry.start(record.job.job_id)
        registry.succeed(record.job.job_id, JobResult(http_status=200, size=1))

    benchmark(live)
    assert sum(registry.counts().values()) == next(numbers) - 1


def test_a_line_of_the_list(benchmark: Benchmark) -> None:
    """From its bytes to a job, its name claimed."""
    numbers = itertools.count()
    parser = InputParser(
        source="list",
        claims=NameClaims(),
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
    """One that nobody has, and then the same again."""
    claims, numbers = NameClaims(), itertools.count()

    def claim() -> None:
        name, url = f"{next(numbers)}.bin", "http://a.test/b"
        assert claims.claim(name, url) != claims.claim(name, url)

    benchmark(claim)
    assert next(numbers) > 0


def test_a_chunk_of_a_body(benchmark: Benchmark, tmp_path: Path) -> None:
    """Counted and written; the disk's own time is in it."""
    metrics = Metrics()
    with OutputDirectory(OutputSettings(directory=tmp_path, min_free=0)) as directory:
        part = directory.create(job(1))

        def take() -> None:
            part.begin(None, len(CHUNK))
            metrics.on_bytes(len(CHUNK))
            part.write(CHUNK)

        benchmark(take)
        assert part.size == len(CHUNK)
        part.discard()
