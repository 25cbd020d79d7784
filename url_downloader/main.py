"""The entry point of the command: from arguments to an exit status.

It prepares the standard streams and parses the command line. Only then it imports the modules
that take long to import.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from url_downloader.cli.command_line import parse_command_line
from url_downloader.cli.std_streams import (
    flush_std_streams,
    prepare_std_streams,
    print_to_stderr,
)

_REQUIRED = frozenset({"requests", "validators"})
"""Packages that a run needs, as the metadata of this project say."""
_EXIT_LOCAL = 3
"""Status of `cli.exit_status`, which can't be imported where a package is missing."""


class _MissingPackageError(Exception):
    """Lack of the package of this name."""


def main(
    argv: Sequence[str] | None = None, *, on_loaded: Callable[[], None] = lambda: None
) -> int:
    """Run the command; return its exit status.

    Args:
        argv: Arguments; None = those of the process.
        on_loaded: Called before the run begins, when all its modules are imported.
    """
    prepare_std_streams()
    try:
        return _main(argv, on_loaded)
    except _MissingPackageError as error:
        print_to_stderr(f"url-downloader: needs another package: pip install {error}")
        return _EXIT_LOCAL
    except Exception as error:  # noqa: BLE001 - its text may have a secret of the arguments
        from url_downloader.shared.unexpected import described  # noqa: PLC0415
        from url_downloader.shared.version import PROGRAM  # noqa: PLC0415

        print_to_stderr(f"url-downloader: bug of this program: {described(error)}; {PROGRAM}")
        return os.EX_SOFTWARE
    finally:
        flush_std_streams()


def _main(argv: Sequence[str] | None, on_loaded: Callable[[], None]) -> int:
    command, settings = parse_command_line(sys.argv[1:] if argv is None else argv)
    # Imported here: it takes longer than everything before, and --help does not need it.
    try:
        from url_downloader.cli.command import run_command  # noqa: PLC0415
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in _REQUIRED:
            raise _MissingPackageError(package) from None
        raise

    on_loaded()
    return run_command(command, settings)
