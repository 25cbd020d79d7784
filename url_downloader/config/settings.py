"""All settings of a run, as small frozen parts. Each part checks the ranges of its values.

The errors name the flag of the command line, which takes its defaults from the fields here.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path

from url_downloader.config.dial_settings import DialSettings
from url_downloader.config.host_settings import HostSettings
from url_downloader.config.ledger_settings import LedgerSettings
from url_downloader.config.ranges import check_range
from url_downloader.config.server_settings import ServerSettings
from url_downloader.shared.errors import ConfigError
from url_downloader.shared.job_options import AttemptLimits

NEEDS_LOOK_AHEAD = (
    "--look-ahead: must not be 0 with --per-host, --host-rate, --host-rules or --backoff-on,"
    " because hosts are not told apart then"
)
"""Message about limits of hosts that would have no effect."""
LOOK_AHEAD = 4000
"""Jobs that are read ahead by default; they take about 3 MB. With 1,000, a slow host with the
first 2,000 lines of a list keeps all workers from other hosts for minutes."""
LOOK_AHEAD_PER_WORKER = 50
"""Jobs for each worker that are read ahead by default, where this is more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """Settings of retries.

    Args:
        max_retries: Upper bound for the attempts after the first.
        delay: Seconds; upper bound of the first random delay; it doubles with each retry.
        max_delay: Seconds; upper bound of every random delay.
        max_retry_after: Seconds; a job fails if a server asks for a longer wait; 0 = no limit.
        retry_on: Status codes from 400 to 499 that are retried, too.
    """

    max_retries: int = 4
    delay: float = 1.0
    max_delay: float = 60.0
    max_retry_after: float = 600.0
    retry_on: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        check_range("--max-retries", self.max_retries)
        check_range("--retry-delay", self.delay)
        check_range("--retry-max-delay", self.max_delay)
        check_range("--max-retry-after", self.max_retry_after)
        for code in self.retry_on:
            check_range("--retry-on", code)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSettings:
    """Settings of attempts: their limits, and the files that they accept.

    Args:
        limits: Limits of an attempt whose job does not have its own.
        max_redirects: Upper bound for the redirects of one request; a further one fails.
        max_filesize: Bytes; a job fails if its file is larger; 0 = no limit.
        expected_types: Media types such as `application/pdf` or `image/*`, in lower case; a job
            fails if its file has another one; empty = any type.
        is_location_trusted: Whether the user's headers and credentials are sent even after a
            redirect to another origin.
    """

    limits: AttemptLimits = field(default_factory=AttemptLimits)
    max_redirects: int = 20
    max_filesize: int = 0
    expected_types: tuple[str, ...] = ()
    is_location_trusted: bool = False

    def __post_init__(self) -> None:
        check_range("--timeout", self.limits.timeout)
        check_range("--connect-timeout", self.limits.connect_seconds)
        check_range("--max-time", self.limits.max_time)
        check_range("--speed-limit", self.limits.speed_limit)
        check_range("--speed-time", self.limits.speed_time)
        check_range("--max-redirects", self.max_redirects)
        check_range("--max-filesize", self.max_filesize)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """Settings of the pool.

    Args:
        max_workers: Number of worker threads.
        queue_size: Number of jobs that may wait in the task queue beyond the look-ahead.
        look_ahead: Number of jobs that are read ahead, so that hosts can share the workers; 0 =
            jobs are started in the order of the list; None = 4,000, or 50 for each worker if
            that is more.
    """

    max_workers: int = 4
    queue_size: int = 10
    look_ahead: int | None = None

    def __post_init__(self) -> None:
        check_range("--max-workers", self.max_workers)
        check_range("--queue-size", self.queue_size)
        if self.look_ahead is not None:
            check_range("--look-ahead", self.look_ahead)

    @property
    def jobs_ahead(self) -> int:
        """Return the number of jobs that are read ahead."""
        if self.look_ahead is not None:
            return self.look_ahead
        return max(LOOK_AHEAD, LOOK_AHEAD_PER_WORKER * self.max_workers)


class Existing(enum.Enum):
    """Action for a job whose file exists already."""

    REPLACE = "download again, and replace the file when the new one is complete"
    CONTINUE = "leave it if it is complete; ask the server if that is not known"
    SKIP = "leave it, whatever it is"
    COMPARE = "ask the server whether it has changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings:
    """Settings of the files.

    Args:
        directory: Path of the output directory, which is created if it is missing.
        existing: Action for a job whose file exists already.
        is_resumed: Whether parts of earlier attempts, of this run or another, are continued.
        keeps_mtime: Whether files get the time of the server's Last-Modified.
        is_synced: Whether a file is written through to the disk before its job succeeds.
        takes_server_names: Whether Content-Disposition names the files.
        min_free: Bytes that stay free on the disk; 0 = no limit; None = 64 MiB, or a twentieth
            of the disk if that is less.
    """

    directory: Path = Path("downloads")
    existing: Existing = Existing.REPLACE
    is_resumed: bool = True
    keeps_mtime: bool = True
    is_synced: bool = False
    takes_server_names: bool = False
    min_free: int | None = None

    def __post_init__(self) -> None:
        if self.min_free is not None:
            check_range("--min-free", self.min_free)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureLimit:
    """Limit of failed jobs: a number or a percentage; the run ends when it is reached.

    Args:
        count: Number of failed jobs; 0 = no such limit.
        percent: Percentage of failed jobs among all jobs of the list, which counts only if
            `count` is 0; 0 = no such limit.
    """

    count: int = 0
    percent: float = 0.0

    def __post_init__(self) -> None:
        check_range("--max-failures", self.count)
        if not 0 <= self.percent <= 100:
            raise ConfigError(f"--max-failures: must be from 0% to 100%, not {self.percent:g}%")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Limits of a run; one that is reached ends the run early.

    Args:
        deadline: Seconds for the whole run; 0 = no limit.
        max_failures: Limit of failed jobs.
        limit_rate: Bytes per second that all workers together receive; 0 = no limit.
        max_total_size: Bytes of files that are received in all; 0 = no limit.
    """

    deadline: float = 0.0
    max_failures: FailureLimit = field(default_factory=FailureLimit)
    limit_rate: float = 0.0
    max_total_size: int = 0

    def __post_init__(self) -> None:
        check_range("--deadline", self.deadline)
        check_range("--limit-rate", self.limit_rate)
        check_range("--max-total-size", self.max_total_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """Settings of the monitor.

    Args:
        interval: Seconds between two status lines.
    """

    interval: float = 1.0

    def __post_init__(self) -> None:
        check_range("--monitor-interval", self.interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of a run. A component gets only the part that it needs."""

    retry: RetrySettings = field(default_factory=RetrySettings)
    transfer: TransferSettings = field(default_factory=TransferSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    dial: DialSettings = field(default_factory=DialSettings)
    pool: PoolSettings = field(default_factory=PoolSettings)
    hosts: HostSettings = field(default_factory=HostSettings)
    run: RunSettings = field(default_factory=RunSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    monitor: MonitorSettings = field(default_factory=MonitorSettings)

    def __post_init__(self) -> None:
        if self.pool.look_ahead == 0 and self.hosts.has_limits:
            raise ConfigError(NEEDS_LOOK_AHEAD)
