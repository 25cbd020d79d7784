"""One attempt of one job, from the request to the published file.

Knows no thread, no queue and no retry; its hands come in as Protocols.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol
from urllib.parse import urlsplit

from url_downloader.decoding import decoder_for
from url_downloader.policy import retry_after_seconds, status_failure
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import DownloadJob, JobResult


class Reply(Protocol):
    """The head of a final reply, and its body still to come."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def is_length_known(self) -> bool: ...
    def chunks(self) -> Iterator[bytes]: ...
    def drain(self) -> None: ...
    def close(self) -> None: ...


class Transport(Protocol):
    """A worker's own way to the network; `abort` is for any thread."""

    def open(self, url: str, headers: tuple[tuple[str, str], ...], timeout: float) -> Reply: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class Part(Protocol):
    """Bytes on the disk that have no name of their own yet."""

    @property
    def size(self) -> int: ...
    def write(self, data: bytes) -> None: ...
    def publish(self) -> str: ...
    def discard(self) -> None: ...


class Disk(Protocol):
    """Where parts come from."""

    def part(self, job: DownloadJob) -> Part: ...


class Downloader:
    """Makes attempts, one after the other, over one transport.

    Args:
        transport: closed by `close`.
        disk: gives the part files.
        on_bytes: told the bytes of each chunk; negative when an attempt's are thrown away.
        now: monotonic clock, seconds.
        utc_now: wall clock, seconds since the epoch.

    Threads: one, but `abort` from any.
    """

    def __init__(
        self,
        transport: Transport,
        disk: Disk,
        *,
        on_bytes: Callable[[int], None],
        now: Callable[[], float] = time.monotonic,
        utc_now: Callable[[], float] = time.time,
    ) -> None:
        self._transport = transport
        self._disk = disk
        self._on_bytes = on_bytes
        self._now = now
        self._utc_now = utc_now

    def attempt(self, job: DownloadJob) -> JobResult:
        """Try once to get the job's file; a foreseen failure is a result, not an exception."""
        began = self._now()
        try:
            result = self._fetch(job)
        except AttemptError as error:
            result = _failure(error)
        return replace(result, seconds=self._now() - began)

    def abort(self) -> None:
        """End the attempt that is going on, and all later ones. Never blocks."""
        self._transport.abort()

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()

    def _fetch(self, job: DownloadJob) -> JobResult:
        reply = self._transport.open(job.url, job.headers, job.timeout)
        refused = status_failure(reply.status, reply.headers)
        if refused is not None:
            retry_after = reply.headers.get("Retry-After")
            wait = retry_after_seconds(retry_after, utc_now=self._utc_now())
            reply.drain()
            kind, message = refused
            return JobResult(
                kind=kind, message=message, http_status=reply.status, retry_after=wait
            )
        try:
            return self._store(job, reply)
        except AttemptError as error:
            return replace(_failure(error), http_status=reply.status)
        finally:
            reply.close()

    def _store(self, job: DownloadJob, reply: Reply) -> JobResult:
        part = self._disk.part(job)
        received = 0
        try:
            decoder = decoder_for(
                reply.headers.get("Content-Encoding", ""),
                names=(urlsplit(job.url).path, job.output),
                media_type=reply.headers.get("Content-Type", ""),
            )
            for chunk in reply.chunks():
                received += len(chunk)
                self._on_bytes(len(chunk))
                for piece in decoder.feed(chunk):
                    part.write(piece)
            decoder.finish()
            path = part.publish()
        except BaseException:
            self._on_bytes(-received)
            part.discard()
            raise
        return JobResult(
            http_status=reply.status,
            size=part.size,
            path=path,
            is_length_known=reply.is_length_known,
        )


def _failure(error: AttemptError) -> JobResult:
    return JobResult(kind=error.kind, message=error.message, retry_after=error.retry_after)
