"""The registry of a run with a ledger answers as one without, whatever has left memory."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.jobs import BUSY, make_job
from tests.support.ledgers import KEYS
from url_downloader.ledger import writer
from url_downloader.ledger.ledger import Ledger
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.ledger_entries import UrlHistory
from url_downloader.shared.models import (
    ErrorKind,
    JobRecord,
    JobResult,
    JobStatus,
    Outcome,
    SourceFacts,
)

KINDS = [
    kind for kind in ErrorKind if kind not in (ErrorKind.CLIENT_ERROR, ErrorKind.SERVER_ERROR)
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
SOURCES = st.tuples(
    st.none(),
    st.none() | TEXT.filter(bool),
    st.none() | st.integers(-(2**31), 2**40).map(float),
    st.just(()) | st.just((Checksum("sha-256", "ab" * 32),)),
).map(SourceFacts._make)
SUCCESSES = st.fixed_dictionaries(
    {
        "http_status": st.none() | st.integers(200, 206),
        "size": st.integers(0, 2**50),
        "outcome": st.sampled_from(Outcome),
        "received": st.integers(0, 2**50),
        "source": SOURCES,
        "mtime_ns": st.integers(-(2**40), 2**62),
    }
).map(lambda fields: JobResult(**fields))
WITHOUT_STATUS = st.tuples(st.sampled_from(KINDS), TEXT, st.integers(0, 9)).map(
    lambda fields: JobResult(kind=fields[0], message=fields[1], received=fields[2])
)
WITH_STATUS = st.integers(400, 599).map(
    lambda status: JobResult(
        kind=ErrorKind.CLIENT_ERROR if status < 500 else ErrorKind.SERVER_ERROR,
        message=f"HTTP {status}",
        http_status=status,
    )
)
LIVES = st.tuples(st.integers(0, 2), st.none() | SUCCESSES | WITHOUT_STATUS | WITH_STATUS)
"""Number of retries of a job, and its last result; None for a job that does not end."""


class Registry:
    """Registry of one run, with a clock of its own that ticks with each call.

    Args:
        ledger: Ledger of the run; None without one.
    """

    def __init__(self, ledger: Ledger | None) -> None:
        ticks, times = count(), count()
        self.registry = JobRegistry(
            ledger=ledger,
            now=lambda: next(ticks) / 8,
            utc_now=lambda: 1_700_000_000 + next(times) / 8,
        )

    def live(self, number: int, *, retries: int, result: JobResult | None) -> None:
        """Let a job begin, be retried, and perhaps end."""
        url = f"http://h/{number}"
        history = UrlHistory(KEYS.identity(url), number)
        self.registry.add(make_job(number, url=url, output=f"file{number}", history=history))
        for _ in range(retries):
            self.registry.start(number)
            self.registry.schedule_retry(number, BUSY, due=0)
        if result is not None:
            self.registry.start(number)
            end = self.registry.succeed if result.kind is None else self.registry.fail
            end(number, result)


@contextmanager
def with_ledger() -> Iterator[tuple[Registry, Ledger]]:
    """Yield a registry whose records leave memory as soon as its ledger has them."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "MAX_DELAY", 0.0)
        ledger = Ledger(Path(folder) / "ledger.db")
        run = Registry(ledger)

        def release(records: Sequence[JobRecord]) -> None:
            run.registry.release([record.job.job_id for record in records])

        ledger.committed.append(release)
        ledger.open()
        ledger.start()
        try:
            yield run, ledger
        finally:
            ledger.finish(0)


def facts(record: JobRecord) -> tuple[object, ...]:
    """Return what a record of any origin has to tell."""
    result, job = record.result, record.job
    times = (record.created_at, record.started_at, record.finished_at, record.worked)
    told = (job.job_id, job.url, job.output, record.status, record.attempts, *times)
    return (*told, result and result[:4], result and (result.outcome, *_facts(result)))


def _facts(result: JobResult) -> tuple[object, ...]:
    source = result.source or SourceFacts()
    return result.received, result.mtime_ns, source.etag, source.modified, source.digests


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(lives=st.lists(LIVES, max_size=20), has_ended=st.booleans())
def test_a_registry_with_a_ledger(
    lives: list[tuple[int, JobResult | None]], *, has_ended: bool
) -> None:
    """Counts, snapshots and records are the same, in the run and after it, also pickled."""
    plain = Registry(None)
    with with_ledger() as (run, ledger):
        for number, (retries, result) in enumerate(lives, start=1):
            for each in (plain, run):
                each.live(number, retries=retries, result=result)
        if has_ended:
            ledger.finish(0)
        one, other = plain.registry, run.registry
        assert one.counts() == other.counts()
        for status in JobStatus:
            wanted, found = one.with_status(status), other.with_status(status)
            assert (len(found), [*map(facts, found)]) == (len(wanted), [*map(facts, wanted)])
        for number in range(1, len(lives) + 1):
            assert facts(other.get(number)) == facts(one.get(number))
        snapshot = pickle.loads(pickle.dumps(other.snapshot()))
        assert [*map(facts, snapshot)] == [*map(facts, one.snapshot())]
