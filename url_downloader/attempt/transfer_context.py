"""The hands and the rules that all attempts of a downloader share."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from url_downloader.attempt.content_codings import strange_words
from url_downloader.attempt.overwrite_rules import OverwriteRules
from url_downloader.config.settings import Existing, TransferSettings
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.models import Checksum, DownloadJob
from url_downloader.shared.once_logger import OnceLogger
from url_downloader.shared.ports import Decoder, Disk, Naming, Reply, Transport

log = logging.getLogger(__package__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferContext:
    """Parts that all transfers of a downloader share.

    Args:
        transport, disk: the hands.
        settings: what is accepted.
        is_resumed: whether parts are continued.
        existing: what is done with files that are there already.
        names: names that servers give; None: they give none.
        control: shows other threads how far the attempt has come.
        notices: warnings that are given once in a run.
        utc_now: wall clock, seconds since the epoch.
    """

    transport: Transport
    disk: Disk
    settings: TransferSettings
    is_resumed: bool
    existing: Existing
    names: Naming | None
    control: AttemptControl
    notices: OnceLogger = field(default_factory=lambda: OnceLogger(log))
    utc_now: Callable[[], float] = time.time

    @property
    def overwrite_rules(self) -> OverwriteRules:
        """The rule for files that are there already."""
        return OverwriteRules(self.disk, self.existing)

    def decoder(self, reply: Reply, job: DownloadJob, *, output: str) -> Decoder | None:
        """Return what makes the file's bytes of those of the reply's body; None: they are.

        Args:
            reply: its head.
            job: that it answers.
            output: name of the file.

        Raises:
            AttemptError: the body has a coding that can't be undone here.
        """
        value = reply.headers.get("Content-Encoding", "")
        if not value:
            return None
        # Here, because few replies are encoded.
        from url_downloader.attempt.decoding import decoder_for  # noqa: PLC0415

        if strange := strange_words(value):
            self.notices.warning("Content-Encoding %s names no coding: passed over", strange)
        urls = (urlsplit(job.url).path, urlsplit(reply.url).path)
        media_type = reply.headers.get("Content-Type", "")
        return decoder_for(value, paths=(*urls, job.output, output), media_type=media_type)

    def checksum(self, job: DownloadJob, output: str) -> Checksum | None:
        """Return the checksum that the job's file must have under this name, if any."""
        return job.checksum if self.names is None else self.names.checksum(job, output)
