"""The workers' downloaders, over the real network and the real disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from url_downloader.attempt.downloader import Downloader
from url_downloader.attempt.transfer_context import TransferContext
from url_downloader.config.settings import Settings
from url_downloader.engine.monitor import Observer
from url_downloader.engine.pool import JobPool
from url_downloader.engine.run_summary import RunSummary
from url_downloader.network.client import HttpClient, client_context
from url_downloader.network.resolver import Resolver
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.descriptors import affordable_idle
from url_downloader.shared.models import DownloadJob, EventListener
from url_downloader.shared.once_logger import OnceLogger
from url_downloader.shared.ports import Naming
from url_downloader.storage.output_directory import OutputDirectory

log = logging.getLogger(__package__)


class DownloaderFactory:
    """Makes the workers' downloaders, over the real network and the real disk.

    Args:
        settings: of the run.
        directory: where the files go.
        names: names that servers give, where the settings let them.
        stop: asked while a file of the settings is waited for; True ends that.

    Threads: called in each worker's.
    """

    def __init__(
        self,
        settings: Settings,
        directory: OutputDirectory,
        *,
        names: Naming | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._client = client_context(settings.server, settings.transfer, should_stop=stop)
        self._directory = directory
        self._names = names if settings.output.takes_server_names else None
        self._notices = OnceLogger(log)
        self._resolver = Resolver()

    def __call__(self, control: AttemptControl) -> Downloader:
        """Return a downloader whose attempts use this control."""
        output, transfer = self._settings.output, self._settings.transfer
        context = TransferContext(
            transport=HttpClient(
                self._client,
                control=control,
                max_idle=affordable_idle(self._settings.pool.max_workers),
                look_up=self._resolver.look_up,
            ),
            disk=self._directory,
            settings=transfer,
            is_resumed=output.is_resumed,
            existing=output.existing,
            names=self._names,
            control=control,
            notices=self._notices,
        )
        return Downloader(context)


def process_jobs(
    jobs: Iterable[DownloadJob | None],
    settings: Settings,
    *,
    names: Naming | None = None,
    listeners: Sequence[EventListener] = (),
    observers: Sequence[Observer] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Download all jobs; returns when each has ended, or when the run was stopped.

    Args:
        jobs: read lazily, in this thread; None means: nothing yet, look around.
        settings: of the run.
        names: names that servers give, where the settings let them.
        listeners: told every event; see JobRegistry.
        observers: shown the run again and again, each in a thread of its own.
        should_stop: asked often; True ends the run in order.

    Raises:
        OutputError, InputError: the output directory, or a file to read, can't be used.
    """
    with OutputDirectory(settings.output) as disk:
        return JobPool(
            settings,
            listeners=listeners,
            observers=observers,
            should_stop=should_stop,
            make_attempter=DownloaderFactory(settings, disk, names=names, stop=should_stop),
        ).run(jobs)
