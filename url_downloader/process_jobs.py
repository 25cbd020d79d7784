"""Composition root: builds the parts of a run, runs them and returns a summary.

The story of a run:

1. `process_jobs` makes a DownloaderFactory, which holds what all attempts share: the settings,
   the files that they name, the connections and the output directory.
2. It makes a JobPool with that factory, and calls `run` with the jobs.
3. The pool starts its threads, and registers and queues the jobs. Each worker calls
   `make_downloader` once, in its own thread, and gets a Downloader with an HttpClient of its
   own. All clients share the connections.
4. The worker calls `Downloader.attempt` for each job that it takes. HttpClient sends the
   requests and reads the replies. OutputDirectory stores the files and publishes them.
5. The worker records the result in the pool's registry, which calls the listeners. A failed job
   may be queued again. Meanwhile, the pool's monitors call the observers.
6. When all jobs have ended, or the run must stop, the pool ends its threads in order. It
   returns a RunSummary.
7. The factory closes the idle connections, and the output directory, which removes parts that
   no run can resume.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from typing import Self

from url_downloader.attempt.downloader import Downloader
from url_downloader.attempt.transfer_context import TransferContext
from url_downloader.config.settings import Settings
from url_downloader.engine.monitor import Observer
from url_downloader.engine.pool import JobPool
from url_downloader.engine.run_summary import RunSummary
from url_downloader.network.client import HttpClient
from url_downloader.network.client_context import client_context
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.models import EventListener, ListItem
from url_downloader.shared.once_logger import OnceLogger
from url_downloader.shared.ports import Naming
from url_downloader.shared.run_controls import NO_CONTEXT, NO_CONTROLS, RunContext, RunControls
from url_downloader.storage.output_directory import OutputDirectory

log = logging.getLogger(__package__)


def process_jobs(
    jobs: Iterable[ListItem],
    settings: Settings,
    *,
    context: RunContext = NO_CONTEXT,
    listeners: Sequence[EventListener] = (),
    observers: Sequence[Observer] = (),
) -> RunSummary:
    """Download all jobs; return when each has ended or the run was stopped.

    Args:
        jobs: Jobs, read lazily in this thread. A None only lets the run check whether to stop.
        settings: Settings of the run.
        context: Surroundings of the run: names, ledger and controls.
        listeners: Callbacks for each event of a job; see JobRegistry.
        observers: Callbacks for the state of the run, each with a thread of its own.

    Raises:
        OutputError, InputError: The output directory, or a file of the settings, is unusable.
    """
    with DownloaderFactory(settings, names=context.names, controls=context.controls) as factory:
        return JobPool(
            settings,
            listeners=listeners,
            observers=observers,
            context=context,
            factory=factory,
        ).run(jobs)


class DownloaderFactory:
    """Factory of the workers' downloaders, for the real network and the real disk.

    It is a context manager, which opens the output directory, and closes it with the
    connections at the end. It implements `engine.worker.JobDownloaderFactory`.

    Args:
        settings: Settings of the run.
        names: Names of files that change during the run; None if no name can change.
        controls: Functions that can end the wait for a FIFO which the settings name, and switch
            the rate limit off.

    Raises:
        OutputError, InputError: The output directory, or a file of the settings, is unusable.

    Threads: made and closed in the thread that calls `process_jobs`; `make_downloader` once in
    each worker's thread; `is_reachable` in any.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        names: Naming | None = None,
        controls: RunControls = NO_CONTROLS,
    ) -> None:
        self._settings = settings
        self._names = names
        self._controls = controls
        self._notices = OnceLogger(log)

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._directory = opened.enter_context(OutputDirectory(self._settings.output))
            self._client = client_context(self._settings, self._controls)
            opened.enter_context(closing(self._client))
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def is_reachable(self) -> bool:
        """Tell whether the address that was connected last can be connected now."""
        return self._client.connector.can_reach_last()

    def make_downloader(self, control: AttemptControl) -> Downloader:
        """Return a downloader for one worker, whose attempts use this control."""
        output, transfer = self._settings.output, self._settings.transfer
        context = TransferContext(
            transport=HttpClient(self._client, control=control),
            disk=self._directory,
            settings=transfer,
            is_resumed=output.is_resumed,
            existing=output.existing,
            names=self._names,
            takes_server_names=output.takes_server_names,
            control=control,
            notices=self._notices,
        )
        return Downloader(context)
