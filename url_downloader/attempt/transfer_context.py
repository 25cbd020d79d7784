"""Context that all attempts of a downloader share: network, disk and rules."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from url_downloader.attempt.content_codings import non_coding_words
from url_downloader.attempt.overwrite_rules import OverwriteRules
from url_downloader.config.settings import Existing, TransferSettings
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.models import DownloadJob
from url_downloader.shared.once_logger import OnceLogger
from url_downloader.shared.ports import Decoder, Disk, Naming, Reply, Transport

log = logging.getLogger(__package__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferContext:
    """Network, disk and rules that all attempts of a downloader share.

    Args:
        transport: Access to the network.
        disk: Output directory.
        settings: User's rules for replies and files.
        is_resumed: Whether parts of earlier attempts are reopened. If not, even a retry of the
            same run begins at byte 0.
        existing: Rule for files that already exist.
        names: Names of files that change during a run, and checksums of names; None if no name
            can change.
        takes_server_names: Whether servers may name the files (--content-disposition).
        control: Control of the attempts, through which other threads see and abort them.
        notices: Warnings that are logged once per run.
        utc_now: Wall clock, seconds since the epoch.
    """

    transport: Transport
    disk: Disk
    settings: TransferSettings
    is_resumed: bool
    existing: Existing
    names: Naming | None
    control: AttemptControl
    takes_server_names: bool = True
    notices: OnceLogger = field(default_factory=lambda: OnceLogger(log))
    utc_now: Callable[[], float] = time.time

    @property
    def overwrite_rules(self) -> OverwriteRules:
        """Return the rules for files that already exist."""
        return OverwriteRules(self.disk, self.existing, names=self.names)

    def decoder(self, reply: Reply, job: DownloadJob, *, output: str) -> Decoder | None:
        """Return the decoder for the body of a reply; None if the body has no coding.

        Args:
            reply: Reply, of which only the head is used.
            job: Job of the attempt.
            output: Path of the file, relative to the output directory.

        Raises:
            AttemptError: The body has a coding that this installation can't decode.
        """
        value = reply.headers.get("content-encoding", "")
        if not value:
            return None
        # Imported here, because few replies are encoded.
        from url_downloader.attempt.decoding import decoder_for  # noqa: PLC0415

        if ignored := non_coding_words(value):
            self.notices.warning("Content-Encoding %s names no coding: ignored", ignored)
        urls = (urlsplit(job.url).path, urlsplit(reply.url).path)
        media_type = reply.headers.get("content-type", "")
        return decoder_for(value, paths=(*urls, job.output, output), media_type=media_type)

    def checksum(self, job: DownloadJob, output: str) -> Checksum | None:
        """Return the checksum that the job's file must have; None if none is known.

        Args:
            job: Job of the attempt.
            output: Path of the file, which a server may have changed.
        """
        if self.names is None or not self.takes_server_names:
            return job.checksum
        return self.names.checksum(job, output)
