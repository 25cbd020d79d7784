"""The words of the domain: jobs, their states, what an attempt came to.

Frozen values only: they cross threads and processes freely. Knows no I/O, no lock and no clock.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from url_downloader.shared.url_parts import without_credentials

CONNECT_TIMEOUT = 10.0
"""Seconds to connect where nothing else is said."""


class JobStatus(enum.StrEnum):
    """Where a job stands in its life."""

    PENDING = "pending"
    RUNNING = "running"
    RETRY_SCHEDULED = "retry-scheduled"
    SUCCESS = "success"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can follow."""
        return not TRANSITIONS[self]


TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.PENDING: frozenset({JobStatus.RUNNING}),
    JobStatus.RUNNING: frozenset(
        {JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.RETRY_SCHEDULED}
    ),
    JobStatus.RETRY_SCHEDULED: frozenset({JobStatus.RUNNING}),
    JobStatus.SUCCESS: frozenset(),
    JobStatus.FAILED: frozenset(),
}
"""Each state and the states that may follow it. Anything else is a bug of ours."""


class ErrorKind(enum.StrEnum):
    """Why an attempt failed. The policy decides by kind, the summary groups by it."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    CERTIFICATE = "certificate"
    PROXY = "proxy"
    PROXY_REFUSED = "proxy-refused"
    TIMEOUT = "timeout"
    RESET = "connection-lost"
    TRUNCATED = "truncated"
    MALFORMED = "malformed-reply"
    NOT_HTTP = "not-http"
    PREMATURE_REPLY = "premature-reply"
    HEADERS_TOO_LARGE = "headers-too-large"
    ENCODING = "bad-encoding"
    CODING = "unsupported-encoding"
    BOMB = "decompression-bomb"
    CLIENT_ERROR = "http-4xx"
    SERVER_ERROR = "http-5xx"
    UNEXPECTED_STATUS = "unexpected-status"
    REDIRECT = "redirect"
    INVALID_URL = "invalid-url"
    RETRY_AFTER = "retry-after-too-long"
    CHECKSUM = "checksum-mismatch"
    TOO_LARGE = "too-large"
    WRONG_TYPE = "wrong-type"
    LOCAL = "local"
    DISK_FULL = "disk-full"
    NO_DESCRIPTORS = "too-many-open-files"
    NO_MEMORY = "out-of-memory"
    OUTPUT_GONE = "output-gone"
    INTERRUPTED = "interrupted"
    INTERNAL = "internal"


class Outcome(enum.StrEnum):
    """How a job came to its file."""

    DOWNLOADED = "downloaded"
    RESUMED = "resumed"
    SKIPPED = "skipped"
    NOT_MODIFIED = "not-modified"


@dataclass(frozen=True, slots=True)
class Checksum:
    """A digest that a file must have.

    Args:
        algorithm: `md5`, `sha-1`, `sha-256` or `sha-512`.
        digest: lower-case hexadecimal.
    """

    algorithm: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLimits:
    """What one attempt may take. 0 means no limit.

    Args:
        timeout: seconds without a byte.
        connect_timeout: seconds for the look-up of the host, the connection and the TLS
            handshake together; None = 10, or `timeout` where that is less.
        max_time: seconds in all.
        speed_limit: bytes per second, on average over `speed_time` seconds, from the first byte
            of a reply on.
        speed_time: seconds.
    """

    timeout: float = 30.0
    connect_timeout: float | None = None
    max_time: float = 0.0
    speed_limit: float = 100
    speed_time: float = 30.0

    @property
    def connect_seconds(self) -> float:
        """Seconds for connecting; 0 = no limit."""
        if self.connect_timeout is not None:
            return self.connect_timeout
        return min(self.timeout or CONNECT_TIMEOUT, CONNECT_TIMEOUT)


class DownloadJob(NamedTuple):
    """One URL of the list and what the user asked for it.

    Args:
        job_id: position in the order of registration, from 1.
        url: absolute http(s) URL, quoted, without fragment; may hold credentials.
        output: where the file goes, relative to the output directory, `/` between folders.
        limits: of each attempt.
        max_retries: attempts after the first.
        headers: extra request headers, (name, value) pairs.
        checksum: what the file must have.
        is_named: whether `output` is the user's own choice, which no server changes.
    """

    job_id: int
    url: str
    output: str
    max_retries: int
    limits: AttemptLimits = AttemptLimits()
    headers: tuple[tuple[str, str], ...] = ()
    checksum: Checksum | None = None
    is_named: bool = False

    def __repr__(self) -> str:
        # Headers and the URL may hold passwords.
        return f"DownloadJob({self.job_id}, {self.shown_url!r})"

    @property
    def shown_url(self) -> str:
        """The URL as it may be logged and reported: without user name and password."""
        return without_credentials(self.url)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A line that led to no job.

    Args:
        source: the list's name.
        line: counted from 1.
        reason: for people: printable, without user names and passwords.
    """

    source: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.reason}"


class SourceFacts(NamedTuple):
    """Where a file came from, and which version of it that is.

    Args:
        url: that answered, after redirects, without credentials; None where nobody was asked.
        etag: as it came.
        modified: the server's Last-Modified, seconds since the epoch.
        digests: of the file, where they were computed; each is what it had to be.
    """

    url: str | None = None
    etag: str | None = None
    modified: float | None = None
    digests: tuple[Checksum, ...] = ()


class JobResult(NamedTuple):
    """The facts of one finished attempt; a success is one with no error kind.

    Args:
        kind: why it failed, or None.
        message: the reason for people, one line, no credentials.
        http_status: status code of the final reply, if one came.
        size: bytes of the file.
        path: where the file is.
        outcome: how it came there; of a failure it says nothing.
        retry_after: seconds the server asked to wait, counted from the reply.
        seconds: how long the attempt took.
        received: bytes of the file that came in this attempt, as they were encoded on the way.
        is_length_known: False where only the close of the connection ended the body.
        source: of the file; None for a failure.
    """

    kind: ErrorKind | None = None
    message: str = ""
    http_status: int | None = None
    size: int = 0
    path: str | None = None
    outcome: Outcome = Outcome.DOWNLOADED
    retry_after: float | None = None
    seconds: float = 0.0
    received: int = 0
    is_length_known: bool = True
    source: SourceFacts | None = None

    @property
    def is_excused(self) -> bool:
        """Whether it failed for a reason that is neither the job's nor the server's."""
        return self.kind in (
            ErrorKind.NO_DESCRIPTORS,
            ErrorKind.NO_MEMORY,
            ErrorKind.OUTPUT_GONE,
        )

    @property
    def cause(self) -> str:
        """What the summary groups by: the kind, or the exact status where there is one."""
        status_kinds = (ErrorKind.CLIENT_ERROR, ErrorKind.SERVER_ERROR)
        if self.kind in status_kinds and self.http_status is not None:
            return f"http-{self.http_status}"
        return str(self.kind)


class JobRecord(NamedTuple):
    """All that is known of a job at one moment. Replaced at each transition, never edited.

    Args:
        job: what was asked.
        status: where it stands.
        attempts: how many were started.
        excused: how many of them failed for a reason that is not the job's.
        created_at, started_at, finished_at: wall clock, seconds since the epoch; started_at
            is the first attempt's.
        since: monotonic time of the last transition.
        waited: seconds spent queued or waiting for a retry, up to `since`.
        worked: seconds spent in attempts, up to `since`.
        due: monotonic time of the scheduled retry.
        result: of the last finished attempt.
    """

    job: DownloadJob
    status: JobStatus
    attempts: int
    created_at: float
    since: float
    excused: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    waited: float = 0.0
    worked: float = 0.0
    due: float | None = None
    result: JobResult | None = None

    @property
    def reason(self) -> str:
        """Why the last attempt failed, for people; empty if it did not."""
        return self.result.message if self.result else ""


class JobEvent(NamedTuple):
    """A transition that happened.

    Args:
        sequence: position in the order in which the registry made the transitions, from 1.
        time: monotonic.
        previous: the status before, None for a job just added.
        record: the new record.
    """

    sequence: int
    time: float
    previous: JobStatus | None
    record: JobRecord


EventListener = Callable[[JobEvent], None]
