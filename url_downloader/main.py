"""The door: command line in, exit status out.

Turns arguments into Settings, and sets up streams and logging. What costs time to import comes
after that.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from url_downloader.arguments import argument_parser, settings_from
from url_downloader.shared.errors import ConfigError
from url_downloader.streams import secure_streams, settle_streams
from url_downloader.units import printable

ALWAYS_HEARD = "url_downloader.monitor.state"
"""The logger of what somebody asks for while the run goes on."""


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
    try:
        settings = settings_from(arguments)
    except ConfigError as error:
        parser.error(str(error))
    set_up_logging(verbose=arguments.verbose, quiet=arguments.quiet)
    # Here, because --help needs none of it, and it takes longer than all before.
    from url_downloader.command import run_command  # noqa: PLC0415

    return run_command(arguments, settings)


class PrintableFormatter(logging.Formatter):
    """Lets no control character of a list or a server through to a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in super().format(record).split("\n"))


def set_up_logging(*, verbose: bool, quiet: bool) -> None:
    """Log to stderr."""
    # A closed or full stderr must not end a download.
    logging.raiseExceptions = False
    handler = logging.StreamHandler()
    handler.setFormatter(
        PrintableFormatter("%(asctime)s %(levelname)s %(threadName)s: %(message)s")
    )
    logger = logging.getLogger("url_downloader")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG if verbose else logging.ERROR if quiet else logging.INFO)
    logging.getLogger(ALWAYS_HEARD).setLevel(logging.INFO)
