"""A parser of the file of host rules. Pure functions.

Each line is a pattern of hosts and their limits:

    *.example.org  per-host=2  rate=30/m
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from url_downloader.config.host_patterns import parse_host_pattern
from url_downloader.config.host_settings import HostRule
from url_downloader.config.ranges import RANGES, range_of
from url_downloader.config.values import parse_rate
from url_downloader.shared.errors import InputError


def parse_host_rules(lines: Iterable[bytes], *, source: str) -> tuple[HostRule, ...]:
    """Return the rules in the lines of a file, in their order.

    Blank lines and comments, from a word that begins with `#` to the end of the line, are
    skipped.

    Args:
        lines: Lines of the file.
        source: Name of the file, for errors.

    Raises:
        InputError: A line has another form. The message has file, line, value and remedy.
    """
    return tuple(_rules(lines, source))


def _rules(lines: Iterable[bytes], source: str) -> Iterator[HostRule]:
    for number, line in enumerate(lines, start=1):
        try:
            words = _words(line)
            if words:
                yield _rule(words)
        except UnicodeDecodeError:
            raise InputError(f"{source}:{number}: not UTF-8; save the file as UTF-8") from None
        except ValueError as error:
            raise InputError(f"{source}:{number}: {error}") from None


def _words(line: bytes) -> list[str]:
    words = line.decode().split()
    comment = next((n for n, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:comment]


def _rule(words: list[str]) -> HostRule:
    pattern = parse_host_pattern(words[0])
    values: dict[str, Any] = {}
    for word in words[1:]:
        key, _, text = word.partition("=")
        if key not in _KEYS:
            raise ValueError(f"unknown key {key!r}: must be per-host=N or rate=N/s")
        if not text:
            raise ValueError(f"{key}: needs = and a value without blanks, as in per-host=2")
        name, parse = _KEYS[key]
        if name in values:
            raise ValueError(f"{key}: comes twice in the line; keep one of them")
        try:
            values[name] = parse(text)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    if not values:
        raise ValueError(f"{pattern} has no limit: add per-host=N or rate=N/s")
    return HostRule(pattern=pattern, **values)


def _connections(text: str) -> int:
    low, high = RANGES["--per-host"]
    number = int(text) if re.fullmatch("[0-9]{1,9}", text) else -1
    if not low <= number <= high:
        raise ValueError(f"must be {range_of('--per-host')}, not {text!r}")
    return number


_KEYS: Mapping[str, tuple[str, Callable[[str], float]]] = {
    "per-host": ("connections", _connections),
    "rate": ("interval", parse_rate),
}
"""Keys of a line, each with the field of HostRule and the parser of its value."""
