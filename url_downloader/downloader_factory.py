"""The workers' downloaders, over the real network and the real disk."""

from __future__ import annotations

import logging
from collections.abc import Callable

from url_downloader.config import Settings
from url_downloader.descriptors import affordable_idle
from url_downloader.downloader import Downloader
from url_downloader.http_client import HttpClient, client_context
from url_downloader.seams import LookUp, Naming
from url_downloader.shared.notices import Notices
from url_downloader.storage import OutputDirectory
from url_downloader.transfer_context import TransferContext

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
        self._held: dict[int, int] = {}
        self._notices = Notices(log)

    def __call__(self, *, on_bytes: Callable[[int], None], look_up: LookUp) -> Downloader:
        """A downloader that looks hosts up and counts its bytes so."""
        output, transfer = self._settings.output, self._settings.transfer
        context = TransferContext(
            transport=HttpClient(
                self._client,
                max_idle=affordable_idle(self._settings.pool.max_workers),
                look_up=look_up,
            ),
            disk=self._directory,
            settings=transfer,
            is_resumed=output.is_resumed,
            existing=output.existing,
            names=self._names,
            on_bytes=on_bytes,
            held=self._held,
            notices=self._notices,
        )
        return Downloader(context)
