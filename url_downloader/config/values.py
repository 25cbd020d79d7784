"""Parsing of times, rates, sizes and header fields, as users write them. Pure functions."""

from __future__ import annotations

import math
import re

# A surrogate stands for a byte of the command line that can't be decoded.
_VALUE = r"[^\0-\x08\n-\x1f\x7f\ud800-\udfff]*"
UNSENT = "a value with control characters, or one that is not UTF-8, can't be sent"
"""Message about a value that can't be sent in a header field."""
# RFC 9110 §5.1 and §5.5: the name is a token; the tab is the only control character.
_FIELD = re.compile(rf"([\w!#$%&'*+.^`|~-]+):({_VALUE})", re.ASCII)
_OWN = frozenset({"range", "if-range", "content-length", "transfer-encoding"})
"""Fields that could make a part of a file look complete, or announce a missing body."""
_SIZE = re.compile(r"(\d+)([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_TIME = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([smhd]?)", re.ASCII)
# With few digits, no number but 0 counts as 0, and none is infinite.
_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})(?:/([smhd]))?", re.ASCII)
_RATE_FORMS = "N/s, N/m, N/h or N/d, such as 0.5/s, or 0 for no limit"
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
"""Seconds of each unit."""


def parse_field(text: str) -> tuple[str, str]:
    """Return name and value of `Name: value`.

    Raises:
        ValueError: The text has another form, or the user must not set the field.
    """
    match = _FIELD.fullmatch(text)
    if match is None:
        # The text is not shown: it may hold a password.
        raise ValueError("not a header: it should read Name: value")
    if match[1].lower() in _OWN:
        raise ValueError(f"{match[1]} is set by this program, to know when a file is complete")
    return match[1], match[2].strip()


def is_field_value(text: str) -> bool:
    """Tell whether the text can be sent as the value of a header field."""
    return re.fullmatch(_VALUE, text) is not None


def parse_seconds(text: str) -> float:
    """Return the seconds of a time with an optional unit: `90`, `1.5m`, `2h`, `1d`.

    Raises:
        ValueError: The text has another form, or the time is negative, infinite or no number.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a time: {text!r} (seconds, or a number with s, m, h or d)")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not math.isfinite(seconds):
        raise ValueError(f"not a time: {text!r} (too large)")
    return seconds


def parse_rate(text: str) -> float:
    """Return the seconds between two requests for a rate: `5/s`, `0.5/s`, `30/m`, or 0.

    0 means that the rate has no limit.

    Raises:
        ValueError: The text has another form, or the rate is less than one a day.
    """
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"must be {_RATE_FORMS}, not {text!r}")
    number = float(match[1])
    if match[2] is None and number:
        raise ValueError(f"must have a unit, as in {text}/s or {text}/m, not {text!r}")
    seconds = _SECONDS[match[2] or "s"] / number if number else 0.0
    if seconds > _SECONDS["d"]:
        raise ValueError(f"must be at least 1/d, or 0 for no limit, not {text!r}")
    return seconds


def parse_size(text: str) -> int:
    """Return the bytes of a size with an optional 1024-based unit: `4096`, `64k`, `1M`, `2G`.

    Raises:
        ValueError: The text has another form.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a size: {text!r} (bytes, or a number with k, M, G or T)")
    return int(match[1]) << 10 * " kmgt".index(match[2].lower() or " ")
