"""The records of a run as a sequence, some in memory and some in the ledger."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence

import pytest

from tests.support.jobs import BUSY, NOT_FOUND, OK, make_job
from url_downloader.shared import job_registry, records
from url_downloader.shared.errors import InputError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import JobEvent, JobRecord, JobStatus

RUNNING, SUCCESS, FAILED = JobStatus.RUNNING, JobStatus.SUCCESS, JobStatus.FAILED
WAITING, PENDING = JobStatus.RETRY_SCHEDULED, JobStatus.PENDING
NUMBERS = range(1, 41)


class PastJobs:
    """A ledger that has the records which were committed, and answers page by page."""

    is_on = True

    def __init__(self) -> None:
        self.committed: list[Callable[[Sequence[JobRecord]], None]] = []
        self.on_failed: Callable[[str], None] = print
        self.aggregates: Callable[[], Mapping[str, object]] = dict
        self.pending: list[JobRecord] = []
        self.rows: dict[int, JobRecord] = {}
        self.pages = 0

    def start(self) -> None:
        """Do nothing: the test commits."""

    def on_event(self, event: JobEvent) -> None:
        """Note a record that is to be committed."""
        if event.record.status.is_terminal and event.previous is not None:
            self.pending.append(event.record)

    def record(self, job_id: int) -> JobRecord | None:
        return self.rows.get(job_id)

    def records(
        self, *, after: int, limit: int, failed_only: bool = False
    ) -> Sequence[JobRecord]:
        self.pages += 1
        wanted = [
            self.rows[number]
            for number in sorted(self.rows)
            if number > after and (self.rows[number].status is FAILED or not failed_only)
        ]
        return wanted[:limit]

    def commit(self, registry: JobRegistry) -> None:
        """Commit what is pending, so that it leaves the registry's memory."""
        self.rows |= {record.job.job_id: record for record in self.pending}
        registry.release([record.job.job_id for record in self.pending])
        self.pending.clear()


@pytest.fixture
def past() -> PastJobs:
    """Return a ledger without records."""
    return PastJobs()


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, past: PastJobs) -> JobRegistry:
    """Return a registry of 40 jobs in several states; most have left memory."""
    monkeypatch.setattr(job_registry, "MAX_KEPT_FAILURES", 3)
    monkeypatch.setattr(records, "PAGE", 4)
    registry = JobRegistry(ledger=past)
    for number in NUMBERS:
        registry.add(make_job(number))
        registry.start(number)
        match number % 4:
            case 0:
                registry.schedule_retry(number, BUSY, due=0)
            case 1:
                registry.fail(number, NOT_FOUND)
            case _:
                registry.succeed(number, OK)
        if number % 7 == 0:
            past.commit(registry)
    return registry


def test_records_that_have_left_memory(registry: JobRegistry) -> None:
    """Records in memory and in the ledger are one sequence, as if nothing had left memory."""
    wanted = [registry.get(number) for number in NUMBERS]
    snapshot = registry.snapshot()
    assert [record.job.job_id for record in snapshot] == [*NUMBERS]
    assert list(snapshot) == wanted
    assert len(snapshot) == len(NUMBERS)
    assert (snapshot[5], snapshot[-1]) == (wanted[5], wanted[-1])
    assert snapshot[2:30:3] == wanted[2:30:3]
    assert snapshot[::-1] == wanted[::-1]
    with pytest.raises(IndexError):
        snapshot[40]


def test_records_that_are_gone(registry: JobRegistry, past: PastJobs) -> None:
    """If a later run has replaced records, their reader is told, and gets no shorter list."""
    snapshot, index = registry.snapshot(), len(NUMBERS) - 1
    del past.rows[29]
    with pytest.raises(InputError, match="no longer in the ledger"):
        list(snapshot)
    with pytest.raises(InputError, match="no longer"):
        snapshot[index]
    assert len([*snapshot.with_status(WAITING)]) == len(NUMBERS) // 4
    with pytest.raises(KeyError):
        registry.get(29)


@pytest.mark.parametrize(
    "statuses", [[FAILED], [SUCCESS], [WAITING], [FAILED, WAITING], [PENDING], [*JobStatus]]
)
def test_records_in_some_states(registry: JobRegistry, statuses: list[JobStatus]) -> None:
    """The records of some states have a length and an order, and can be pickled."""
    wanted = [record for record in registry.snapshot() if record.status in statuses]
    chosen = registry.snapshot().with_status(*statuses)
    assert (list(chosen), len(chosen)) == (wanted, len(wanted))
    assert pickle.loads(pickle.dumps(chosen)) == wanted


def test_a_snapshot_is_of_one_moment() -> None:
    """Jobs that end, are added and committed after a snapshot do not change it."""
    past = PastJobs()
    registry = JobRegistry(ledger=past)
    for number in (1, 2, 3):
        registry.add(make_job(number))
        registry.start(number)
    registry.succeed(2, OK)
    past.commit(registry)
    snapshot = registry.snapshot()
    registry.succeed(1, OK)
    registry.fail(3, NOT_FOUND)
    registry.add(make_job(4))
    registry.start(4)
    registry.succeed(4, OK)
    past.commit(registry)
    assert [record.status for record in snapshot] == [RUNNING, SUCCESS, RUNNING]
    assert [record.status for record in registry.snapshot()] == [SUCCESS] * 2 + [
        FAILED,
        SUCCESS,
    ]
