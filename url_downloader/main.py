"""The door: command line in, exit status out.

Turns arguments into Settings, signals into a flag, and the run's end into words and a number.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from url_downloader import __version__
from url_downloader.claims import NameClaims
from url_downloader.config import (
    MonitorSettings,
    OutputSettings,
    PoolSettings,
    RetrySettings,
    Settings,
    TransferSettings,
)
from url_downloader.input_parser import InputParser, read_lines
from url_downloader.process_jobs import process_jobs
from url_downloader.shared.errors import ConfigError, InputError, OutputError
from url_downloader.shared.models import JobStatus
from url_downloader.storage import PARTS_FOLDER
from url_downloader.summary import RunSummary, summary_lines
from url_downloader.units import parse_seconds, printable

log = logging.getLogger(__name__)

EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_LOCAL = 3
EXIT_ALL_FAILED = 4
EXIT_BUG = 70


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argument_parser()
    arguments = parser.parse_args(argv)
    try:
        settings = settings_from(arguments)
    except ConfigError as error:
        parser.error(str(error))
    set_up_logging(verbose=arguments.verbose, quiet=arguments.quiet)
    try:
        with open_list(arguments.list) as descriptor:
            return run(descriptor, arguments, settings)
    except (InputError, OutputError) as error:
        log.error("%s", error)
        return EXIT_LOCAL


def argument_parser() -> argparse.ArgumentParser:
    """The command line's grammar; defaults come from Settings."""
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="url-downloader",
        description="Download every URL of a list, several at a time.",
        epilog="Times are seconds, or a number with s, m, h or d.",
        allow_abbrev=False,
    )
    parser.add_argument("list", metavar="LIST", help="file with one URL per line; - is stdin")
    parser.add_argument("-V", "--version", action="version", version=f"%(prog)s {__version__}")
    talk = parser.add_mutually_exclusive_group()
    talk.add_argument("-v", "--verbose", action="store_true", help="log every step")
    talk.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")
    parser.add_argument(
        *("-d", "--dir", "-P", "--output-dir"),
        **_option("DIR", "output directory", defaults.output.directory, Path),
    )
    parser.add_argument(
        *("-w", "--max_workers", "--max-workers"),
        **_option("N", "downloads at a time", defaults.pool.max_workers, int),
    )
    parser.add_argument(
        "--queue-size",
        **_option("N", "jobs that may wait for a worker", defaults.pool.queue_size, int),
    )
    parser.add_argument(
        *("-T", "--timeout"),
        **_option(
            "TIME",
            "give up after so long without a byte; 0: never",
            defaults.transfer.timeout,
            _seconds,
        ),
    )
    _add_retry_options(parser, defaults.retry)
    parser.add_argument(
        "--monitor-interval",
        **_option("TIME", "time between status lines", defaults.monitor.interval, _seconds),
    )
    return parser


def settings_from(arguments: argparse.Namespace) -> Settings:
    """The settings that the arguments ask for.

    Raises:
        ConfigError: a value is out of its range.
    """
    return Settings(
        retry=RetrySettings(
            max_retries=arguments.max_retries,
            delay=arguments.retry_delay,
            max_delay=arguments.retry_max_delay,
            max_retry_after=arguments.max_retry_after,
            retry_on=arguments.retry_on,
        ),
        transfer=TransferSettings(timeout=arguments.timeout),
        pool=PoolSettings(max_workers=arguments.max_workers, queue_size=arguments.queue_size),
        output=OutputSettings(directory=arguments.dir),
        monitor=MonitorSettings(interval=arguments.monitor_interval),
    )


def run(descriptor: int, arguments: argparse.Namespace, settings: Settings) -> int:
    """Download the list that can be read from `descriptor`; returns the exit status."""
    parser = InputParser(
        source="standard input" if arguments.list == "-" else arguments.list,
        claims=NameClaims(reserved=[PARTS_FOLDER]),
        timeout=settings.transfer.timeout,
        max_retries=settings.retry.max_retries,
        on_rejected=lambda rejection: log.error("%s", rejection),
        on_note=lambda note: log.info("%s", note),
    )
    with stop_signals() as caught:
        summary = process_jobs(
            parser.parse(read_lines(descriptor)), settings, should_stop=lambda: bool(caught)
        )
    if parser.error is not None:
        log.error("%s", parser.error)
    status = exit_status(summary, parser, caught)
    if status != EXIT_OK or not arguments.quiet:
        say_summary(summary, parser)
    return status


def exit_status(summary: RunSummary, parser: InputParser, caught: Sequence[int]) -> int:
    """The truth about the run as one number."""
    failed = summary.counts[JobStatus.FAILED] + summary.unfinished + parser.rejected
    if caught:
        return 128 + caught[0]
    if summary.crash is not None:
        return EXIT_BUG
    if parser.error is not None or summary.has_local_trouble:
        return EXIT_LOCAL
    if not failed:
        return EXIT_OK
    return EXIT_SOME_FAILED if summary.counts[JobStatus.SUCCESS] else EXIT_ALL_FAILED


def say_summary(summary: RunSummary, parser: InputParser) -> None:
    """Tell people on stderr how the run ended."""
    lines = [*summary_lines(summary)]
    if parser.rejected:
        lines.append(f"{parser.rejected} bad lines in the list")
    if parser.repeated:
        lines.append(f"{parser.repeated} repeated URLs were downloaded once")
    if not sum(summary.counts.values()) and not parser.rejected:
        lines.append("the list has no URLs")
    for line in lines:
        print(printable(line), file=sys.stderr)


@contextmanager
def open_list(name: str) -> Iterator[int]:
    """A descriptor to read the list from; `-` is standard input.

    Raises:
        InputError: there is no such file, or it can't be read.
    """
    if name == "-":
        yield sys.stdin.fileno()
        return
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        message = (
            f"{name}: the list can't be read: {error.strerror}; name a file, or - for stdin"
        )
        raise InputError(message) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def stop_signals() -> Iterator[Sequence[int]]:
    """The SIGINT or SIGTERM that came, if one did. A second one ends the process at once."""
    caught: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        caught.append(number)
        for each in previous:
            signal.signal(each, signal.SIG_DFL)

    previous = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    for each in previous:
        signal.signal(each, note)
    try:
        yield caught
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)


class PrintableFormatter(logging.Formatter):
    """Lets no control character of a list or a server through to a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in super().format(record).split("\n"))


def set_up_logging(*, verbose: bool, quiet: bool) -> None:
    """Log to stderr."""
    # A closed or full stderr must not end a download.
    logging.raiseExceptions = False
    handler = logging.StreamHandler()
    handler.setFormatter(
        PrintableFormatter("%(asctime)s %(levelname)s %(threadName)s: %(message)s")
    )
    logger = logging.getLogger("url_downloader")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG if verbose else logging.ERROR if quiet else logging.INFO)


def _add_retry_options(parser: argparse.ArgumentParser, defaults: RetrySettings) -> None:
    parser.add_argument(
        *("--max-retries", "--max_retries"),
        **_option("N", "attempts after the first", defaults.max_retries, int),
    )
    parser.add_argument(
        "--retry-delay",
        **_option("TIME", "base of the exponential backoff", defaults.delay, _seconds),
    )
    parser.add_argument(
        "--retry-max-delay",
        **_option("TIME", "longest backoff", defaults.max_delay, _seconds),
    )
    parser.add_argument(
        "--max-retry-after",
        **_option(
            "TIME", "longest wait a server may ask for", defaults.max_retry_after, _seconds
        ),
    )
    parser.add_argument(
        "--retry-on",
        metavar="CODES",
        type=_status_codes,
        default=defaults.retry_on,
        help="4xx codes to retry as well, such as 408,425,429 (default: none)",
    )


def _option(
    metavar: str, text: str, default: object, type_: Callable[[str], object]
) -> dict[str, Any]:
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    text = f"{text} (default: {shown})"
    return {"metavar": metavar, "help": text, "default": default, "type": type_}


def _seconds(text: str) -> float:
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _status_codes(text: str) -> frozenset[int]:
    try:
        return frozenset(int(code) for code in text.split(",") if code.strip())
    except ValueError as error:
        message = f"not a list of status codes: {text!r} (from 400 to 499, such as 408,429)"
        raise argparse.ArgumentTypeError(message) from error
