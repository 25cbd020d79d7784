"""Models of the domain: jobs, their states, the results of attempts, and events.

All values are frozen, so that they can cross threads and processes. Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from url_downloader.shared.contact import Contact
from url_downloader.shared.job_options import AttemptLimits, Checksum
from url_downloader.shared.ledger_entries import UrlHistory
from url_downloader.shared.url_parts import without_credentials


class JobStatus(enum.StrEnum):
    """State of a job."""

    PENDING = "pending"
    RUNNING = "running"
    RETRY_SCHEDULED = "retry-scheduled"
    SUCCESS = "success"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Tell whether no transition leads out of this state: the job has ended."""
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
"""Each state with the states that may follow it. A transition to another one is a bug."""


class ErrorKind(enum.StrEnum):
    """Kind of a failure. The retry policy decides by it, and the summary groups by it."""

    DNS = "dns"
    FORBIDDEN_ADDRESS = "forbidden-address"
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
    NO_NETWORK = "no-network"
    HOST_BUSY = "host-busy"
    HOST_DOWN = "host-down"
    HOST_THROTTLED = "host-throttled"
    INTERRUPTED = "interrupted"
    INTERNAL = "internal"


EXCUSED_KINDS = (
    *(ErrorKind.NO_DESCRIPTORS, ErrorKind.NO_MEMORY, ErrorKind.OUTPUT_GONE),
    *(ErrorKind.NO_NETWORK, ErrorKind.HOST_BUSY),
)
"""Failures of attempts that are not counted: the reason is local, or a limit of a host."""
_REFUSED_KINDS = (ErrorKind.HOST_DOWN, ErrorKind.HOST_THROTTLED, ErrorKind.RETRY_AFTER)


class Outcome(enum.StrEnum):
    """Way in which a job got its file."""

    DOWNLOADED = "downloaded"
    RESUMED = "resumed"
    SKIPPED = "skipped"
    NOT_MODIFIED = "not-modified"


class DownloadJob(NamedTuple):
    """URL of the list, with the options for it.

    Args:
        job_id: Number of the job: its position in the order of registration, from 1.
        url: Absolute http(s) URL, percent-encoded, without fragment; may contain credentials.
        output: Path of the file, relative to the output directory, with `/` between folders.
        max_retries: Upper bound for the attempts after the first one, without excused ones.
        limits: Limits of each attempt.
        headers: Extra header fields of requests, as (name, value) pairs.
        checksum: Checksum that the file must have; None without one.
        is_named: Whether `output` is settled; then a server can't change it. The user, or a
            server in an earlier run, chose it.
        history: Facts that connect the URL with the ledger; None without a ledger.
    """

    job_id: int
    url: str
    output: str
    max_retries: int
    limits: AttemptLimits = AttemptLimits()
    headers: tuple[tuple[str, str], ...] = ()
    checksum: Checksum | None = None
    is_named: bool = False
    history: UrlHistory | None = None

    def __repr__(self) -> str:
        # Headers and the URL may contain passwords.
        return f"DownloadJob({self.job_id}, {self.shown_url!r})"

    @property
    def shown_url(self) -> str:
        """Return the URL for logs and reports, without user name and password."""
        return without_credentials(self.url)


class SourceFacts(NamedTuple):
    """Origin and version of a file.

    Args:
        url: URL of the final reply, without credentials; None if no request was sent.
        etag: Entity tag, as received.
        modified: Last-Modified date of the reply, in seconds since the epoch.
        digests: Digests that were computed and are those that the file had to have.
    """

    url: str | None = None
    etag: str | None = None
    modified: float | None = None
    digests: tuple[Checksum, ...] = ()


class JobResult(NamedTuple):
    """Result of one finished attempt.

    Args:
        kind: Kind of failure; None for a success.
        message: Reason of a failure for the user: one line, without credentials.
        http_status: Status code of the final reply, if one arrived.
        size: Size of the finished file in bytes; 0 for a failure.
        path: Path of the finished file; None for a failure.
        outcome: Way in which the job got its file; meaningless for a failure.
        retry_after: Seconds that the server asked to wait, counted from the reply, if any.
        seconds: Duration of the attempt in seconds.
        received: Bytes of the file received in this attempt, before any decoding.
        is_length_known: False if only the close of the connection ended the body.
        source: Origin and version of the file; None for a failure.
        contact: Last host that the attempt asked; None if it asked none.
        mtime_ns: Time of the file's last change, in nanoseconds since the epoch; None unless
            the file is known to be complete.
        output: Path of the file, relative to the output directory, if it is not the job's.
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
    contact: Contact | None = None
    mtime_ns: int | None = None
    output: str | None = None

    @property
    def is_excused(self) -> bool:
        """Tell whether the attempt is not counted, as it failed for a local reason."""
        return self.kind in EXCUSED_KINDS

    @property
    def is_refused(self) -> bool:
        """Tell whether the job was given up without a request: its host is in trouble."""
        return self.kind in _REFUSED_KINDS and self.http_status is None

    @property
    def cause(self) -> str:
        """Return the name of the failure in the summary: its kind, or its HTTP status."""
        status_kinds = (ErrorKind.CLIENT_ERROR, ErrorKind.SERVER_ERROR)
        if self.kind in status_kinds and self.http_status is not None:
            return f"http-{self.http_status}"
        return str(self.kind)


class JobRecord(NamedTuple):
    """State and history of a job at one moment. A transition replaces it.

    Args:
        job: Job that the record describes.
        status: State of the job.
        attempts: Number of attempts that were started.
        created_at: Time of the registration, in seconds since the epoch.
        since: Time of the last transition, monotonic seconds.
        excused: Number of excused attempts among these: they failed for a local reason.
        started_at: Start of the first attempt, in seconds since the epoch.
        finished_at: End of the job, in seconds since the epoch.
        waited: Seconds spent in queues and waiting for retries, up to `since`.
        worked: Seconds spent in attempts, up to `since`.
        due: Time of the scheduled retry, monotonic seconds.
        result: Result of the last finished attempt; None before there is one.
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
        """Return the reason of the last failure, for the user; empty after a success."""
        return self.result.message if self.result else ""


class JobEvent(NamedTuple):
    """Transition of a job that the registry has made.

    Args:
        sequence: Position in the order of all transitions, from 1.
        time: Time of the transition, monotonic seconds.
        previous: State before it; None for a job that was just added.
        record: Record after it.
    """

    sequence: int
    time: float
    previous: JobStatus | None
    record: JobRecord


EventListener = Callable[[JobEvent], None]
"""Callable that the registry calls with each event."""


class PassedOver(NamedTuple):
    """URLs of the list that need no attempt, because their files are known to be complete.

    Args:
        number: Number of the URLs.
        results: Their jobs and results; empty if they are only counted.
    """

    number: int
    results: Sequence[tuple[DownloadJob, JobResult]] = ()


ListItem = DownloadJob | PassedOver | None
"""Item of a list that is read: a job, URLs without one, or None for nothing new yet."""
