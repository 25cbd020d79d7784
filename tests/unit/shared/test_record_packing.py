"""Packed records: what is unpacked equals what was packed."""

from __future__ import annotations

import inspect
import pickle
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.jobs import NOT_FOUND, make_job, make_record
from url_downloader.shared.job_options import AttemptLimits, Checksum
from url_downloader.shared.models import (
    DownloadJob,
    JobRecord,
    JobResult,
    JobStatus,
    SourceFacts,
)
from url_downloader.shared.record_packing import packed, unpacked
from url_downloader.shared.records import Records


def any_of(words: type, **others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for values of a type whose fields take all that their types allow."""
    return st.builds(words, **dict.fromkeys(inspect.signature(words).parameters, ...) | others)


CHECKSUMS = any_of(Checksum)
FACTS = any_of(SourceFacts, digests=st.lists(CHECKSUMS, max_size=2).map(tuple))
LIMITS = any_of(AttemptLimits)
JOBS = any_of(DownloadJob, limits=LIMITS, checksum=st.none() | CHECKSUMS)
PATHS = st.text(st.characters(exclude_categories=()))
"""A folder's name need not be UTF-8; Python stores the other bytes as surrogates."""
RESULTS = any_of(JobResult, path=st.none() | PATHS, source=st.none() | FACTS, contact=st.none())
RECORDS = any_of(JobRecord, job=JOBS, result=st.none() | RESULTS)


def record(number: int = 1, *, status: JobStatus = JobStatus.FAILED) -> JobRecord:
    """Return a record of usual size."""
    name = f"{number:06}.bin"
    return make_record(
        status,
        make_job(number, url=f"http://127.0.0.1:8080/a/{name}", output=name),
        created_at=1e9 + 0.1,
        since=1e6 + 0.1,
        started_at=1e9 + 0.2,
        finished_at=1e9 + 0.3,
        waited=0.1,
        worked=0.2,
        result=NOT_FOUND,
    )


@given(RECORDS)
def test_a_record_comes_back(wanted: JobRecord) -> None:
    """Every value comes back with the type that it had; a contact is not stored."""
    kept = packed(wanted)
    assert isinstance(kept, bytes)
    # Not equality: here 1 differs from 1.0, and NaN does not differ from NaN.
    assert repr(unpacked(kept)) == repr(wanted)


def test_a_common_record_is_small() -> None:
    """A packed record takes a third of the memory of its objects."""
    kept = packed(record())
    assert isinstance(kept, bytes)
    assert len(kept) < 250


def test_what_has_no_form_is_kept_as_it_is() -> None:
    """A record with a number that can't be packed is kept as an object."""
    limits = AttemptLimits(timeout=Fraction(1, 3))  # type: ignore[arg-type]
    wanted = make_record(JobStatus.FAILED, make_job(limits=limits))
    kept = packed(wanted)
    assert kept is unpacked(kept) is wanted
    assert list(Records([kept]).with_status(JobStatus.FAILED)) == [wanted]


def test_records_are_a_sequence() -> None:
    """Records have a length, items, slices and an order, and equal any like sequence."""
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
    """Records are selected by state without being unpacked, and keep their order."""
    plain = [record(n, status=status) for n, status in enumerate([*JobStatus, *JobStatus])]
    records = Records([*map(packed, plain[:5]), *plain[5:]])
    for status in JobStatus:
        assert records.with_status(status) == [r for r in plain if r.status is status]
    some = records.with_status(JobStatus.PENDING, JobStatus.SUCCESS)
    assert [each.job.job_id for each in some] == [0, 3, 5, 8]


def test_records_travel() -> None:
    """Records in a pickle do not depend on the Python that packed them."""
    kept = packed(record())
    assert isinstance(kept, bytes)
    sent = pickle.dumps(Records([kept]))
    assert kept not in sent
    assert pickle.loads(sent) == [record()]
