"""Where the log goes: to people on stderr, and to a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from url_downloader.display.console import ALWAYS_HEARD, Console
from url_downloader.shared.text import printable

_FORMAT = "%(asctime)s %(levelname)s %(threadName)s: %(message)s"


class PrintableFormatter(logging.Formatter):
    """Lets no control character of a list or a server through to a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in super().format(record).split("\n"))


@contextmanager
def logging_to(file: Path | None, *, verbose: bool, quiet: bool) -> Iterator[Console]:
    """Log to stderr, and to the file if there is one, which no `quiet` silences.

    Raises:
        OutputError: the file can't be opened.
    """
    # A closed or full stderr must not end a download, and no full disk under a log.
    logging.raiseExceptions = False
    spoken = logging.DEBUG if verbose else logging.ERROR if quiet else logging.INFO
    console = Console(spoken)
    console.setFormatter(PrintableFormatter(_FORMAT))
    logger = logging.getLogger("url_downloader")
    logger.handlers = [console]
    logger.propagate = False
    logger.setLevel(spoken if file is None else min(spoken, logging.INFO))
    logging.getLogger(ALWAYS_HEARD).setLevel(logging.INFO)
    if file is None:
        yield console
        return
    # Here, because it stands on much that takes long to import.
    from url_downloader.cli.log_file import LogFile  # noqa: PLC0415

    with closing(LogFile(file)) as writer:
        writer.setFormatter(PrintableFormatter(_FORMAT))
        logger.addHandler(writer)
        try:
            yield console
        finally:
            logger.removeHandler(writer)
