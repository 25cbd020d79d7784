"""Values of options: times, sizes and header fields, as users write them. Pure functions."""

from __future__ import annotations

import math
import re

# Surrogates stand for bytes of the command line that are no text.
_VALUE = r"[^\0-\x08\n-\x1f\x7f\ud800-\udfff]*"
UNSENT = "what has control characters or is not UTF-8 can't be sent"
# RFC 9110 §5.1 and §5.5: a token; of the controls only the tab.
_FIELD = re.compile(rf"([\w!#$%&'*+.^`|~-]+):({_VALUE})", re.ASCII)
_OWN = frozenset({"range", "if-range", "content-length", "transfer-encoding"})
"""What would make a part of a file pass for the whole, or announce a body that never comes."""
_SIZE = re.compile(r"(\d+)([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_TIME = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([smhd]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_field(text: str) -> tuple[str, str]:
    """Name and value of `Name: value`.

    Raises:
        ValueError: it is nothing of the kind, or a field that is not the user's to set.
    """
    match = _FIELD.fullmatch(text)
    if match is None:
        # The text is not shown: it may hold a password.
        raise ValueError("not a header: it should read Name: value")
    if match[1].lower() in _OWN:
        raise ValueError(f"{match[1]} is set by this program, to know when a file is whole")
    return match[1], match[2].strip()


def is_field_value(text: str) -> bool:
    """Whether it can be sent as a field's value."""
    return re.fullmatch(_VALUE, text) is not None


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
