"""The options of the ledger, which remembers URLs and files from run to run."""

from __future__ import annotations

import argparse
from pathlib import Path

from url_downloader.cli.option_types import Group, field_names
from url_downloader.config.ledger_settings import LedgerSettings


def add_ledger_options(group: Group) -> None:
    """Add the options of the ledger to a group."""
    group.add_argument(
        "--retry-failed",
        action="store_true",
        help="skip URLs that an earlier run has downloaded, whatever became of the files",
    )
    group.add_argument(
        "--key-ignore",
        metavar="FIELDS",
        type=field_names,
        default=frozenset(),
        help="names of query fields, such as token,expires, that change from run to run while"
        " the file stays the same (default: none but those of signed links)",
    )
    group.add_argument(
        "--ledger",
        metavar="FILE",
        type=Path,
        help="remember URLs and files in FILE (default: .url-downloader/ledger.db in the output"
        " directory)",
    )
    group.add_argument(
        "--no-ledger",
        action="store_true",
        help="remember nothing, and ask no ledger",
    )


def ledger_settings(arguments: argparse.Namespace) -> LedgerSettings:
    """Return the settings of the ledger that parsed arguments ask for.

    Raises:
        ConfigError: The options contradict each other.
    """
    return LedgerSettings(
        uses_ledger=not arguments.no_ledger,
        ledger_file=arguments.ledger,
        key_ignore=arguments.key_ignore,
        retry_failed=arguments.retry_failed,
    )
