"""The options for hosts: limits of the requests to each, pauses, and outages."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from url_downloader.cli.option_types import (
    Group,
    add_number,
    in_range,
    request_rate,
    status_codes,
)
from url_downloader.config.host_rules import parse_host_rules
from url_downloader.config.host_settings import HostLimits, HostSettings
from url_downloader.config.settings import NEEDS_LOOK_AHEAD, Settings
from url_downloader.shared.errors import ConfigError, InputError
from url_downloader.shared.user_files import lines_of


def add_host_options(group: Group, defaults: HostSettings) -> None:
    """Add the options for hosts to the group; their defaults come from the settings."""
    _add_limits(group, defaults.limits)
    group.add_argument(
        "--backoff-on",
        metavar="CODES",
        type=in_range("--backoff-on", status_codes),
        default=defaults.backoff_on,
        help="4xx and 5xx status codes that pause their host, besides 429 and 503"
        " (default: none)",
    )
    text = (
        "time to wait for a host, or for the network, that has worked in this run and fails"
        " now; 0 = do not wait"
    )
    wait = defaults.outage_wait
    add_number(group, "--outage-wait", metavar="TIME", default=wait, text=text)


def _add_limits(group: Group, defaults: HostLimits) -> None:
    text = "largest number of connections to one host; 0 = no limit but its fair share"
    most = defaults.connections
    add_number(group, "--per-host", metavar="N", default=most, text=text)
    group.add_argument(
        "--host-rate",
        metavar="N/s|N/m",
        type=request_rate,
        default=defaults.interval,
        help="largest number of requests to one host in a second, minute, hour (N/h) or day"
        " (N/d), such as 0.5/s; 0 = no limit (default: 0)",
    )
    group.add_argument(
        "--host-rules",
        metavar="FILE",
        type=Path,
        help="limits for some hosts, in lines such as: *.example.org per-host=2 rate=30/m"
        " (default: none)",
    )


def host_settings(arguments: argparse.Namespace) -> HostSettings:
    """Return the settings of hosts that the arguments ask for, without the rules of a file.

    Raises:
        ConfigError: A value is out of its range, or the options contradict each other.
    """
    if arguments.host_rules is not None and arguments.look_ahead == 0:
        raise ConfigError(NEEDS_LOOK_AHEAD)
    return HostSettings(
        limits=HostLimits(connections=arguments.per_host, interval=arguments.host_rate),
        backoff_on=arguments.backoff_on,
        outage_wait=arguments.outage_wait,
    )


def with_host_rules(settings: Settings, path: Path | None) -> Settings:
    """Return the settings with the rules in a file.

    Args:
        settings: Settings of the run.
        path: Path of the file, which may be a FIFO; None = no file.

    Raises:
        InputError: The file can't be read, or has another format.
    """
    if path is None:
        return settings
    try:
        lines = lines_of(path, should_stop=lambda: False)
    except OSError as error:
        message = f"{path}: the host rules can't be read: {error.strerror}"
        raise InputError(f"{message}; name another file with --host-rules") from error
    rules = parse_host_rules(lines, source=str(path))
    return replace(settings, hosts=replace(settings.hosts, rules=rules))
