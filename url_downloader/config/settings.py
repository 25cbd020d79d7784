"""All settings, as small frozen parts. Each checks its ranges and names the flag.

Knows no argparse: the command line takes its defaults from the fields here.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from url_downloader.config.server_settings import ServerSettings
from url_downloader.shared.errors import ConfigError
from url_downloader.shared.models import AttemptLimits

DAY = 86400.0


RANGES: Mapping[str, tuple[float, float]] = {
    "--max-retries": (0, 1000),
    "--retry-delay": (0, DAY),
    "--retry-max-delay": (0, DAY),
    "--max-retry-after": (0, 30 * DAY),
    "--retry-on": (400, 499),
    "--timeout": (0, DAY),
    "--connect-timeout": (0, DAY),
    "--max-time": (0, 30 * DAY),
    "--speed-limit": (0, 2**60),
    "--speed-time": (1, DAY),
    "--max-filesize": (0, 2**60),
    "--max-workers": (1, 1024),
    "--deadline": (0, 365 * DAY),
    "--max-failures": (0, 1_000_000_000),
    "--min-free": (0, 2**60),
    "--max-redirects": (0, 1000),
    "--queue-size": (1, 1_000_000),
    "--monitor-interval": (0.01, DAY),
}
"""The least and the greatest value of each flag that takes a number."""


def range_of(flag: str) -> str:
    """The flag's range in words."""
    low, high = RANGES[flag]
    return f"from {low:.12g} to {high:.12g}"


def check_range(flag: str, value: float) -> None:
    """Raise ConfigError that names the flag and its range unless the value is within."""
    low, high = RANGES[flag]
    if not low <= value <= high:
        raise ConfigError(f"{flag}: must be {range_of(flag)}, not {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """When and how often a failed attempt is repeated.

    Args:
        max_retries: attempts after the first.
        delay: seconds; the backoff's base.
        max_delay: seconds; the backoff's cap.
        max_retry_after: seconds; a server that asks for a longer wait fails the job; 0 = any.
        retry_on: status codes from 400 to 499 that are retried too.
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
    """What attempts may take, and what they may bring.

    Args:
        limits: of an attempt of a job that has none of its own.
        max_redirects: how many are followed.
        max_filesize: bytes; a larger file is a failure; 0 = no limit.
        expected_types: media types such as `application/pdf` or `image/*`, lower-case; a file
            of another is a failure; none = any.
        is_location_trusted: whether the user's headers and credentials follow a redirect to
            another origin.
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
    """How many work at once.

    Args:
        max_workers: worker threads.
        queue_size: jobs that may wait in the task queue.
    """

    max_workers: int = 4
    queue_size: int = 10

    def __post_init__(self) -> None:
        check_range("--max-workers", self.max_workers)
        check_range("--queue-size", self.queue_size)


class Existing(enum.Enum):
    """What to do where a file of the name is there already."""

    REPLACE = "download again, and replace it when the new one is complete"
    SKIP_FILLED = "leave it, unless it is empty"
    SKIP = "leave it, whatever it is"
    COMPARE = "ask the server whether it has changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings:
    """Where the files go, and how.

    Args:
        directory: made when it is missing.
        existing: what to do with a file of that name.
        is_resumed: whether parts of an earlier run are continued.
        keeps_mtime: whether files get the time of their Last-Modified.
        is_synced: whether files are on the disk before their job counts as done.
        takes_server_names: whether Content-Disposition names the files.
        min_free: bytes that the disk must keep free; 0 = any; None = 64 MiB, or a twentieth of
            the disk if that is less.
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
    """How many failed jobs are too many; 0 = none is.

    Args:
        count: jobs.
        percent: of all jobs.
    """

    count: int = 0
    percent: float = 0.0

    def __post_init__(self) -> None:
        check_range("--max-failures", self.count)
        if not 0 <= self.percent <= 100:
            raise ConfigError(f"--max-failures: must be from 0% to 100%, not {self.percent}%")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What ends a run before its list is done.

    Args:
        deadline: seconds for the whole run; 0 = no limit.
        max_failures: failed jobs.
    """

    deadline: float = 0.0
    max_failures: FailureLimit = field(default_factory=FailureLimit)

    def __post_init__(self) -> None:
        check_range("--deadline", self.deadline)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """What is said while the run goes on.

    Args:
        interval: seconds between two lines.
    """

    interval: float = 1.0

    def __post_init__(self) -> None:
        check_range("--monitor-interval", self.interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole run's settings. Each component gets its part, never the whole."""

    retry: RetrySettings = field(default_factory=RetrySettings)
    transfer: TransferSettings = field(default_factory=TransferSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    pool: PoolSettings = field(default_factory=PoolSettings)
    run: RunSettings = field(default_factory=RunSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    monitor: MonitorSettings = field(default_factory=MonitorSettings)
