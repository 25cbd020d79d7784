"""The log of the command: on stderr, and in a file if the user wants one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager

from url_downloader.cli.command_settings import LogSettings
from url_downloader.display.console import STATE_REPLY, Console
from url_downloader.shared.text import printable

_FORMAT = "%(asctime)s %(levelname)s %(threadName)s: %(message)s"


class PrintableFormatter(logging.Formatter):
    """Formatter that escapes control characters, which may come from the list or a server."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in super().format(record).split("\n"))


@contextmanager
def logging_to(settings: LogSettings) -> Iterator[Console]:
    """Log to stderr, and during the block to the file, if any; yield the handler of stderr.

    Raises:
        OutputError: The log file can't be opened.
    """
    # A closed or full stderr, or a full disk under the log, must not end a download.
    logging.raiseExceptions = False
    level = _level(settings)
    console = Console(level)
    console.setFormatter(PrintableFormatter(_FORMAT))
    logger = logging.getLogger("url_downloader")
    logger.handlers = [console]
    logger.propagate = False
    logger.setLevel(level if settings.file is None else min(level, logging.INFO))
    logging.getLogger(STATE_REPLY).setLevel(logging.INFO)
    if settings.file is None:
        yield console
        return
    # Imported here: it takes long, and most runs have no log file.
    from url_downloader.cli.log_file import LogFile  # noqa: PLC0415

    with closing(LogFile(settings.file)) as writer:
        writer.setFormatter(PrintableFormatter(_FORMAT))
        logger.addHandler(writer)
        try:
            yield console
        finally:
            logger.removeHandler(writer)


def _level(settings: LogSettings) -> int:
    """Return the lowest level of the records that stderr gets."""
    if settings.is_verbose:
        return logging.DEBUG
    return logging.ERROR if settings.is_quiet else logging.INFO
