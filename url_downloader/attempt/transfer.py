"""Transfer of one file: it requests the file, judges the reply, stores and publishes the body.

A Downloader makes one Transfer for each attempt, and calls `run`. The steps are:

1. `disk.reopen` opens the part of an earlier attempt, if it can be resumed. Without
   `is_resumed` (`--no-continue`), no part is reopened, not even in a retry of the same run.
2. `transport.open` sends a request: for the missing range of the part, or for the whole file.
3. A 304 ends the attempt: the existing file is up to date. `plan_for` judges any other reply. A
   refused reply ends the attempt. If the reply does not fit the part, the part is discarded,
   and step 2 follows again. A 416 may show that the part is complete: then step 7 follows.
4. If servers may name the files, the TargetFile gets its name. OverwriteRules may then skip the
   job, or show that the existing file is complete.
5. `check_head` applies the user's rules for media type and size.
6. The body is decoded, and written to the part and the digester. A 206 may carry less than the
   missing range; then step 2 follows again.
7. The checksums are compared, and the TargetFile is published under its final name.

After a failure, the part is kept if a later attempt, of this run or another, can resume it.

Independent of threads, queues and retries. Network and disk are Protocols.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from url_downloader.attempt.acceptance import check_head, check_size
from url_downloader.attempt.reply_facts import (
    ContentRange,
    file_headers,
    source_of,
    span_of,
    total_of,
)
from url_downloader.attempt.resume import Plan, is_encoded, plan_for, range_headers
from url_downloader.attempt.target_file import TargetFile
from url_downloader.attempt.transfer_context import TransferContext
from url_downloader.shared.checksums import Digester, digests_of
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.http_semantics import (
    retry_after_seconds,
    status_failure,
    strong_validator,
)
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.models import DownloadJob, ErrorKind, JobResult, Outcome
from url_downloader.shared.ports import Fields, Part, Reply
from url_downloader.shared.text import format_size

_UNUSABLE_KINDS = frozenset(
    {ErrorKind.CHECKSUM, ErrorKind.TOO_LARGE, ErrorKind.WRONG_TYPE, ErrorKind.BOMB}
)
"""Failures after which the part is discarded, because its bytes are not the wanted file's."""
SMALL_RANGE = 64 * 1024
"""Bytes; a 206 reply that carries fewer of them counts as small."""
MAX_SMALL_RANGES = 100
"""Small 206 replies that one attempt accepts; the bound makes sure that the attempt ends."""


class Transfer:
    """Transfer of one job's file in one attempt.

    Args:
        job: Job of the attempt.
        context: Network, disk and rules of the attempt.
        conditions: Header fields that request the file only if it has changed.

    Attributes:
        http_status: Status code of the last reply; None if none came, or if the failure is
            about an existing file.

    Threads: one, the worker's.
    """

    def __init__(
        self, job: DownloadJob, context: TransferContext, *, conditions: Fields
    ) -> None:
        self._job = job
        self._conditions = conditions
        self._context = context
        self._part: Part | None = None
        self._digester: Digester | None = None
        self._outcome = Outcome.DOWNLOADED
        self._small_ranges = 0
        self._target = TargetFile(job, context)
        self.http_status: int | None = None

    def run(self) -> JobResult:
        """Send requests until the file is complete or a reply ends the attempt.

        Returns:
            Result of the attempt; a failure if the last reply was refused.

        Raises:
            AttemptError: The attempt failed; a part that can be resumed is kept.
        """
        try:
            disk = self._context.disk
            if self._context.is_resumed and disk.has_leftovers:
                self._part = disk.reopen(self._job)
            while (result := self._request()) is None:
                pass
        except AttemptError as error:
            if error.kind in _UNUSABLE_KINDS:
                self._discard_part()
            self._keep_part()
            raise
        except BaseException:
            self._discard_part()
            raise
        if result.kind is not None:
            self._keep_part()
        return result

    def _keep_part(self) -> None:
        if self._part is not None:
            self._part.keep()

    def _discard_part(self) -> None:
        if self._part is not None:
            self._part.discard()
            self._part = None

    def _request(self) -> JobResult | None:
        """Send one request and handle its reply; return None if another request is needed."""
        job, saved = self._job, self._part.saved if self._part else None
        conditions = self._conditions if saved is None else range_headers(saved)
        reply = self._context.transport.open(
            job.url, job.headers, conditions=conditions, limits=job.limits
        )
        self.http_status = reply.status
        try:
            if saved is None and conditions and reply.status == HTTPStatus.NOT_MODIFIED:
                return _not_modified(reply)
            match plan_for(saved, reply.status, headers=reply.headers):
                case Plan.REFUSE:
                    return self._refusal(reply)
                case Plan.START_OVER:
                    self._discard_part()
                    return None
                case plan:
                    return self._skipped_result(reply) or self._receive(reply, plan)
        finally:
            reply.close()

    def _receive(self, reply: Reply, plan: Plan) -> JobResult | None:
        if plan is Plan.IS_COMPLETE:
            part = self._resume_part(reply)
            check_size(self._context.settings, part.size)
            return self._publish(reply, part)
        check_head(self._context.settings, reply)
        is_new = plan is Plan.TAKE_ALL
        return self._store(
            reply, self._begin_part(reply) if is_new else self._resume_part(reply)
        )

    def _skipped_result(self, reply: Reply) -> JobResult | None:
        """Settle the file's name; return a result if a file of that name exists and is kept."""
        skipped = None
        if self._target.name(reply):
            # A failure here is about the existing file, not about the reply.
            self.http_status = None
            skipped = self._target.skipped_result()
            self.http_status = reply.status
        if skipped is None and self._part is None:
            skipped = self._target.kept_result(reply)
        if skipped is None:
            return None
        reply.drain()
        return skipped._replace(http_status=reply.status, output=self._new_output())

    def _new_output(self) -> str | None:
        """Return the path of the file if it is not the one that the job was listed with."""
        output = self._target.output
        return None if output == self._job.output else output

    def _refusal(self, reply: Reply) -> JobResult:
        kind, message = status_failure(reply.status, reply.headers)
        retry_after = reply.headers.get("retry-after")
        wait = retry_after_seconds(retry_after, utc_now=self._context.utc_now())
        reply.drain()
        return JobResult(kind=kind, message=message, http_status=reply.status, retry_after=wait)

    def _begin_part(self, reply: Reply) -> Part:
        """Return an empty part for the version that the reply carries."""
        self._outcome = Outcome.DOWNLOADED
        self._part = part = self._part or self._context.disk.create(self._job)
        headers = reply.headers
        encoded = is_encoded(headers)
        part.begin(
            None if encoded else strong_validator(headers),
            None if encoded else reply.length,
        )
        self._digester = Digester(self._expected_checksums(headers))
        return part

    def _resume_part(self, reply: Reply) -> Part:
        """Feed the part's bytes to a new digester; return the part to continue."""
        assert self._part is not None
        self._outcome = Outcome.RESUMED
        if self._digester is None:
            self._digester = Digester(self._expected_checksums(file_headers(reply)))
            if self._digester:
                self._part.read_into(self._digester.update)
        return self._part

    def _expected_checksums(self, headers: Mapping[str, str]) -> list[Checksum]:
        checksum = self._target.checksum
        wanted = [checksum] if checksum else []
        # Repr-Digest covers the encoded bytes (RFC 9530 §3), but the decoded ones are stored.
        if not is_encoded(headers):
            wanted += digests_of(headers.get("repr-digest", ""))
        return wanted

    def _store(self, reply: Reply, part: Part) -> JobResult | None:
        assert self._digester is not None
        digester = self._digester
        began_at, span = part.size, span_of(reply)
        control = self._context.control
        control.set_position(began_at, total_of(reply, part.saved))
        decoder = self._context.decoder(reply, self._job, output=self._target.output)
        received = 0
        for chunk in reply.chunks():
            control.add_bytes(len(chunk))
            received += len(chunk)
            # A body that decodes to nothing would never exceed the limit below.
            check_size(self._context.settings, received)
            for piece in (chunk,) if decoder is None else decoder.feed(chunk):
                check_size(self._context.settings, part.size + len(piece))
                digester.update(piece)
                part.write(piece)
        if decoder is not None:
            decoder.finish()
        if span is not None and not self._reached_end(part, span, began_at=began_at):
            return None
        return self._publish(reply, part)

    def _reached_end(self, part: Part, span: ContentRange, *, began_at: int) -> bool:
        """Tell whether a 206, which may carry less than was requested, brought the last byte.

        Args:
            part: Part that the body was appended to.
            span: Range that the reply states.
            began_at: Size of the part before the body, in bytes.

        Raises:
            AttemptError: The body was not the stated range, or too many replies were small.
        """
        saved = part.saved
        if saved is None or not began_at < part.size <= span.end:
            self._discard_part()
            message = (
                f"the 206 reply carried bytes {began_at}-{part.size - 1}, not those that its"
                " Content-Range states"
            )
            raise AttemptError(ErrorKind.MALFORMED, message)
        self._small_ranges += part.size - began_at < SMALL_RANGE
        if self._small_ranges > MAX_SMALL_RANGES:
            message = (
                f"the server sent the file in more than {MAX_SMALL_RANGES} ranges of less than"
                f" {format_size(SMALL_RANGE)}"
            )
            raise AttemptError(ErrorKind.MALFORMED, message)
        return part.size == (span.total or saved.total)

    def _publish(self, reply: Reply, part: Part) -> JobResult | None:
        """Publish the file; return None if a resumed file is wrong and has to start over."""
        mismatch = self._digester.mismatch() if self._digester else None
        if mismatch is not None and self._outcome is Outcome.RESUMED:
            self._discard_part()
            return None
        if mismatch is not None:
            raise AttemptError(ErrorKind.CHECKSUM, mismatch)
        size = part.size
        published = self._target.publish(part, reply)
        return JobResult(
            http_status=reply.status,
            size=size,
            path=published.path,
            outcome=self._outcome,
            is_length_known=reply.is_length_known,
            source=source_of(reply, digests=self._digester.wanted if self._digester else ()),
            mtime_ns=published.mtime_ns,
            output=self._new_output(),
        )


def _not_modified(reply: Reply) -> JobResult:
    return JobResult(
        http_status=reply.status, outcome=Outcome.NOT_MODIFIED, source=source_of(reply)
    )
