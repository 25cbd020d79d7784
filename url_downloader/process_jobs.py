"""Composition root: builds the parts of a run, runs them and returns a summary.

The story of a run:

1. `process_jobs` makes and opens the OutputDirectory.
2. It makes a DownloaderFactory, which holds what all attempts share: the settings, the files
   that they name, the host name resolver and the output directory.
3. It makes a JobPool with that factory, and calls `run` with the jobs.
4. The pool starts its threads, and registers and queues the jobs. Each worker calls the factory
   once, in its own thread, and gets a Downloader with an HttpClient of its own.
5. The worker calls `Downloader.attempt` for each job that it takes. HttpClient sends the
   requests and reads the replies. OutputDirectory stores the files and publishes them.
6. The worker records the result in the pool's registry, which calls the listeners. A failed job
   may be queued again. Meanwhile, the pool's monitors call the observers.
7. When all jobs have ended, or the run must stop, the pool ends its threads in order. It
   returns a RunSummary.
8. `process_jobs` closes the output directory, which removes parts that no run can resume.
"""

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


def process_jobs(
    jobs: Iterable[DownloadJob | None],
    settings: Settings,
    *,
    names: Naming | None = None,
    listeners: Sequence[EventListener] = (),
    observers: Sequence[Observer] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Download all jobs; return when each has ended or the run was stopped.

    Args:
        jobs: Jobs, read lazily in this thread. A None only lets the run check whether to stop.
        settings: Settings of the run.
        names: Names that servers give to files; used only with --content-disposition.
        listeners: Callbacks for each event of a job; see JobRegistry.
        observers: Callbacks for the state of the run, each with a thread of its own.
        should_stop: Function that is called often, in this thread; True ends the run early.

    Raises:
        OutputError, InputError: The output directory, or a file of the settings, is unusable.
    """
    with OutputDirectory(settings.output) as disk:
        return JobPool(
            settings,
            listeners=listeners,
            observers=observers,
            should_stop=should_stop,
            make_downloader=DownloaderFactory(settings, disk, names=names, stop=should_stop),
        ).run(jobs)


class DownloaderFactory:
    """Factory of the workers' downloaders, for the real network and the real disk.

    Args:
        settings: Settings of the run.
        directory: Output directory of the run.
        names: Names that servers give to files; used only with --content-disposition.
        stop: Function that is called while a file that the settings name is a FIFO without
            data. If it returns True, the wait ends.

    Raises:
        InputError: A file that the settings name can't be used.

    Threads: made in the thread that calls `process_jobs`; called once in each worker's thread.
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
        """Return a downloader for one worker, whose attempts use this control."""
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
