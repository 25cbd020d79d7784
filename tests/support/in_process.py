"""Runs of the program's pool in the tests' own process, and how each job ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from url_downloader.config.settings import (
    OutputSettings,
    PoolSettings,
    RetrySettings,
    Settings,
    TransferSettings,
)
from url_downloader.process_jobs import process_jobs
from url_downloader.shared.models import AttemptLimits, DownloadJob, JobEvent, JobRecord

PATIENT = 10.0
"""Seconds that no passing test waits."""


@dataclass(slots=True)
class Run:
    """Runs, with one attempt for each job unless it says else.

    Args:
        directory: where the files go.
        transfer: what is accepted.
        workers: how many.

    Attributes:
        ended: how each job ended, by the name of its file.
    """

    directory: Path
    transfer: TransferSettings = field(default_factory=TransferSettings)
    workers: int = 1
    ended: dict[str, JobRecord] = field(default_factory=dict)
    _jobs: int = 0

    def job(
        self, name: str, url: str, *, limits: AttemptLimits | None = None, max_retries: int = 0
    ) -> DownloadJob:
        """A job for the file `name`; its limits of time are none that a passing test meets."""
        self._jobs += 1
        return DownloadJob(
            job_id=self._jobs,
            url=url,
            output=name,
            limits=limits or AttemptLimits(timeout=PATIENT),
            max_retries=max_retries,
        )

    def fetch(self, *urls: str) -> JobRecord:
        """How the job for the first URL ended, of a run for all; their files are 0, 1 ..."""
        self.work(self.job(f"{n}", url) for n, url in enumerate(urls))
        return self.ended["0"]

    def work(self, jobs: Iterable[DownloadJob], *, until: Callable[[], bool] = bool) -> None:
        """Do the jobs, which are to be stopped when `until` says so."""
        settings = Settings(
            retry=RetrySettings(delay=0),
            transfer=self.transfer,
            pool=PoolSettings(max_workers=self.workers),
            output=OutputSettings(directory=self.directory),
        )
        summary = process_jobs(
            jobs,
            settings,
            listeners=[self._listen],
            should_stop=until,
        )
        self._jobs = 0
        assert summary.crash is None, summary.crash

    @property
    def files(self) -> dict[str, bytes]:
        """What is in the directory: name and content."""
        return {path.name: path.read_bytes() for path in self.directory.iterdir()}

    def _listen(self, event: JobEvent) -> None:
        if event.record.status.is_terminal:
            self.ended[event.record.job.output] = event.record


def after(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have passed since this call."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline
