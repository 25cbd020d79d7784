"""The door: command line in, exit status out.

Turns arguments into Settings, and sets up streams and logging. What costs time to import comes
after that.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from url_downloader.command_line import parse_command_line
from url_downloader.streams import secure_streams, settle_streams


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    secure_streams()
    try:
        return _main(argv)
    finally:
        settle_streams()


def _main(argv: Sequence[str] | None) -> int:
    arguments, settings = parse_command_line(sys.argv[1:] if argv is None else argv)
    # Here, because --help needs none of it, and it takes longer than all before.
    from url_downloader.command import run_command  # noqa: PLC0415

    return run_command(arguments, settings)
