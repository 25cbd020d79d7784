"""Failed jobs in their spool, and the order in which the list has them at the end."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.jobs import BUSY, NOT_FOUND, OK, make_event, make_job, make_record
from url_downloader.config.settings import Settings
from url_downloader.reports import failed_jobs
from url_downloader.reports.failed_jobs import FailedJobs
from url_downloader.reports.line_writer import LineWriter
from url_downloader.reports.list_spool import ListSpool
from url_downloader.shared.models import DownloadJob, JobRecord, JobResult, JobStatus

RUNNING, FAILED, WAITING = JobStatus.RUNNING, JobStatus.FAILED, JobStatus.RETRY_SCHEDULED


class SpooledRun:
    """A run whose failed jobs are spooled for a list.

    Args:
        path: Path of the list.
        settled: Function that returns a job with the final name of its file.

    Attributes:
        spool: Spool of the list.
    """

    def __init__(
        self, path: Path, settled: Callable[[DownloadJob], DownloadJob] = lambda job: job
    ) -> None:
        self.path = path
        self.spool = ListSpool(path)
        self.writer = LineWriter(self.spool.descriptor, name="list")
        self.jobs = FailedJobs(self.spool, self.writer, settings=Settings(), settled=settled)

    def end_attempt(self, number: int, status: JobStatus, result: JobResult) -> None:
        """End an attempt of a job."""
        record = make_record(status, make_job(number), result=result)
        self.jobs.on_event(make_event(record, RUNNING))

    def fail(self, *numbers: int) -> None:
        """Let jobs fail in this order."""
        for number in numbers:
            self.end_attempt(number, FAILED, NOT_FOUND)

    def spooled(self) -> list[str]:
        """Return the lines that the spool has when all texts are written."""
        self.writer.flush()
        size = os.fstat(self.spool.descriptor).st_size
        return self.spool.read(0, size).splitlines()

    def finish(self, *unfinished: int, rest: Sequence[str] = ()) -> list[str]:
        """End the run, with these jobs unfinished; return the lines of the list."""
        records = [make_record(WAITING, make_job(each), result=BUSY) for each in unfinished]
        assert self.writer.drain(gave_up=bool)
        self.jobs.finish(self.path, iter(records), rest=rest, gave_up=bool)
        return self.path.read_text().splitlines()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[SpooledRun]:
    """Return a run whose list is the only file of its folder."""
    run = SpooledRun(tmp_path / "list")
    with closing(run.spool):
        yield run
    assert {path.name for path in tmp_path.iterdir()} <= {"list"}


def urls(*numbers: int) -> list[str]:
    """Return the URLs of these jobs."""
    return [f"http://h/{number}" for number in numbers]


def test_a_job_is_spooled_when_it_fails(run: SpooledRun) -> None:
    """The spool has a failed job with its reason at once, and no other job."""
    run.end_attempt(1, JobStatus.SUCCESS, OK)
    run.end_attempt(2, WAITING, BUSY)
    run.end_attempt(3, FAILED, NOT_FOUND)
    assert run.spooled() == ["# failed: HTTP 404 Not Found", "http://h/3"]
    assert not run.path.exists()


def test_the_final_name_is_written(tmp_path: Path) -> None:
    """The name that a server gave is asked for when the job fails, not later."""
    given = {1: "given by the server"}

    def settled(job: DownloadJob) -> DownloadJob:
        return job._replace(output=given.pop(job.job_id), is_named=True)

    run = SpooledRun(tmp_path / "list", settled)
    with closing(run.spool):
        run.fail(1)
        assert given == {}
        assert run.finish()[1:] == ["http://h/1", "  out=given by the server"]


@pytest.mark.parametrize("limit", [6, 3, 2])
def test_the_order_of_the_list(
    run: SpooledRun, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Up to a number of failed jobs, the list has all jobs in the order of the input.

    Beyond it, they come as they failed, then the unfinished ones. What the run has not read
    comes last.
    """
    monkeypatch.setattr(failed_jobs, "MAX_SORTED", limit)
    run.fail(5, 1, 3)
    lines = run.finish(2, 4, 6, rest=["# more\nhttp://h/7\n"])
    expected = urls(1, 2, 3, 4, 5, 6, 7) if limit >= 3 else urls(5, 1, 3, 2, 4, 6, 7)
    assert lines[1::2] == expected
    assert lines[0::2].count("# failed: HTTP 404 Not Found") == 3
    assert lines[0::2].count("# unfinished: waiting for a retry after: HTTP 503") == 3


def test_texts_of_any_length(run: SpooledRun) -> None:
    """Each text is found in the spool by its length in bytes."""
    job = make_job(2, headers=(("X-Name", "\xe4\u20ac\U0001f600"),))
    run.fail(3)
    run.jobs.on_event(make_event(make_record(FAILED, job, result=NOT_FOUND), RUNNING))
    run.fail(1)
    lines = [line for line in run.finish() if not line.startswith("#")]
    assert lines == [*urls(1, 2), "  header=X-Name: \xe4\u20ac\U0001f600", *urls(3)]


def test_no_failure(run: SpooledRun) -> None:
    """A run that downloads everything writes an empty list."""
    run.end_attempt(1, JobStatus.SUCCESS, OK)
    assert run.finish() == []


def test_nothing_of_failed_jobs_is_kept(run: SpooledRun) -> None:
    """A job that is spooled leaves memory."""
    before = count_of_records()
    run.fail(*range(1, 11))
    run.writer.flush()
    assert count_of_records() <= before


def count_of_records() -> int:
    """Return the number of records in memory, those of other tests included."""
    gc.collect()
    return sum(type(each) is JobRecord for each in gc.get_objects())
