"""Log messages for unexpected errors, without the errors' texts, which may contain passwords.

A library's error often quotes the value that caused it: a header, a URL, a whole file. Its type
and the place where it was raised are safe to log, and enough to find the bug.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from types import CodeType

from url_downloader.shared.version import PROGRAM

_PACKAGE = __name__.partition(".")[0]


def described(error: BaseException) -> str:
    """Return the error's type, the place that raised it, and the last place in this package."""
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if not frames:
        return type(error).__name__
    own = [place for place in frames if f"/{_PACKAGE}/" in place[0].co_filename]
    places = dict.fromkeys([frames[-1], *own[-1:]])
    return f"{type(error).__name__} at {', from '.join(_place(*each) for each in places)}"


def log_unexpected(log: logging.Logger, error: BaseException, *, doing: str) -> None:
    """Log an unexpected error with level CRITICAL, and its traceback with level DEBUG.

    Args:
        log: Logger of the package that caught the error.
        error: Error that was caught.
        doing: Part of the program that failed, as the subject of the message.
    """
    log.critical("%s: bug of this program: %s; %s", doing, described(error), PROGRAM)
    log.debug("%s: traceback:\n%s", doing, "\n".join(_trace(error)))


def _trace(error: BaseException) -> Iterator[str]:
    """Yield the traceback of the error, then the tracebacks of its causes."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield "".join(traceback.format_tb(current.__traceback__)) + type(current).__name__
        implicit = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or implicit


def _place(code: CodeType, line: int) -> str:
    return f"{code.co_filename.rpartition('/')[2]}:{line} ({code.co_name})"
