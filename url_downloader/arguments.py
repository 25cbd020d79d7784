"""The command line: its grammar, and the Settings that it asks for."""

from __future__ import annotations

import argparse
from pathlib import Path

from url_downloader import __version__
from url_downloader.config import (
    Existing,
    MonitorSettings,
    OutputSettings,
    PoolSettings,
    RetrySettings,
    RunSettings,
    Settings,
    TransferSettings,
)
from url_downloader.option_types import (
    Group,
    add_number,
    failure_limit,
    in_range,
    media_types,
    status_codes,
)
from url_downloader.shared.models import CONNECT_TIMEOUT, AttemptLimits
from url_downloader.units import parse_seconds


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
    _add_run_options(parser.add_argument_group("the run"), defaults)
    _add_file_options(parser.add_argument_group("files"), defaults)
    _add_existing_options(parser.add_argument_group("files that are there already"))
    _add_limits(parser.add_argument_group("limits of one attempt"), defaults.transfer)
    _add_retry_options(parser.add_argument_group("retries"), defaults.retry)
    _add_talk_options(parser.add_argument_group("messages"), defaults)
    return parser


def _add_run_options(group: Group, defaults: Settings) -> None:
    pool, run = defaults.pool, defaults.run
    workers = ("-w", "--max_workers", "--max-workers")
    add_number(group, *workers, metavar="N", default=pool.max_workers, text="downloads at once")
    text = "jobs that may wait for a worker"
    add_number(group, "--queue-size", metavar="N", default=pool.queue_size, text=text)
    text = "stop in order after so long; 0: never"
    add_number(group, "--deadline", metavar="TIME", default=run.deadline, text=text)
    group.add_argument(
        "--max-failures",
        metavar="N|N%",
        type=in_range("--max-failures", failure_limit),
        default=run.max_failures,
        help="stop in order when so many jobs have failed; 0: never (default: 0)",
    )
    group.add_argument(
        "--location-trusted",
        action="store_true",
        help="send headers and credentials on to wherever a server redirects",
    )


def _add_file_options(group: Group, defaults: Settings) -> None:
    group.add_argument(
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
        group.add_argument(flag, action="store_true", help=text)
    _add_file_checks(group, defaults)


def _add_file_checks(group: Group, defaults: Settings) -> None:
    text, least = (
        "stop in order before the disk has less free; 0: any",
        defaults.output.min_free,
    )
    add_number(group, "--min-free", metavar="SIZE", default=least, text=text)
    group.add_argument(
        "--expect-type",
        metavar="TYPES",
        type=media_types,
        default=(),
        help="media types to accept, such as application/pdf,image/* (default: any)",
    )
    group.add_argument(
        "--checksums",
        metavar="FILE",
        type=Path,
        help="output of sha256sum, with the names that the files will have",
    )


def _add_existing_options(group: Group) -> None:
    existing = group.add_mutually_exclusive_group()
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


def _add_limits(group: Group, defaults: TransferSettings) -> None:
    group.add_argument(
        "--connect-timeout",
        metavar="TIME",
        type=in_range("--connect-timeout", parse_seconds),
        help=f"for look-up, connection and TLS (default: {CONNECT_TIMEOUT:g}, or -T if less)",
    )
    limits = defaults.limits
    for flags, metavar, default, text in (
        (("-T", "--timeout"), "TIME", limits.timeout, "without a byte; 0: any"),
        (("--max-time",), "TIME", limits.max_time, "in all; 0: any"),
        (("--speed-limit",), "SIZE", limits.speed_limit, "least bytes per second; 0: any"),
        (("--speed-time",), "TIME", limits.speed_time, "over which the speed is measured"),
        (("--max-filesize",), "SIZE", defaults.max_filesize, "no larger files; 0: any"),
    ):
        add_number(group, *flags, metavar=metavar, default=default, text=text)


def _add_retry_options(group: Group, defaults: RetrySettings) -> None:
    retries, wait = ("--max_retries", "--max-retries"), "longest wait for a server; 0: any"
    for flags, metavar, default, text in (
        (retries, "N", defaults.max_retries, "attempts after the first"),
        (("--retry-delay",), "TIME", defaults.delay, "base of the exponential backoff"),
        (("--retry-max-delay",), "TIME", defaults.max_delay, "longest backoff"),
        (("--max-retry-after",), "TIME", defaults.max_retry_after, wait),
    ):
        add_number(group, *flags, metavar=metavar, default=default, text=text)
    group.add_argument(
        "--retry-on",
        metavar="CODES",
        type=in_range("--retry-on", status_codes),
        default=defaults.retry_on,
        help="4xx codes to retry as well, such as 408,425,429 (default: none)",
    )


def _add_talk_options(group: Group, defaults: Settings) -> None:
    talk = group.add_mutually_exclusive_group()
    talk.add_argument("-v", "--verbose", action="store_true", help="log every step")
    talk.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")
    flag, interval = "--monitor-interval", defaults.monitor.interval
    add_number(group, flag, metavar="TIME", default=interval, text="between status lines")


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
        run=RunSettings(deadline=arguments.deadline, max_failures=arguments.max_failures),
        pool=PoolSettings(max_workers=arguments.max_workers, queue_size=arguments.queue_size),
        output=OutputSettings(
            directory=arguments.dir,
            existing=arguments.existing,
            is_resumed=not arguments.no_continue,
            keeps_mtime=not arguments.no_mtime,
            is_synced=arguments.fsync,
            takes_server_names=arguments.content_disposition,
            min_free=arguments.min_free,
        ),
        monitor=MonitorSettings(interval=arguments.monitor_interval),
    )


def _transfer_settings(arguments: argparse.Namespace) -> TransferSettings:
    return TransferSettings(
        limits=AttemptLimits(
            timeout=arguments.timeout,
            connect_timeout=arguments.connect_timeout,
            max_time=arguments.max_time,
            speed_limit=arguments.speed_limit,
            speed_time=arguments.speed_time,
        ),
        max_filesize=arguments.max_filesize,
        expected_types=arguments.expect_type,
        is_location_trusted=arguments.location_trusted,
    )
