"""The types of options: the parsing of their values, and the messages for bad ones."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from url_downloader.config.proxies import parse_proxy
from url_downloader.config.ranges import range_of
from url_downloader.config.settings import FailureLimit
from url_downloader.config.values import (
    UNSENT,
    is_field_value,
    parse_field,
    parse_rate,
    parse_seconds,
    parse_size,
)
from url_downloader.shared.ports import Fields
from url_downloader.shared.url_parts import without_credentials

Group = argparse._ArgumentGroup  # its only name
_PARSERS: Mapping[str, Callable[[str], float]] = {
    "N": int,
    "TIME": parse_seconds,
    "SIZE": parse_size,
    "RATE": parse_size,
}


class ArgumentParser(argparse.ArgumentParser):
    """Parser whose usage errors leave out a value that was given to a flag without value.

    The value may be secret: `-kAuthorization: ...` is a header whose `H` was forgotten.
    """

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message to stderr, and exit with status 2."""
        super().error(re.sub(r"(?s)ignored explicit argument .*", "takes no value", message))


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Formatter that shows the value of an option once, after all its flags.

    argparse itself does so from Python 3.13 on.
    """

    def _format_action_invocation(self, action: argparse.Action) -> str:
        return invocation(action)


def invocation(action: argparse.Action) -> str:
    """Return the flags and the value of an argument, such as `-T, --timeout TIME`."""
    takes_value = action.metavar is not None
    return " ".join(
        [", ".join(action.option_strings), str(action.metavar) * takes_value]
    ).strip()


def add_number(group: Group, *flags: str, metavar: str, default: float, text: str) -> None:
    """Add an option that takes a number.

    Args:
        group: Group of the option.
        flags: Flags of the option; the last one has the range in `config.ranges`.
        metavar: Kind of the number: N, TIME, SIZE or RATE.
        default: Default of the option.
        text: Help text, without the default.
    """
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
    """Parse `N` or `N%`.

    Raises:
        ValueError: The text is not a number.
        ConfigError: The number is out of its range.
    """
    share = text.removesuffix("%")
    return (
        FailureLimit(count=0, percent=float(share))
        if share != text
        else FailureLimit(count=int(text))
    )


def in_range(flag: str, parse: Callable[[str], object]) -> Callable[[str], object]:
    """Return a converter for argparse that names the range of the flag if `parse` fails.

    Settings check later that the parsed value is in the range.
    """

    def convert(text: str) -> object:
        """Parse the value for argparse."""
        try:
            return parse(text)
        except ValueError as error:
            message = f"must be {range_of(flag)}, not {text!r}"
            raise argparse.ArgumentTypeError(message) from error

    return convert


def status_codes(text: str) -> frozenset[int]:
    """Parse status codes that are separated by commas."""
    return frozenset(int(code) for code in text.split(",") if code.strip())


def request_rate(text: str) -> float:
    """Parse a rate of requests, such as `0.5/s`; return the seconds between two of them."""
    try:
        return parse_rate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def media_types(text: str) -> tuple[str, ...]:
    """Parse media types that are separated by commas; a subtype may be `*`."""
    types = tuple(part.strip().lower() for part in text.split(","))
    if not all(re.fullmatch(r"[\w.+-]+/([\w.+-]+|\*)", each, re.ASCII) for each in types):
        raise argparse.ArgumentTypeError(
            f"must be media types such as application/pdf,image/*, not {text!r}"
        )
    return types


def header_fields(text: str) -> Fields:
    """Parse one header field, or all fields of a file if the text is `@FILE`."""
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
    """Return the text without blanks around it, if it can be the value of a header field."""
    if not is_field_value(text):
        raise argparse.ArgumentTypeError(UNSENT)
    return text.strip()


def referer(text: str) -> str:
    """Return the URL without user name, password and fragment, which no Referer may have.

    See RFC 9110 §10.1.3.
    """
    return without_credentials(field_value(text)).partition("#")[0]


def proxy_url(text: str) -> str:
    """Return the checked URL of a proxy. Errors leave it out: it may have a password."""
    try:
        parse_proxy(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"the proxy's URL can't be used: {error}") from None
    return text


def field_names(text: str) -> frozenset[str]:
    """Return the names in a comma-separated list of query fields."""
    names = frozenset(name.strip() for name in text.split(","))
    if not all(re.fullmatch(r"[^\s=&#?]+", name) for name in names):
        raise argparse.ArgumentTypeError("must be names of query fields, such as token,expires")
    return names
