"""Times, sizes and text as people write and read them. Pure functions."""

from __future__ import annotations

import functools
import math
import re
import sys
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SIZE = re.compile(r"(\d+)([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_TIME = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([smhd]?)", re.ASCII)
_LONGEST_DATE = 100
"""Characters of a date in any of HTTP's forms, with room for comments."""
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_seconds(text: str) -> float:
    """Seconds, with an optional unit: `90`, `1.5m`, `2h`, `1d`.

    Raises:
        ValueError: anything else, also negative, infinite and not-a-number values.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a time: {text!r} (seconds, or a number with s, m, h or d)")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not math.isfinite(seconds):
        raise ValueError(f"not a time: {text!r} (too large)")
    return seconds


def parse_size(text: str) -> int:
    """Bytes, with an optional 1024-based unit: `4096`, `64k`, `1M`, `2G`.

    Raises:
        ValueError: anything else.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a size: {text!r} (bytes, or a number with k, M, G or T)")
    return int(match[1]) << 10 * " kmgt".index(match[2].lower() or " ")


def http_date(text: str) -> float | None:
    """Seconds since the epoch of an HTTP-date (RFC 9110 §5.6.7), None if it is none."""
    return _http_date(text) if len(text) <= _LONGEST_DATE else None


# The key of each entry is what a server sent.
@functools.lru_cache(maxsize=256)
def _http_date(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        # An asctime-date names no zone and means UTC.
        return date.replace(tzinfo=date.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def rfc3339(seconds: float | None) -> str | None:
    """Seconds since the epoch as `2026-11-24T20:37:04.125000Z`; None where no year is."""
    if seconds is None:
        return None
    try:
        whole, rest = divmod(round(seconds * 1_000_000), 1_000_000)
        return f"{_date_and_time(whole)}.{rest:06}Z"
    except (ValueError, OverflowError, OSError):
        return None


@functools.lru_cache(maxsize=16)
def _date_and_time(second: int) -> str:
    """Of many times that are written down, most are of the same few seconds."""
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


def format_size(count: float) -> str:
    """Bytes for people, 1024-based: `0 B`, `1.5 KiB`, `12.0 MiB`."""
    if round(count) < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        count /= 1024
        if round(count, 1) < 1024 or unit == "TiB":
            break
    return f"{count:.1f} {unit}"


def format_seconds(seconds: float) -> str:
    """A duration for people: `0.4 s`, `59.9 s`, `2m05s`, `3h07m12s`."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m{rest:02}s" if hours else f"{minutes}m{rest:02}s"


def path_text(path: str) -> str:
    """Return a path as people read it: names of files are UTF-8, whatever the locale says.

    Args:
        path: as Python's functions for files take it, decoded by the locale.
    """
    if sys.getfilesystemencoding() == "utf-8":
        return path
    octets = path.encode(sys.getfilesystemencoding(), "surrogateescape")
    return octets.decode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    """`text` with what could steer a terminal or hide in a line written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
