"""The entry point of the command: from arguments to an exit status.

`main` prepares the standard streams and parses the command line. Only then does it import the
modules that take long to import.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from url_downloader.cli.command_line import parse_command_line
from url_downloader.cli.std_streams import (
    flush_std_streams,
    prepare_std_streams,
    print_to_stderr,
)

_REQUIRED = ("requests", "validators")
"""Packages that each run needs: the dependencies in pyproject.toml."""
_EXIT_LOCAL = 3
"""Exit status EXIT_LOCAL of `cli.exit_status`, whose import fails if a package is missing."""


class _MissingPackagesError(Exception):
    """Error for required packages that are not installed; the message has their names."""


def main(
    argv: Sequence[str] | None = None, *, on_loaded: Callable[[], None] = lambda: None
) -> int:
    """Run the command; return its exit status.

    Args:
        argv: Arguments without the name of the program; None = those of the process.
        on_loaded: Called when all modules are imported, before the run begins.

    Raises:
        SystemExit: The usage error, the help or the version has been printed.
    """
    prepare_std_streams()
    try:
        return _main(argv, on_loaded)
    except _MissingPackagesError as error:
        print_to_stderr(f"url-downloader: needs other packages: pip install {error}")
        return _EXIT_LOCAL
    except Exception as error:  # noqa: BLE001 - its text may have a secret of the arguments
        from url_downloader.shared.unexpected import described  # noqa: PLC0415
        from url_downloader.shared.version import PROGRAM  # noqa: PLC0415

        print_to_stderr(f"url-downloader: bug of this program: {described(error)}; {PROGRAM}")
        return os.EX_SOFTWARE
    finally:
        flush_std_streams()


def _main(argv: Sequence[str] | None, on_loaded: Callable[[], None]) -> int:
    try:
        run = _loaded(sys.argv[1:] if argv is None else argv)
    except ModuleNotFoundError:
        if missing := [name for name in _REQUIRED if find_spec(name) is None]:
            raise _MissingPackagesError(" ".join(missing)) from None
        raise
    on_loaded()
    return run()


def _loaded(words: Sequence[str]) -> Callable[[], int]:
    """Return what the arguments ask for, with its modules imported.

    They are imported here, because the import takes longer than everything before it, and
    --help does not need it.
    """
    match words:
        # A list of such a name is ./status.
        case ["status", *rest]:
            from url_downloader.cli.status_command import run_status  # noqa: PLC0415

            return functools.partial(run_status, rest)
        case ["verify", *rest]:
            from url_downloader.cli.verify_command import run_verify  # noqa: PLC0415

            return functools.partial(run_verify, rest)
    command, settings = parse_command_line(words)
    from url_downloader.cli.command import run_command  # noqa: PLC0415

    return functools.partial(run_command, command, settings)
