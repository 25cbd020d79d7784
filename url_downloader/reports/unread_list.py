"""The rest of a list that a stopped run has not read, as text for the failed list."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from url_downloader.config.settings import Settings
from url_downloader.inputs.list_skimmer import ListSkimmer
from url_downloader.reports.failed_list import NOT_STARTED, has_options, list_text
from url_downloader.shared.models import DownloadJob, ListItem, PassedOver

log = logging.getLogger(__package__)

_QUIET_SECONDS, _QUIET_CHECKS = 0.3, 3
"""Seconds and checks without a job after which a list without a known end counts as read."""
_MAX_SECONDS = 5.0
"""Seconds for the rest of a list without a known end, even if it keeps growing."""


class UnreadList(NamedTuple):
    """Part of a list that the run has not read yet.

    Args:
        jobs: Items of this part; None means that there is no job yet.
        skimmer: Skimmer that copies lines without parsing; None if all must be parsed.
        is_file: Whether the list is a regular file, which has a known end. Another program may
            still write to a pipe.
    """

    jobs: Iterable[ListItem]
    skimmer: ListSkimmer | None
    is_file: bool


def unread_text(
    unread: UnreadList,
    settings: Settings,
    *,
    path: Path,
    settled: Callable[[DownloadJob], DownloadJob],
) -> Iterator[str]:
    """Yield the text of all entries that the run has not read; log what is left out.

    Args:
        unread: Rest of the list.
        settings: Settings of the run.
        path: Path of the failed list, for messages.
        settled: Returns a job with the final name of its file.
    """
    skimmer = unread.skimmer
    if skimmer is not None:
        skimmer.skim()
    for job in _unread_jobs(unread, path):
        if skimmer is not None:
            yield from skimmer.take()
        if job is not None and not _is_copied(job, skimmer, settings=settings):
            yield from list_text([(settled(job), NOT_STARTED)], settings)
    if skimmer is not None:
        yield from skimmer.take()


def _is_copied(job: DownloadJob, skimmer: ListSkimmer | None, *, settings: Settings) -> bool:
    """Tell whether the skimmer copied the URL already, perhaps from another spelling."""
    is_skimmed = skimmer is not None and skimmer.has(job.url)
    return is_skimmed and not has_options(job, settings)


def _unread_jobs(unread: UnreadList, path: Path) -> Iterator[DownloadJob | None]:
    """Yield the jobs of the rest; stop early if a list without a known end goes on."""
    log.info("reading the rest of the list for %s", path)
    last = began = time.monotonic()
    quiet_checks = 0
    for item in unread.jobs:
        now, job = time.monotonic(), None if isinstance(item, PassedOver) else item
        if job is None:
            quiet_checks += 1
        else:
            last, quiet_checks = now, 0
        yield job
        is_quiet = quiet_checks >= _QUIET_CHECKS and now > last + _QUIET_SECONDS
        if not unread.is_file and (is_quiet or now > began + _MAX_SECONDS):
            log.warning("the list has not ended; URLs that come now are not in %s", path)
            return
