"""The command line: its grammar, and the Settings that it asks for."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from url_downloader import __version__
from url_downloader.config import (
    Existing,
    MonitorSettings,
    OutputSettings,
    PoolSettings,
    RetrySettings,
    Settings,
    TransferSettings,
    range_of,
)
from url_downloader.units import parse_seconds, parse_size

_PARSERS: Mapping[str, Callable[[str], float]] = {
    "N": int,
    "TIME": parse_seconds,
    "SIZE": parse_size,
}


def argument_parser() -> argparse.ArgumentParser:
    """The command line's grammar; defaults come from Settings."""
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="url-downloader",
        description="Download every URL of a list, several at a time.",
        epilog="TIME: seconds, or with s, m, h or d. SIZE: bytes, or with k, M, G or T.",
        allow_abbrev=False,
    )
    parser.add_argument("list", metavar="LIST", help="file with one URL per line; - is stdin")
    parser.add_argument("-V", "--version", action="version", version=f"%(prog)s {__version__}")
    talk = parser.add_mutually_exclusive_group()
    talk.add_argument("-v", "--verbose", action="store_true", help="log every step")
    talk.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")
    _add_number_options(parser, defaults)
    _add_file_options(parser, defaults)
    _add_existing_options(parser)
    return parser


def _transfer_settings(arguments: argparse.Namespace) -> TransferSettings:
    return TransferSettings(
        timeout=arguments.timeout,
        max_time=arguments.max_time,
        speed_limit=arguments.speed_limit,
        speed_time=arguments.speed_time,
        max_filesize=arguments.max_filesize,
        expected_types=arguments.expect_type,
    )


def _add_file_options(parser: argparse.ArgumentParser, defaults: Settings) -> None:
    parser.add_argument(
        *("-d", "--dir", "-P", "--output-dir"),
        metavar="DIR",
        type=Path,
        default=defaults.output.directory,
        help="output directory (default: %(default)s)",
    )
    for flag, text in (
        ("--no-continue", "start every file afresh, whatever part of it is there"),
        ("--no-mtime", "give files the time of the download, not of Last-Modified"),
        ("--fsync", "have each file on the disk before it counts as downloaded"),
        ("--content-disposition", "name files as the server says"),
    ):
        parser.add_argument(flag, action="store_true", help=text)
    parser.add_argument(
        "--expect-type",
        metavar="TYPES",
        type=_media_types,
        default=(),
        help="media types to accept, such as application/pdf,image/* (default: any)",
    )
    parser.add_argument(
        "--checksums",
        metavar="FILE",
        type=Path,
        help="output of sha256sum, with the names that the files will have",
    )


def _add_existing_options(parser: argparse.ArgumentParser) -> None:
    existing = parser.add_mutually_exclusive_group()
    for flags, value, text in (
        (("-c", "--continue"), Existing.SKIP_FILLED, "skip files that are there, unless empty"),
        (("-nc", "--no-clobber"), Existing.SKIP, "skip whatever is there"),
        (("-N", "--timestamping"), Existing.COMPARE, "download only what has changed"),
    ):
        existing.add_argument(
            *flags,
            action="store_const",
            dest="existing",
            const=value,
            default=Existing.REPLACE,
            help=text,
        )


def _add_number_options(parser: argparse.ArgumentParser, defaults: Settings) -> None:
    for flags, metavar, default, text in _numbers(defaults):
        parser.add_argument(
            *flags,
            metavar=metavar,
            type=_in_range(flags[-1], _PARSERS[metavar]),
            default=default,
            help=f"{text} (default: {default:g})",
        )
    parser.add_argument(
        "--retry-on",
        metavar="CODES",
        type=_in_range("--retry-on", _status_codes),
        default=defaults.retry.retry_on,
        help="4xx codes to retry as well, such as 408,425,429 (default: none)",
    )


def _numbers(defaults: Settings) -> list[tuple[tuple[str, ...], str, float, str]]:
    """Flags, metavar, default and help of each option that is a number."""
    retry, pool, transfer = defaults.retry, defaults.pool, defaults.transfer
    workers = ("-w", "--max_workers", "--max-workers")
    retries = ("--max_retries", "--max-retries")
    timeout = "end an attempt after so long without a byte; 0: never"
    interval = defaults.monitor.interval
    return [
        (workers, "N", pool.max_workers, "downloads at a time"),
        (("--queue-size",), "N", pool.queue_size, "jobs that may wait for a worker"),
        (("-T", "--timeout"), "TIME", transfer.timeout, timeout),
        (("--max-time",), "TIME", transfer.max_time, "for one attempt in all; 0: any"),
        (("--speed-limit",), "SIZE", transfer.speed_limit, "least bytes per second; 0: any"),
        (("--speed-time",), "TIME", transfer.speed_time, "over which the speed is measured"),
        (("--max-filesize",), "SIZE", transfer.max_filesize, "no larger files; 0: any"),
        (retries, "N", retry.max_retries, "attempts after the first"),
        (("--retry-delay",), "TIME", retry.delay, "base of the exponential backoff"),
        (("--retry-max-delay",), "TIME", retry.max_delay, "longest backoff"),
        (
            ("--max-retry-after",),
            "TIME",
            retry.max_retry_after,
            "longest wait for a server; 0: any",
        ),
        (("--monitor-interval",), "TIME", interval, "between status lines"),
    ]


def _in_range(flag: str, parse: Callable[[str], object]) -> Callable[[str], object]:
    """`parse`, with errors that name the range; that it is kept is checked by Settings."""

    def convert(text: str) -> object:
        try:
            return parse(text)
        except ValueError as error:
            message = f"must be {range_of(flag)}, not {text!r}"
            raise argparse.ArgumentTypeError(message) from error

    return convert


def _status_codes(text: str) -> frozenset[int]:
    return frozenset(int(code) for code in text.split(",") if code.strip())


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
        transfer=_transfer_settings(arguments),
        pool=PoolSettings(max_workers=arguments.max_workers, queue_size=arguments.queue_size),
        output=OutputSettings(
            directory=arguments.dir,
            existing=arguments.existing,
            is_resumed=not arguments.no_continue,
            keeps_mtime=not arguments.no_mtime,
            is_synced=arguments.fsync,
            takes_server_names=arguments.content_disposition,
        ),
        monitor=MonitorSettings(interval=arguments.monitor_interval),
    )


def _media_types(text: str) -> tuple[str, ...]:
    types = tuple(part.strip().lower() for part in text.split(","))
    if not all(re.fullmatch(r"[\w.+-]+/([\w.+-]+|\*)", each, re.ASCII) for each in types):
        raise argparse.ArgumentTypeError(
            f"must be media types such as application/pdf,image/*, not {text!r}"
        )
    return types
