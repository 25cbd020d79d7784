"""The parser of the command line, and the settings that parsed arguments ask for."""

from __future__ import annotations

import argparse
from pathlib import Path

from url_downloader.cli.command_settings import (
    CommandLine,
    CommandSettings,
    ProgressMode,
)
from url_downloader.cli.dial_arguments import add_dial_options, dial_settings
from url_downloader.cli.host_arguments import add_host_options, host_settings
from url_downloader.cli.ledger_arguments import add_ledger_options, ledger_settings
from url_downloader.cli.message_arguments import add_message_options, log_settings
from url_downloader.cli.option_types import (
    ArgumentParser,
    Group,
    HelpFormatter,
    add_number,
    in_range,
    media_types,
    status_codes,
)
from url_downloader.cli.report_arguments import add_report_options, report_settings
from url_downloader.cli.run_arguments import add_run_options, pool_settings, run_limits
from url_downloader.cli.server_arguments import add_server_options, server_settings
from url_downloader.config.settings import (
    Existing,
    MonitorSettings,
    OutputSettings,
    RetrySettings,
    Settings,
    TransferSettings,
)
from url_downloader.config.values import parse_seconds, parse_size
from url_downloader.shared.job_options import CONNECT_TIMEOUT, AttemptLimits

_EPILOG = """\
TIME is in seconds, or a number with s, m, h or d: 90, 1.5m, 2h.
SIZE is in bytes, or a number with k, M, G or T (1024-based): 4096, 2G.
RATE is a SIZE per second: 500k.
@FILE is a config file. Each line is an option, with its value if it takes
one: "--timeout 10". Blank lines and lines that begin with # are skipped.
Later options override earlier ones, wherever they are.
"""


def argument_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; its defaults come from Settings."""
    defaults = Settings()
    parser = ArgumentParser(
        prog="url-downloader",
        usage="%(prog)s [options] [@FILE ...] LIST",
        description="Download every URL of a list, several at a time.\n\n"
        "Other commands, each with a --help of its own:\n"
        "  url-downloader status   print what the ledger of an output directory knows\n"
        "  url-downloader verify   compare the files with what was recorded about them",
        epilog=_EPILOG,
        allow_abbrev=False,
        add_help=False,
        formatter_class=HelpFormatter,
    )
    _add_list(parser.add_argument_group("the list"))
    add_run_options(parser.add_argument_group("the run"), defaults)
    _add_file_options(parser.add_argument_group("files"), defaults)
    _add_existing_options(parser.add_argument_group("existing files"))
    add_ledger_options(parser.add_argument_group("the ledger of earlier runs"))
    _add_limits(parser.add_argument_group("limits of one attempt"), defaults.transfer)
    _add_retry_options(parser.add_argument_group("retries"), defaults.retry)
    add_host_options(parser.add_argument_group("hosts"), defaults.hosts)
    add_server_options(parser.add_argument_group("requests to servers"), defaults)
    add_dial_options(parser.add_argument_group("addresses of servers"))
    add_report_options(parser.add_argument_group("reports"))
    add_message_options(parser.add_argument_group("messages"), defaults.monitor)
    # Because of -0, argparse would read -1 as an option, not as a number that is out of range.
    parser._has_negative_number_optionals.clear()
    return parser


def _add_list(group: Group) -> None:
    text = "file with one URL per line; - is standard input"
    group.add_argument("list", metavar="LIST", nargs="?", help=text)
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="send no request; check the list, and print each URL, a tab and the path of its"
        " file",
    )


def _add_file_options(group: Group, defaults: Settings) -> None:
    group.add_argument(
        *("-d", "--dir", "-P", "--output-dir"),
        metavar="DIR",
        type=Path,
        default=defaults.output.directory,
        help="output directory, created if it is missing (default: %(default)s)",
    )
    for flag, text in (
        (
            "--no-continue",
            "begin each attempt at byte 0, even if an earlier one has left a part of the file",
        ),
        (
            "--no-mtime",
            "give each file the time of its download, not that of Last-Modified",
        ),
        ("--fsync", "flush each file to the disk (fsync) before it counts as downloaded"),
        (
            "--content-disposition",
            "use the file names that servers send, except where an out= line in LIST gives one",
        ),
    ):
        group.add_argument(flag, action="store_true", help=text)
    _add_file_checks(group)


def _add_file_checks(group: Group) -> None:
    group.add_argument(
        "--min-free",
        metavar="SIZE",
        type=in_range("--min-free", parse_size),
        help="stop the run cleanly before the disk has less than SIZE free; 0 = no limit"
        " (default: 64M, or a twentieth of the disk if that is less)",
    )
    group.add_argument(
        "--expect-type",
        metavar="TYPES",
        type=media_types,
        default=(),
        help="media types to accept, such as application/pdf,image/*; fail if the server sends"
        " another (default: any)",
    )
    group.add_argument(
        "--checksums",
        metavar="FILE",
        type=Path,
        help="check each file against the checksum that FILE, written by sha256sum, has for its"
        " name (default: none)",
    )


def _add_existing_options(group: Group) -> None:
    existing = group.add_mutually_exclusive_group()
    for flags, value, text in (
        (
            ("-c", "--continue"),
            Existing.CONTINUE,
            "skip files that are complete; ask the server about those that no run has recorded",
        ),
        (
            ("-nc", "--no-clobber"),
            Existing.SKIP,
            "skip all existing files; fail if one has a wrong checksum",
        ),
        (
            ("-N", "--timestamping"),
            Existing.COMPARE,
            "download only files that are missing or have changed on the server",
        ),
    ):
        existing.add_argument(
            *flags,
            action="store_const",
            dest="existing",
            const=value,
            default=Existing.REPLACE,
            help=f"{text} (default: download again)",
        )


def _add_limits(group: Group, defaults: TransferSettings) -> None:
    group.add_argument(
        "--connect-timeout",
        metavar="TIME",
        type=in_range("--connect-timeout", parse_seconds),
        help="fail if host look-up, connection and TLS handshake together take longer;"
        f" 0 = no limit (default: {CONNECT_TIMEOUT:g}s, or -T if that is less)",
    )
    limits = defaults.limits
    idle = "fail after this time without a byte; 0 = never"
    total = "fail after this time in total; 0 = never"
    speed = "fail if less than SIZE per second comes, averaged over --speed-time; 0 = no limit"
    period = "time over which the speed is averaged, from the first byte of a reply on"
    size = "fail if a file is larger; 0 = no limit"
    for flags, metavar, default, text in (
        (("-T", "--timeout"), "TIME", limits.timeout, idle),
        (("--max-time",), "TIME", limits.max_time, total),
        (("--speed-limit",), "SIZE", limits.speed_limit, speed),
        (("--speed-time",), "TIME", limits.speed_time, period),
        (("--max-filesize",), "SIZE", defaults.max_filesize, size),
    ):
        add_number(group, *flags, metavar=metavar, default=default, text=text)


def _add_retry_options(group: Group, defaults: RetrySettings) -> None:
    retries = ("--max_retries", "--max-retries")
    first = "upper limit of the first delay, which is random; the limit doubles with each retry"
    longest = "highest value of that limit"
    wait = "fail if a server asks for a longer wait (Retry-After); 0 = no limit"
    for flags, metavar, default, text in (
        (retries, "N", defaults.max_retries, "number of attempts after the first"),
        (("--retry-delay",), "TIME", defaults.delay, first),
        (("--retry-max-delay",), "TIME", defaults.max_delay, longest),
        (("--max-retry-after",), "TIME", defaults.max_retry_after, wait),
    ):
        add_number(group, *flags, metavar=metavar, default=default, text=text)
    group.add_argument(
        "--retry-on",
        metavar="CODES",
        type=in_range("--retry-on", status_codes),
        default=defaults.retry_on,
        help="4xx status codes to retry as well, such as 408,425,429 (default: none)",
    )


def command_settings(
    arguments: argparse.Namespace, command_line: CommandLine
) -> CommandSettings:
    """Return the settings of the command that the arguments ask for.

    Raises:
        ConfigError: The options contradict each other.
    """
    return CommandSettings(
        list_name=arguments.list,
        checksums=arguments.checksums,
        host_rules=arguments.host_rules,
        is_dry_run=arguments.dry_run,
        lock=arguments.lock,
        metrics_file=arguments.metrics_file,
        progress=ProgressMode(arguments.progress),
        log=log_settings(arguments),
        reports=report_settings(arguments),
        command_line=command_line,
    )


def run_settings(arguments: argparse.Namespace) -> Settings:
    """Return the settings of the run that the arguments ask for.

    Raises:
        ConfigError: A value is out of its range.
    """
    return Settings(
        retry=_retry_settings(arguments),
        transfer=_transfer_settings(arguments),
        server=server_settings(arguments),
        dial=dial_settings(arguments),
        run=run_limits(arguments),
        pool=pool_settings(arguments),
        hosts=host_settings(arguments),
        output=OutputSettings(
            directory=arguments.dir,
            existing=arguments.existing,
            is_resumed=not arguments.no_continue,
            keeps_mtime=not arguments.no_mtime,
            is_synced=arguments.fsync,
            takes_server_names=arguments.content_disposition,
            min_free=arguments.min_free,
        ),
        ledger=ledger_settings(arguments),
        monitor=MonitorSettings(interval=arguments.monitor_interval),
    )


def _retry_settings(arguments: argparse.Namespace) -> RetrySettings:
    return RetrySettings(
        max_retries=arguments.max_retries,
        delay=arguments.retry_delay,
        max_delay=arguments.retry_max_delay,
        max_retry_after=arguments.max_retry_after,
        retry_on=arguments.retry_on,
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
        max_redirects=arguments.max_redirects,
        max_filesize=arguments.max_filesize,
        expected_types=arguments.expect_type,
        is_location_trusted=arguments.location_trusted,
    )
