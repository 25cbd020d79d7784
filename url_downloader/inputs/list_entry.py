"""An entry of the list: a URL, and the options in the lines below it.

The rules are pure. `input_parser` reads the lines and claims the names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from url_downloader.config.ranges import RANGES, range_of
from url_downloader.config.values import parse_field, parse_seconds, parse_size
from url_downloader.naming.filenames import safe_relative_path
from url_downloader.shared.checksums import parse_checksum
from url_downloader.shared.job_options import AttemptLimits, Checksum
from url_downloader.shared.models import DownloadJob

_LIMITS: Mapping[str, Callable[[str], float]] = {
    "timeout": parse_seconds,
    "connect-timeout": parse_seconds,
    "max-time": parse_seconds,
    "speed-limit": parse_size,
    "speed-time": parse_seconds,
}
OWN_NAMES = {"timeout": "x-timeout", "connect-timeout": "x-connect-timeout"}
"""Options with their other names, for values that aria2c rejects: 0, fractions, above 600."""
_STANDARD_NAMES = {own: name for name, own in OWN_NAMES.items()}

OPTIONS = frozenset({"out", "checksum", "header", "max-retries", *_LIMITS, *_STANDARD_NAMES})
"""Options of a single URL."""

_OPTION = re.compile(r"([a-z][\w-]{0,63})\s*=\s*(.*)", re.ASCII | re.DOTALL | re.IGNORECASE)


@dataclass(slots=True)
class ListEntry:
    """URL of the list, and its options so far.

    Args:
        line: Number of the URL's line, from 1.
        url: URL in the form in which it is requested.
        limits: Limits of each attempt.
        max_retries: Upper bound for the attempts after the first.
        output: Path that the user chose; None if the URL names the file.
        output_line: Number of the line with that path; 0 without one.
        headers: Header fields as (name, value) pairs.
        checksum: Checksum that the file must have; None if none is set.
        has_options: Whether an option was set, even to its default.
    """

    line: int
    url: str
    limits: AttemptLimits
    max_retries: int
    output: str | None = None
    output_line: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    checksum: Checksum | None = None
    has_options: bool = False

    def set(self, key: str, value: str, *, line: int) -> None:
        """Set an option.

        Args:
            key: Name of the option, one of OPTIONS.
            value: Text of its value.
            line: Number of its line.

        Raises:
            ValueError: The value is not valid. The message begins with the key.
        """
        self.has_options = True
        try:
            match key:
                case "out":
                    self.output, self.output_line = safe_relative_path(value), line
                case "checksum":
                    self.checksum = parse_checksum(value)
                case "header":
                    self.headers += (parse_field(value),)
                case "max-retries":
                    self.max_retries = int(_in_range(key, _parse_count(value)))
                case _:
                    name = _STANDARD_NAMES.get(key, key)
                    limit = _in_range(name, _LIMITS[name](value))
                    self.limits = replace(self.limits, **{name.replace("-", "_"): limit})
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None

    @property
    def options(self) -> str:
        """Return a text that is equal for equal options, and is no prefix of another."""
        asked = (self.limits, self.max_retries, self.output, self.headers, self.checksum)
        return repr(asked)

    def asked(self, no_options: str) -> str:
        """Return a text that is equal for equal URLs with equal options.

        Args:
            no_options: Text of `options` for an entry without options.
        """
        if not self.has_options:
            return self.url
        return f"{self.options}{self.url}".removeprefix(no_options)

    def job(self, job_id: int, *, output: str) -> DownloadJob:
        """Return the job of this entry.

        Args:
            job_id: Number of the job.
            output: Path of the file, relative to the output directory.
        """
        return DownloadJob(
            job_id=job_id,
            url=self.url,
            output=output,
            limits=self.limits,
            max_retries=self.max_retries,
            headers=self.headers,
            checksum=self.checksum,
            is_named=self.output is not None,
        )


def parse_option(text: str) -> tuple[str, str]:
    """Return key and value of `key=value`.

    Raises:
        ValueError: The text has another form.
    """
    match = _OPTION.fullmatch(text)
    if match is None:
        # The text is not shown: it may be a header with a password.
        raise ValueError("not an option: it should read key=value")
    return match[1], match[2]


def _parse_count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f"not a whole number: {text!r}")
    return int(text)


def _in_range(key: str, value: float) -> float:
    low, high = RANGES[f"--{key}"]
    if not low <= value <= high:
        raise ValueError(f"must be {range_of(f'--{key}')}, not {value:.12g}")
    return value
