"""All settings, as small frozen parts. Each checks its ranges and names the flag.

Knows no argparse: the command line takes its defaults from the fields here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from url_downloader.shared.errors import ConfigError

DAY = 86400.0


def check_range(flag: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError that names the flag and the range unless low <= value <= high."""
    if not (math.isfinite(value) and low <= value <= high):
        raise ConfigError(f"{flag}: must be from {low:g} to {high:g}, not {value:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """When and how often a failed attempt is repeated.

    Args:
        max_retries: attempts after the first.
        delay: seconds; the backoff's base.
        max_delay: seconds; the backoff's cap.
        max_retry_after: seconds; a server that asks for a longer wait fails the job.
        retry_on: status codes from 400 to 499 that are retried too.
    """

    max_retries: int = 4
    delay: float = 1.0
    max_delay: float = 60.0
    max_retry_after: float = 600.0
    retry_on: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        check_range("--max-retries", self.max_retries, 0, 1000)
        check_range("--retry-delay", self.delay, 0, DAY)
        check_range("--retry-max-delay", self.max_delay, 0, DAY)
        check_range("--max-retry-after", self.max_retry_after, 0, 30 * DAY)
        for code in self.retry_on:
            check_range("--retry-on", code, 400, 499)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSettings:
    """Limits of one attempt.

    Args:
        timeout: seconds without a byte, also for connecting; 0 = no limit.
        max_redirects: how many are followed.
    """

    timeout: float = 30.0
    max_redirects: int = 20

    def __post_init__(self) -> None:
        check_range("--timeout", self.timeout, 0, DAY)


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
        check_range("--max-workers", self.max_workers, 1, 1024)
        check_range("--queue-size", self.queue_size, 1, 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings:
    """Where the files go.

    Args:
        directory: made when it is missing.
    """

    directory: Path = Path("downloads")


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """What is said while the run goes on.

    Args:
        interval: seconds between two lines.
    """

    interval: float = 1.0

    def __post_init__(self) -> None:
        check_range("--monitor-interval", self.interval, 0.01, DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole run's settings. Each component gets its part, never the whole."""

    retry: RetrySettings = field(default_factory=RetrySettings)
    transfer: TransferSettings = field(default_factory=TransferSettings)
    pool: PoolSettings = field(default_factory=PoolSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    monitor: MonitorSettings = field(default_factory=MonitorSettings)
