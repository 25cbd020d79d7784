"""Records come out as they went in, wherever and whenever they are looked at."""

from __future__ import annotations

import inspect
import pickle
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.shared.models import (
    AttemptLimits,
    Checksum,
    DownloadJob,
    ErrorKind,
    JobRecord,
    JobResult,
    JobStatus,
    SourceFacts,
)
from url_downloader.shared.record_packing import Records, packed, unpacked


def any_of(words: type, **others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values of a type, all fields of which take whatever their types allow."""
    return st.builds(words, **dict.fromkeys(inspect.signature(words).parameters, ...) | others)


CHECKSUMS = any_of(Checksum)
FACTS = any_of(SourceFacts, digests=st.lists(CHECKSUMS, max_size=2).map(tuple))
LIMITS = any_of(AttemptLimits)
JOBS = any_of(DownloadJob, limits=LIMITS, checksum=st.none() | CHECKSUMS)
PATHS = st.text(st.characters(exclude_categories=()))
"""A folder's name may be no UTF-8; Python makes surrogates of it."""
RESULTS = any_of(JobResult, path=st.none() | PATHS, source=st.none() | FACTS)
RECORDS = any_of(JobRecord, job=JOBS, result=st.none() | RESULTS)

MISSING = JobResult(kind=ErrorKind.CLIENT_ERROR, message="HTTP 404 Not Found", http_status=404)


def record(number: int = 1, *, status: JobStatus = JobStatus.FAILED) -> JobRecord:
    """The record of a job as a list has many."""
    name = f"{number:06}.bin"
    return JobRecord(
        job=DownloadJob(
            job_id=number, url=f"http://127.0.0.1:8080/a/{name}", output=name, max_retries=4
        ),
        status=status,
        attempts=1,
        created_at=1e9 + 0.1,
        since=1e6 + 0.1,
        started_at=1e9 + 0.2,
        finished_at=1e9 + 0.3,
        waited=0.1,
        worked=0.2,
        result=MISSING,
    )


@given(RECORDS)
def test_a_record_comes_back(wanted: JobRecord) -> None:
    """Every value is what it was, and of the type that it was."""
    kept = packed(wanted)
    assert isinstance(kept, bytes)
    # Not equality: 1 is not 1.0 here, and what is no number is equal to itself.
    assert repr(unpacked(kept)) == repr(wanted)


def test_a_common_record_is_small() -> None:
    """It takes a third of what its objects take."""
    kept = packed(record())
    assert isinstance(kept, bytes)
    assert len(kept) < 250


def test_what_has_no_form_is_kept_as_it_is() -> None:
    """A number that a program brought along is no reason to lose a record."""
    limits = AttemptLimits(timeout=Fraction(1, 3))  # type: ignore[arg-type]
    job = DownloadJob(job_id=1, url="http://h/", output="a", max_retries=4, limits=limits)
    wanted = JobRecord(job=job, status=JobStatus.FAILED, attempts=1, created_at=0, since=0)
    kept = packed(wanted)
    assert kept is unpacked(kept) is wanted
    assert list(Records([kept]).with_status(JobStatus.FAILED)) == [wanted]


def test_records_are_a_sequence() -> None:
    """They have a length, places, slices and an order, and are equal to any like them."""
    plain = [record(n, status=status) for n, status in enumerate(JobStatus)]
    records = Records([packed(plain[0]), *plain[1:3], *map(packed, plain[3:])])
    assert records == plain == list(records)
    assert records != plain[1:]
    assert (len(records), records[3], records[-1]) == (5, plain[3], plain[-1])
    assert records[1:4] == Records(plain[1:4])
    assert plain[4] in records
    with pytest.raises(IndexError):
        records[5]
    assert not Records()


def test_records_of_some_states() -> None:
    """They are told apart without being unpacked, and keep their order."""
    plain = [record(n, status=status) for n, status in enumerate([*JobStatus, *JobStatus])]
    records = Records([*map(packed, plain[:5]), *plain[5:]])
    for status in JobStatus:
        assert records.with_status(status) == [r for r in plain if r.status is status]
    some = records.with_status(JobStatus.PENDING, JobStatus.SUCCESS)
    assert [each.job.job_id for each in some] == [0, 3, 5, 8]


def test_records_travel() -> None:
    """What is sent to another process does not depend on which Python packed it."""
    kept = packed(record())
    assert isinstance(kept, bytes)
    sent = pickle.dumps(Records([kept]))
    assert kept not in sent
    assert pickle.loads(sent) == [record()]
