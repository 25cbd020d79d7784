"""Target of an attempt: the file that it is to publish, and the name that this file gets."""

from __future__ import annotations

import logging

from url_downloader.attempt.reply_facts import file_headers
from url_downloader.attempt.transfer_context import TransferContext
from url_downloader.naming.content_disposition import suggested_name
from url_downloader.shared.errors import NameTakenError
from url_downloader.shared.file_facts import FileVersion, PublishedFile
from url_downloader.shared.http_semantics import http_date
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.models import DownloadJob, JobResult
from url_downloader.shared.ports import Part, Reply
from url_downloader.shared.text import format_size

log = logging.getLogger(__package__)


class TargetFile:
    """File that an attempt is to publish.

    Args:
        job: Job of the attempt.
        context: Network, disk and rules of the attempt.

    Attributes:
        output: Path of the file, relative to the output directory. A server may change it, and
            so does a file of another run that has appeared there.

    Threads: one, the worker's.
    """

    def __init__(self, job: DownloadJob, context: TransferContext) -> None:
        self.output = job.output
        self._job = job
        self._context = context

    @property
    def checksum(self) -> Checksum | None:
        """Return the checksum that the file must have; None if none is known."""
        return self._context.checksum(self._job, self.output)

    def name(self, reply: Reply) -> bool:
        """Let the reply name the file, if the user wants that; return whether the name changed.

        An existing file of the old name has been checked before the request.
        """
        if self._context.names is None or not self._context.takes_server_names:
            return False
        disposition = file_headers(reply).get("content-disposition", "")
        self.output = self._context.names.name(self._job, suggested_name(disposition))
        return self.output != self._job.output

    def skipped_result(self) -> JobResult | None:
        """Return the result if an existing file of the name is skipped; else None.

        Raises:
            AttemptError: The file must be kept but fails its checksum, or it can't be read.
        """
        rules = self._context.overwrite_rules
        return rules.skipped_result(self._job, self.output, checksum=self.checksum)

    def kept_result(self, reply: Reply) -> JobResult | None:
        """Return the result if the reply shows that the existing file is kept; else None.

        Raises:
            AttemptError: The file can't be examined.
        """
        if self.checksum is not None:
            return None
        rules = self._context.overwrite_rules
        kept = rules.kept_result(self._job, self.output, reply=reply)
        if kept is None:
            return None
        result, is_complete = kept
        if not is_complete:
            length = "no length" if reply.length is None else format_size(reply.length)
            log.warning(
                "%s: kept, but perhaps not complete: it has %s, the server states %s; remove it"
                " to download it again, or use -nc to keep it, -N to compare its time",
                *(result.path, format_size(result.size), length),
            )
        return result

    def publish(self, part: Part, reply: Reply) -> PublishedFile:
        """Give the finished part its name.

        With a ledger, a file that has appeared since the run began belongs to another run, and
        perhaps one that is a little older. It is replaced only if it is that of the same URL;
        otherwise this file gets another name.

        Raises:
            AttemptError: The disk refuses.
        """
        headers = file_headers(reply)
        version = FileVersion(http_date(headers.get("last-modified", "")), headers.get("etag"))
        disk, names = self._context.disk, self._context.names
        history = self._job.history
        # The user gave the name of another URL's file to this one.
        replaces = names is None or history is None or history.is_taken_over
        while True:
            try:
                return disk.publish(part, self.output, version=version, replaces=replaces)
            except NameTakenError as error:
                assert names is not None
                replaces = not names.is_others(self._job, self.output, age=error.age)
                if not replaces:
                    self.output = names.other_name(self._job, self.output)
