"""The door: command line in, exit status out.

Turns arguments into Settings, and sets up streams and logging. What costs time to import comes
after that.
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


def main(
    argv: Sequence[str] | None = None, *, on_loaded: Callable[[], None] = lambda: None
) -> int:
    """Run the command line; returns the exit status.

    Args:
        argv: the arguments; None: those of the process.
        on_loaded: called when all that a run needs is imported, and before it begins.
    """
    prepare_std_streams()
    try:
        return _main(argv, on_loaded)
    except Exception as error:  # noqa: BLE001 - its text may hold a secret of the arguments
        from url_downloader.shared.unexpected import described  # noqa: PLC0415

        print_to_stderr(f"url-downloader: bug of this program: {described(error)}")
        return os.EX_SOFTWARE
    finally:
        flush_std_streams()


def _main(argv: Sequence[str] | None, on_loaded: Callable[[], None]) -> int:
    command, settings = parse_command_line(sys.argv[1:] if argv is None else argv)
    # Here, because --help needs none of it, and it takes longer than all before.
    from url_downloader.cli.command import run_command  # noqa: PLC0415

    on_loaded()
    return run_command(command, settings)
