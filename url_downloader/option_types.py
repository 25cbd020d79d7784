"""What the values of options look like, and how a wrong one is refused."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping

from url_downloader.config import FailureLimit, range_of
from url_downloader.shared.errors import ConfigError
from url_downloader.units import parse_seconds, parse_size

Group = argparse._ArgumentGroup  # its only name
_PARSERS: Mapping[str, Callable[[str], float]] = {
    "N": int,
    "TIME": parse_seconds,
    "SIZE": parse_size,
}


def add_number(group: Group, *flags: str, metavar: str, default: float, text: str) -> None:
    """Add an option that takes a number of this metavar's kind: N, TIME or SIZE."""
    group.add_argument(
        *flags,
        metavar=metavar,
        type=in_range(flags[-1], _PARSERS[metavar]),
        default=default,
        help=f"{text} (default: {_shown(default, metavar)})",
    )


def _shown(value: float, metavar: str) -> str:
    is_round = metavar == "SIZE" and value and value % (1 << 20) == 0
    return f"{int(value) >> 20}M" if is_round else f"{value:g}"


def failure_limit(text: str) -> FailureLimit:
    """`N` or `N%`."""
    share = text.removesuffix("%")
    return (
        FailureLimit(count=0, percent=float(share))
        if share != text
        else FailureLimit(count=int(text))
    )


def in_range(flag: str, parse: Callable[[str], object]) -> Callable[[str], object]:
    """`parse`, with errors that name the range; that it is kept is checked by Settings."""

    def convert(text: str) -> object:
        """What argparse calls."""
        try:
            return parse(text)
        except ValueError as error:
            message = f"must be {range_of(flag)}, not {text!r}"
            raise argparse.ArgumentTypeError(message) from error
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def status_codes(text: str) -> frozenset[int]:
    """Numbers, separated by commas."""
    return frozenset(int(code) for code in text.split(",") if code.strip())


def media_types(text: str) -> tuple[str, ...]:
    """Media types, separated by commas; the subtype may be `*`."""
    types = tuple(part.strip().lower() for part in text.split(","))
    if not all(re.fullmatch(r"[\w.+-]+/([\w.+-]+|\*)", each, re.ASCII) for each in types):
        raise argparse.ArgumentTypeError(
            f"must be media types such as application/pdf,image/*, not {text!r}"
        )
    return types
