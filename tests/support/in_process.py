"""Runs in the process of the tests, and the record of each job at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.jobs import make_job
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import (
    Existing,
    OutputSettings,
    PoolSettings,
    RetrySettings,
    RunSettings,
    Settings,
    TransferSettings,
)
from url_downloader.engine.run_summary import RunSummary
from url_downloader.process_jobs import process_jobs
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import DownloadJob, JobEvent, JobRecord
from url_downloader.shared.run_controls import RunContext, RunControls

PATIENT = 10.0
"""Seconds that no passing test waits."""


@dataclass(slots=True)
class Run:
    """Runs, with one attempt for each job by default.

    Args:
        directory: Output directory.
        transfer: Settings of transfers.
        workers: Number of workers.
        existing: Rule for existing files.
        retry: Settings of retries; by default there is no delay.
        limits: Limits of the run.
        server: Settings for the communication with servers.

    Attributes:
        ended: Records of the ended jobs by the names of their files.
    """

    directory: Path
    transfer: TransferSettings = field(default_factory=TransferSettings)
    workers: int = 1
    existing: Existing = Existing.REPLACE
    retry: RetrySettings = field(default_factory=lambda: RetrySettings(delay=0))
    limits: RunSettings = field(default_factory=RunSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    ended: dict[str, JobRecord] = field(default_factory=dict)
    _jobs: int = 0

    def job(
        self, name: str, url: str, *, limits: AttemptLimits | None = None, max_retries: int = 0
    ) -> DownloadJob:
        """Return a job for the file `name`; no passing test reaches its default limits."""
        self._jobs += 1
        return make_job(
            self._jobs,
            url=url,
            output=name,
            limits=limits or AttemptLimits(timeout=PATIENT),
            max_retries=max_retries,
        )

    def fetch(self, *urls: str) -> JobRecord:
        """Download the URLs to files 0, 1 ...; return the record of the first."""
        self.work(self.job(f"{n}", url) for n, url in enumerate(urls))
        return self.ended["0"]

    def work(
        self,
        jobs: Iterable[DownloadJob],
        *,
        until: Callable[[], bool] = bool,
        is_limited: Callable[[], bool] = lambda: True,
    ) -> RunSummary:
        """Process the jobs until `until` returns True; return the summary.

        Args:
            jobs: Jobs of the run.
            until: Function that tells whether to stop.
            is_limited: Function that tells whether the rate limit is switched on.
        """
        settings = Settings(
            retry=self.retry,
            transfer=self.transfer,
            server=self.server,
            run=self.limits,
            pool=PoolSettings(max_workers=self.workers),
            output=OutputSettings(directory=self.directory, existing=self.existing),
        )
        summary = process_jobs(
            jobs,
            settings,
            listeners=[self._listen],
            context=RunContext(controls=RunControls(until, is_limited)),
        )
        self._jobs = 0
        assert summary.crash is None, summary.crash
        return summary

    @property
    def files(self) -> dict[str, bytes]:
        """The files in the directory: names and contents."""
        return {path.name: path.read_bytes() for path in self.directory.iterdir()}

    def _listen(self, event: JobEvent) -> None:
        if event.record.status.is_terminal:
            self.ended[event.record.job.output] = event.record


def after(seconds: float) -> Callable[[], bool]:
    """Return a function that tells whether so many seconds have passed since this call."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline
