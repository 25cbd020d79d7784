"""The door: command line in, exit status out.

Turns arguments into Settings, and sets up streams and logging. What costs time to import comes
after that.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from url_downloader.arguments import argument_parser, settings_from
from url_downloader.message_arguments import check_extras
from url_downloader.report_arguments import check_reports
from url_downloader.shared.errors import ConfigError
from url_downloader.streams import secure_streams, settle_streams


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    secure_streams()
    try:
        return _main(argv)
    finally:
        settle_streams()


def _main(argv: Sequence[str] | None) -> int:
    parser = argument_parser()
    arguments = parser.parse_args(argv)
    arguments.words = sys.argv[1:] if argv is None else argv
    try:
        check_reports(arguments)
        settings = settings_from(arguments)
        check_extras(arguments)
    except ConfigError as error:
        parser.error(str(error))
    # Here, because --help needs none of it, and it takes longer than all before.
    from url_downloader.command import run_command  # noqa: PLC0415

    return run_command(arguments, settings)
