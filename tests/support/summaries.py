"""Builders of summaries of runs."""

from __future__ import annotations

import collections
from collections.abc import Mapping

from tests.support.jobs import NOT_FOUND, make_job, make_record
from url_downloader.engine.run_summary import RunSummary
from url_downloader.metrics import MetricsSnapshot
from url_downloader.shared.models import JobRecord, JobResult, JobStatus
from url_downloader.shared.record_packing import Records


def failed(number: int, result: JobResult | None = NOT_FOUND) -> JobRecord:
    """Return the record of a failed job; its URL holds a user name and a password."""
    job = make_job(number, url=f"http://user:secret@h/{number}")
    return make_record(JobStatus.FAILED, job, result=result)


def make_summary(
    *failures: JobRecord,
    counts: Mapping[JobStatus, int] | None = None,
    metrics: MetricsSnapshot | None = None,
) -> RunSummary:
    """Return the summary of a run.

    Args:
        failures: Records of the failed jobs; by default they are all that is counted.
        counts: Numbers of jobs by state that differ from that.
        metrics: Metrics of the run; by default the causes of the failures alone.
    """
    causes = collections.Counter(record.result.cause for record in failures if record.result)
    none = dict.fromkeys(JobStatus, 0)
    return RunSummary(
        counts={**none, JobStatus.FAILED: len(failures), **(counts or {})},
        metrics=metrics or MetricsSnapshot(failures=causes),
        leftovers=Records(failures),
    )
