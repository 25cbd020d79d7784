"""The failed jobs of a run, which are spooled as they fail, so that none stays in memory."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import chain
from operator import itemgetter
from pathlib import Path

from url_downloader.config.settings import Settings
from url_downloader.reports.failed_list import entry_text, reason_of
from url_downloader.reports.line_writer import LineWriter
from url_downloader.reports.list_spool import ListSpool, write_list
from url_downloader.shared.models import DownloadJob, JobEvent, JobRecord, JobStatus

MAX_SORTED = 50_000
"""Failed jobs that the list has in the order of the input; their places take 800 kB."""


class FailedJobs:
    """Listener that spools each failed job as text for the failed list.

    The list has the jobs in the order of the input. If more than MAX_SORTED jobs have failed,
    it has them in the order of their failures, before the unfinished ones.

    Args:
        spool: Spool of the list.
        writer: Writer to the spool, which makes the texts in its own thread.
        settings: Settings of the run.
        settled: Function that returns a job with the final name of its file.

    Threads: `on_event` any; `finish` one, after the last event.
    """

    def __init__(
        self,
        spool: ListSpool,
        writer: LineWriter,
        *,
        settings: Settings,
        settled: Callable[[DownloadJob], DownloadJob],
    ) -> None:
        self._spool = spool
        self._writer = writer
        self._settings = settings
        self._settled = settled
        # The numbers of the jobs in the spool, and the ends of their texts. The writer calls
        # `_spooled_text` for one job after the other.
        self._numbers = array("q")
        self._ends = array("q")
        self._end = 0

    def on_event(self, event: JobEvent) -> None:
        """Spool a job that has failed."""
        record = event.record
        if record.status is JobStatus.FAILED:
            # Settled now: the name that a server gave may be forgotten after the job's end.
            job = self._settled(record.job)
            self._writer.write(functools.partial(self._spooled_text, record, job))

    def finish(
        self,
        path: Path,
        unfinished: Iterable[JobRecord],
        *,
        rest: Iterable[str],
        gave_up: Callable[[], bool],
    ) -> None:
        """Write the list, when the writer has written all texts.

        Args:
            path: Path of the list.
            unfinished: Records of the unfinished jobs, in the order of the input.
            rest: Pieces of the text of the other jobs.
            gave_up: Tells whether to stop waiting for the reader of a pipe.

        Raises:
            OSError: The list can't be written; see `ListSpool.finish`.
        """
        others = (
            (each.job.job_id, self._text(each, self._settled(each.job))) for each in unfinished
        )
        if len(self._numbers) > MAX_SORTED:
            self._spool.finish(chain(map(itemgetter(1), others), rest), gave_up=gave_up)
        else:
            jobs = merge(self._sorted(), others, key=itemgetter(0))
            write_list(path, chain(map(itemgetter(1), jobs), rest), gave_up=gave_up)

    def _spooled_text(self, record: JobRecord, job: DownloadJob) -> bytes:
        text = self._text(record, job).encode()
        self._end += len(text)
        if len(self._numbers) <= MAX_SORTED:
            self._numbers.append(job.job_id)
            self._ends.append(self._end)
        return text

    def _text(self, record: JobRecord, job: DownloadJob) -> str:
        return entry_text(job, self._settings, reason=reason_of(record))

    def _sorted(self) -> Iterator[tuple[int, str]]:
        """Yield number and text of each job in the spool, in the order of the input."""
        for index in sorted(range(len(self._numbers)), key=self._numbers.__getitem__):
            start = self._ends[index - 1] if index else 0
            yield self._numbers[index], self._spool.read(start, self._ends[index])
