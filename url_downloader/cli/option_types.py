"""What the values of options look like, and how a wrong one is refused."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from url_downloader.config.proxies import parse_proxy
from url_downloader.config.settings import FailureLimit, range_of
from url_downloader.config.values import (
    UNSENT,
    is_field_value,
    parse_field,
    parse_seconds,
    parse_size,
)
from url_downloader.shared.errors import ConfigError
from url_downloader.shared.ports import Fields
from url_downloader.shared.url_parts import without_credentials

Group = argparse._ArgumentGroup  # its only name
_PARSERS: Mapping[str, Callable[[str], float]] = {
    "N": int,
    "TIME": parse_seconds,
    "SIZE": parse_size,
}


class ArgumentParser(argparse.ArgumentParser):
    """A parser whose usage errors do not repeat what was written behind an option.

    In `-kAuthorization: ...` that is a header: the `H` was forgotten.
    """

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and exit with status 2."""
        super().error(re.sub(r"(?s)ignored explicit argument .*", "takes no value", message))


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Names the value of an option once, after all its spellings, as Python 3.13 does."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        return invocation(action)


def invocation(action: argparse.Action) -> str:
    """How an argument is written: `-T, --timeout TIME`."""
    takes_value = action.metavar is not None
    return " ".join(
        [", ".join(action.option_strings), str(action.metavar) * takes_value]
    ).strip()


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
    if metavar == "TIME" and value:
        return f"{value:g}s"
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


def header_fields(text: str) -> Fields:
    """The field that is written there, or those of the file that `@` comes before."""
    if not text.startswith("@"):
        return (_field(text, where=""),)
    path = Path(text[1:])
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        message = f"{path}: the headers can't be read: {error.strerror}"
        raise argparse.ArgumentTypeError(message) from error
    return tuple(
        _field(line, where=f"{path}:{number}: ")
        for number, line in enumerate(map(bytes.strip, lines), start=1)
        if line and not line.startswith(b"#")
    )


def _field(text: str | bytes, *, where: str) -> tuple[str, str]:
    try:
        return parse_field(text if isinstance(text, str) else text.decode())
    except UnicodeDecodeError:
        raise argparse.ArgumentTypeError(f"{where}the header is not UTF-8") from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{where}{error}") from None


def field_value(text: str) -> str:
    """What can be sent as a header's value."""
    if not is_field_value(text):
        raise argparse.ArgumentTypeError(UNSENT)
    return text.strip()


def referer(text: str) -> str:
    """A URL without what RFC 9110 §10.1.3 keeps out of a Referer."""
    return without_credentials(field_value(text)).partition("#")[0]


def proxy_url(text: str) -> str:
    """A proxy's URL. Is not shown: it may hold a password."""
    try:
        parse_proxy(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"the proxy's URL can't be used: {error}") from None
    return text
