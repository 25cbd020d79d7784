"""Formats for sizes, durations, paths and other text that the user reads. Pure functions."""

from __future__ import annotations

import sys


def format_size(count: float) -> str:
    """Return a number of bytes in units of 1024: `0 B`, `1.5 KiB`, `12.0 MiB`."""
    if round(count) < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        count /= 1024
        if round(count, 1) < 1024 or unit == "TiB":
            break
    return f"{count:.1f} {unit}"


def format_seconds(seconds: float) -> str:
    """Return a duration in seconds, minutes and hours: `0.4 s`, `2m05s`, `3h07m12s`."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m{rest:02}s" if hours else f"{minutes}m{rest:02}s"


def path_text(path: str) -> str:
    """Return a path as text: names of files are UTF-8, even if the locale has another encoding.

    Args:
        path: Path as Python's file functions return it: decoded by the locale's encoding.
    """
    if sys.getfilesystemencoding() == "utf-8":
        return path
    octets = path.encode(sys.getfilesystemencoding(), "surrogateescape")
    return octets.decode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    """Return `text` with escapes for characters that are invisible or control a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
