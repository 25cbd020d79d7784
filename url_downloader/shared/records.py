"""The records of a run as a sequence, which reads those that left memory from the ledger."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import overload

from url_downloader.shared.errors import InputError
from url_downloader.shared.history import PastRecords
from url_downloader.shared.models import JobRecord, JobStatus
from url_downloader.shared.record_packing import StoredRecord, status_of, unpacked

PAGE = 500
"""Records that are read from the ledger at once; they take about 1 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Records that have left memory: all that are in the ledger, apart from some.

    Args:
        source: Ledger to read them from.
        counts: Number of them by status.
        others: Numbers of the jobs whose records have not left memory.
        last: Greatest number of a job that counts.
    """

    source: PastRecords
    counts: Mapping[JobStatus, int]
    others: frozenset[int]
    last: int

    def records(self, statuses: frozenset[JobStatus]) -> Iterator[JobRecord]:
        """Yield the records with one of these statuses, in order of registration.

        Raises:
            InputError: The ledger can't be read, or does not have all of them any more.
        """
        wanted = {status for status in statuses if self.counts[status]}
        missing = sum(self.counts[status] for status in wanted)
        failed_only, after = wanted <= {JobStatus.FAILED}, 0
        while wanted and after < self.last:
            page = self.source.records(after=after, limit=PAGE, failed_only=failed_only)
            for record in page:
                after = record.job.job_id
                if record.status in wanted and self._has(after):
                    missing -= 1
                    yield record
            if not page:
                break
        if missing:
            raise InputError(
                "some records of this run are no longer in the ledger, because a later run has"
                " recorded their URLs; read them before that run begins"
            )

    def _has(self, job_id: int) -> bool:
        return job_id <= self.last and job_id not in self.others


class Records(Sequence[JobRecord]):
    """Sequence of records in order of registration; each is unpacked when it is read.

    Args:
        stored: Records in memory, in order of registration; the caller must not change this
            sequence afterwards.
        released: Records that have left memory; None if none has.
        statuses: Statuses of the records of `released` that belong to the sequence.

    Threads: any.
    """

    def __init__(
        self,
        stored: Sequence[StoredRecord] = (),
        *,
        released: Released | None = None,
        statuses: frozenset[JobStatus] = frozenset(JobStatus),
    ) -> None:
        self._stored = stored
        self._released = released
        self._statuses = statuses

    def with_status(self, *statuses: JobStatus) -> Records:
        """Return the records in one of these states."""
        stored = [each for each in self._stored if status_of(each) in statuses]
        return Records(
            stored, released=self._released, statuses=self._statuses.intersection(statuses)
        )

    def __len__(self) -> int:
        released = self._released
        left = sum(released.counts[each] for each in self._statuses) if released else 0
        return len(self._stored) + left

    def __iter__(self) -> Iterator[JobRecord]:
        stored = map(unpacked, self._stored)
        if self._released is None:
            return stored
        released = self._released.records(self._statuses)
        return merge(stored, released, key=lambda record: record.job.job_id)

    @overload
    def __getitem__(self, index: int) -> JobRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Records: ...
    def __getitem__(self, index: int | slice) -> JobRecord | Records:
        if isinstance(index, slice):
            if self._released is None:
                return Records(self._stored[index])
            start, stop, step = index.indices(len(self))
            if step < 0:
                return Records(list(self)[index])
            return Records(list(itertools.islice(self, start, stop, step)))
        if self._released is None:
            return unpacked(self._stored[index])
        number = range(len(self))[index]
        return next(itertools.islice(self, number, None))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Records({list(self)!r})"

    def __reduce__(self) -> tuple[type[Records], tuple[list[JobRecord]]]:
        # Other versions of Python may not read the packed form, so it is not pickled.
        return Records, (list(self),)
