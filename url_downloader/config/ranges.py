"""Ranges of the values of flags, and the check of a value. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from url_downloader.shared.errors import ConfigError

DAY = 86400.0
"""Seconds of a day."""

RANGES: Mapping[str, tuple[float, float]] = {
    "--max-retries": (0, 1000),
    "--retry-delay": (0, DAY),
    "--retry-max-delay": (0, DAY),
    "--max-retry-after": (0, 30 * DAY),
    "--retry-on": (400, 499),
    "--per-host": (0, 1024),
    "interval": (0, DAY),
    "--backoff-on": (400, 599),
    "--outage-wait": (0, 30 * DAY),
    "--timeout": (0, DAY),
    "--connect-timeout": (0, DAY),
    "--max-time": (0, 30 * DAY),
    "--speed-limit": (0, 2**60),
    "--speed-time": (1, DAY),
    "--max-filesize": (0, 2**60),
    "--max-workers": (1, 1024),
    "--deadline": (0, 365 * DAY),
    "--max-failures": (0, 1_000_000_000),
    "--limit-rate": (0, 2**60),
    "--max-total-size": (0, 2**60),
    "--min-free": (0, 2**60),
    "--max-redirects": (0, 1000),
    "--queue-size": (1, 1_000_000),
    "--look-ahead": (0, 1_000_000),
    "--monitor-interval": (0.01, DAY),
}
"""Least and greatest value of each flag that takes a number.

`interval` is the setting for which the command has a rate."""


def range_of(flag: str) -> str:
    """Return the range of the flag as text."""
    low, high = RANGES[flag]
    return f"from {low:.12g} to {high:.12g}"


def check_range(flag: str, value: float) -> None:
    """Check that the value is in the range of the flag.

    Raises:
        ConfigError: The value is out of the range. The message has the flag and the range.
    """
    low, high = RANGES[flag]
    if not low <= value <= high:
        raise ConfigError(f"{flag}: must be {range_of(flag)}, not {value}")
