"""The library: `download`, and the names that other programs need with it.

The package `url_downloader` exports these names. This module sets up no logging and reads no
command line. `download` turns the URLs into the lines of a list, parses them, and calls
`process_jobs`.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

from url_downloader.config.dial_settings import AddressFamily, FixedAddress
from url_downloader.config.host_settings import HostRule
from url_downloader.config.overrides import check_names, settings_with
from url_downloader.config.proxy_trust import check_proxy_trust
from url_downloader.config.settings import Existing, FailureLimit, Settings
from url_downloader.engine.run_limits import StopReason
from url_downloader.engine.run_summary import RunSummary
from url_downloader.input_parser import InputParser
from url_downloader.inputs.list_entry import OPTIONS
from url_downloader.process_jobs import process_jobs
from url_downloader.run_history import ListFacts, opened_history
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.errors import (
    ConfigError,
    InputError,
    OutputError,
    Rejection,
    UrlDownloaderError,
)
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    EventListener,
    JobEvent,
    JobRecord,
    JobResult,
    JobStatus,
    Outcome,
)
from url_downloader.shared.run_controls import RunControls

__all__ = [
    "AddressFamily",
    "ConfigError",
    "DownloadJob",
    "ErrorKind",
    "EventListener",
    "Existing",
    "FailureLimit",
    "FixedAddress",
    "HostRule",
    "InputError",
    "JobEvent",
    "JobRecord",
    "JobResult",
    "JobStatus",
    "Outcome",
    "OutputError",
    "Rejection",
    "RunSummary",
    "StopReason",
    "Url",
    "UrlDownloaderError",
    "download",
]

log = logging.getLogger(__package__)
# Without any handler, Python would print warnings in a program that has not set up logging.
logging.getLogger("url_downloader").addHandler(logging.NullHandler())

Url = str | tuple[str, Mapping[str, object]]
"""A URL, or a pair of a URL and a mapping of its options, by their names in a list."""

STOP_CHECK_INTERVAL = 0.05
"""Seconds between two calls of `should_stop`, at least: a slow one must not delay each URL."""


def download(
    urls: Iterable[Url],
    *,
    listeners: Sequence[EventListener] = (),
    should_stop: Callable[[], bool] = lambda: False,
    **settings: object,
) -> RunSummary:
    """Download all URLs; return the summary when each has succeeded or failed.

    Args:
        urls: URLs, or pairs of a URL and a mapping of the options that a list can give it:
            `("https://example.org/a", {"out": "b", "timeout": 60})`. They are read lazily, in
            this thread. Invalid ones are in `rejected` of the summary; the run goes on.
        listeners: Functions that are called with each JobEvent, from several threads.
        should_stop: Called often in this thread, except while `urls` blocks; True ends the run.
        settings: Settings of the run: fields of the parts of `url_downloader.config.Settings`.

    Raises:
        TypeError: A setting or an option does not exist, or `urls` is a single string.
        ConfigError: A setting is out of its range, or contradicts another.
        OutputError, InputError: The directory, or a file of the settings, can't be used.
        KeyboardInterrupt, or an exception of `urls` or `should_stop`: After a clean end.
    """
    chosen = settings_with(settings)
    with deferred_interrupt() as interrupt:
        source = _Source(urls, interrupt=interrupt, should_stop=should_stop)
        summary = _run(source, chosen, listeners=listeners)
    if source.error is not None:
        raise source.error
    return replace(summary, rejected=tuple(source.rejected))


class _Source:
    """Reader of the caller's URLs, which it turns into the lines of a list.

    Args:
        urls: Argument of `download`.
        interrupt: Flag for Ctrl-C; while `urls` runs, Ctrl-C raises KeyboardInterrupt at once.
        should_stop: Argument of `download`.

    Attributes:
        error: Exception that `urls` or `should_stop` raised; None if none did.
        rejected: URLs that led to no job; `line` is the position in `urls`, from 1.

    Threads: one, that of the caller of `download`.
    """

    def __init__(
        self,
        urls: Iterable[Url],
        *,
        interrupt: InterruptFlag,
        should_stop: Callable[[], bool],
    ) -> None:
        if isinstance(urls, str):
            raise TypeError("download() takes several URLs: put a single one into a list")
        self.error: Exception | None = None
        self.rejected: list[Rejection] = []
        self._urls = urls
        self._interrupt = interrupt
        self._should_stop = should_stop
        self._is_ending = False
        self._next_check, self._position = 0.0, 0

    def lines(self) -> Iterator[bytes | None]:
        """Yield lines for InputParser, and None where no options follow and more may block."""
        is_quick = isinstance(self._urls, (list, tuple))
        try:
            for self._position, url in enumerate(self._read(), start=1):  # noqa: B020
                yield from _lines_of(url)
                if not is_quick or not isinstance(url, str):
                    yield None
        except Exception as error:  # noqa: BLE001 - raised again when the run has ended
            self.error = error

    def must_end(self) -> bool:
        """Tell whether the run must end early."""
        is_over = self._is_ending or self._interrupt.came or self.error is not None
        self._is_ending = is_over or self._is_stop_wanted()
        return self._is_ending

    def _is_stop_wanted(self) -> bool:
        """Return the result of `should_stop`; False without a call, just after the last one."""
        if time.monotonic() < self._next_check:
            return False
        # The caller's code may take long, and the workers must not wait for it.
        COMPUTE_TURN.release()
        try:
            return bool(self._should_stop())
        except Exception as error:  # noqa: BLE001 - raised again when the run has ended
            self.error = error
            return True
        finally:
            self._next_check = time.monotonic() + STOP_CHECK_INTERVAL

    def note_rejection(self, rejection: Rejection) -> None:
        """Note a URL that led to no job."""
        self.rejected.append(replace(rejection, line=self._position))

    def _read(self) -> Iterator[Url]:
        urls = iter(self._urls)
        while True:
            with self._interrupt.passed_on():
                try:
                    url = next(urls)
                except StopIteration:
                    return
            yield url


def _run(
    source: _Source, settings: Settings, *, listeners: Sequence[EventListener]
) -> RunSummary:
    check_proxy_trust(settings.dial, settings.server.proxy, environment=os.environ)
    facts = ListFacts(wants_results=bool(listeners))
    with opened_history(settings, facts) as history:
        parser = InputParser(
            source="urls",
            rules=history.rules,
            limits=settings.transfer.limits,
            max_retries=settings.retry.max_retries,
            on_rejected=source.note_rejection,
            on_note=lambda note: log.info("%s", note),
        )
        history.connect(parser)
        return process_jobs(
            parser.parse(source.lines()),
            settings,
            context=history.context(RunControls(should_stop=source.must_end)),
            listeners=listeners,
        )


def _lines_of(url: Url) -> Iterator[bytes]:
    match url:
        case str(text):
            options: Mapping[str, object] = {}
        case (str(text), Mapping() as options):
            pass
        case _:
            raise TypeError(
                f"download() takes URLs and (URL, options), not {type(url).__name__}"
            )
    # Stripped: a line that begins with a blank would be an option of the previous URL.
    yield _encoded(text.strip())
    for name, value in options.items():
        key = name.replace("_", "-")
        check_names([key], OPTIONS, what="option")
        for each in value if isinstance(value, (list, tuple)) else (value,):
            yield _encoded(f" {key}={each}")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class InterruptFlag:
    """Flag for a deferred Ctrl-C.

    Attributes:
        came: Whether Ctrl-C came.

    Threads: `on_interrupt` in the main thread, as every handler; the rest in the thread of the
    caller of `download`.
    """

    def __init__(self) -> None:
        self.came = False
        self._is_passed_on = False

    def on_interrupt(self, number: int, frame: FrameType | None) -> None:
        """Note Ctrl-C; raise KeyboardInterrupt the second time, and within `passed_on`."""
        if self._is_passed_on or self.came:
            signal.default_int_handler(number, frame)
        self.came = True

    @contextmanager
    def passed_on(self) -> Iterator[None]:
        """Let Ctrl-C raise KeyboardInterrupt at once during the block, which may wait for long.

        Raises:
            KeyboardInterrupt: Ctrl-C came before the block.
        """
        self._is_passed_on = True
        try:
            if self.came:
                raise KeyboardInterrupt
            yield
        finally:
            self._is_passed_on = False


@contextmanager
def deferred_interrupt() -> Iterator[InterruptFlag]:
    """Defer Ctrl-C to the end of the block; yield its flag.

    Ctrl-C is left alone unless it would raise KeyboardInterrupt in this thread: in other
    threads than the main one, and if the program has its own handler.

    Raises:
        KeyboardInterrupt: Ctrl-C came during the block, and the block raised nothing.
    """
    flag = InterruptFlag()
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield flag
        return
    signal.signal(signal.SIGINT, flag.on_interrupt)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if flag.came:
        raise KeyboardInterrupt
