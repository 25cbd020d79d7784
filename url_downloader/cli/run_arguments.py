"""The options of the run as a whole: workers, queue, rate, and limits that end it."""

from __future__ import annotations

import argparse

from url_downloader.cli.option_types import Group, add_number, failure_limit, in_range
from url_downloader.config.settings import PoolSettings, RunSettings, Settings


def add_run_options(group: Group, defaults: Settings) -> None:
    """Add the options of the run to a group; their defaults come from the settings."""
    pool, run = defaults.pool, defaults.run
    workers = ("-w", "--max_workers", "--max-workers")
    text = "number of downloads at the same time"
    add_number(group, *workers, metavar="N", default=pool.max_workers, text=text)
    text = "number of URLs that wait for a download, besides those of --look-ahead"
    add_number(group, "--queue-size", metavar="N", default=pool.queue_size, text=text)
    group.add_argument(
        "--look-ahead",
        metavar="N",
        type=in_range("--look-ahead", int),
        default=pool.look_ahead,
        help="number of URLs to read ahead, so that all hosts get their share of the downloads;"
        " 0 = download in the order of LIST (default: 4000, or 50 for each download at the"
        " same time if that is more)",
    )
    _add_limits(group, run)


def _add_limits(group: Group, run: RunSettings) -> None:
    text = "receive at most RATE, all downloads together; 0 = no limit"
    add_number(group, "--limit-rate", metavar="RATE", default=run.limit_rate, text=text)
    text = "stop the run cleanly when SIZE of files was received; 0 = no limit"
    size = run.max_total_size
    add_number(group, "--max-total-size", metavar="SIZE", default=size, text=text)
    text = "stop the run cleanly after this time; 0 = never"
    add_number(group, "--deadline", metavar="TIME", default=run.deadline, text=text)
    group.add_argument(
        "--max-failures",
        metavar="N|N%",
        type=in_range("--max-failures", failure_limit),
        default=run.max_failures,
        help="stop the run cleanly when N URLs, or N percent of the list, have failed;"
        " 0 = never (default: 0)",
    )


def pool_settings(arguments: argparse.Namespace) -> PoolSettings:
    """Return the settings of the pool that parsed arguments ask for.

    Raises:
        ConfigError: A value is out of its range.
    """
    return PoolSettings(
        max_workers=arguments.max_workers,
        queue_size=arguments.queue_size,
        look_ahead=arguments.look_ahead,
    )


def run_limits(arguments: argparse.Namespace) -> RunSettings:
    """Return the limits of the run that parsed arguments ask for.

    Raises:
        ConfigError: A value is out of its range.
    """
    return RunSettings(
        deadline=arguments.deadline,
        max_failures=arguments.max_failures,
        limit_rate=arguments.limit_rate,
        max_total_size=arguments.max_total_size,
    )
