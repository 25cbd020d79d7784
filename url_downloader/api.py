"""The front door for other programs: `download`, and the names that go with it.

Sets up no logging and reads no command line; `url_downloader` itself hands these names out.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

from url_downloader.config.overrides import check_names, settings_with
from url_downloader.config.settings import Existing, FailureLimit, Settings
from url_downloader.engine.run_limits import StopReason
from url_downloader.engine.run_summary import RunSummary
from url_downloader.input_parser import InputParser
from url_downloader.inputs.list_entry import OPTIONS
from url_downloader.naming.name_claims import NameClaims
from url_downloader.naming.server_names import ServerNames
from url_downloader.process_jobs import process_jobs
from url_downloader.shared.compute_turn import COMPUTE_TURN
from url_downloader.shared.errors import ConfigError, OutputError, UrlDownloaderError
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    EventListener,
    JobEvent,
    JobRecord,
    JobResult,
    JobStatus,
    Outcome,
    Rejection,
)
from url_downloader.storage.output_directory import PARTS_FOLDER

__all__ = [
    "ConfigError",
    "DownloadJob",
    "ErrorKind",
    "EventListener",
    "Existing",
    "FailureLimit",
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
# Without it Python would print warnings for a program that has not set up logging.
logging.getLogger("url_downloader").addHandler(logging.NullHandler())

Url = str | tuple[str, Mapping[str, object]]
"""A URL, or a URL and the options that the lines below it would give it in a list."""

ASK_EVERY = 0.05
"""Seconds between two calls of `should_stop`: what it takes is lost once for each, not for each
URL."""


def download(
    urls: Iterable[Url],
    *,
    listeners: Sequence[EventListener] = (),
    should_stop: Callable[[], bool] = lambda: False,
    **settings: object,
) -> RunSummary:
    """Download all URLs; returns when each has succeeded or failed.

    Args:
        urls: URLs, or pairs of a URL and a mapping of what an option line of a list can say:
            `("https://example.org/a", {"out": "b", "timeout": 60})`. Read lazily, in this
            thread. What is no URL stops nothing; the summary has it in `rejected`.
        listeners: called with each JobEvent, from several threads.
        should_stop: called often in this thread, unless `urls` blocks; True ends the run.
        settings: fields of the parts of `url_downloader.config.Settings`.

    Raises:
        TypeError: there is no such setting or option.
        ConfigError: a setting is out of its range.
        OutputError: no files can be written in the directory.
        KeyboardInterrupt, or what `urls` or `should_stop` raises: after an orderly end.
    """
    chosen = settings_with(settings)
    with deferred_interrupt() as interrupt:
        source = _Source(urls, interrupt=interrupt, should_stop=should_stop)
        summary = _run(source, chosen, listeners=listeners)
    if source.error is not None:
        raise source.error
    return replace(summary, rejected=tuple(source.rejected))


class _Source:
    """The caller's URLs, as the lines of a list.

    Args:
        urls: what `download` was given.
        interrupt: told when the caller's own code runs.
        should_stop: the caller's.

    Attributes:
        error: what that code raised.
        rejected: what led to no job; their lines are positions in `urls`, from 1.
    """

    def __init__(
        self,
        urls: Iterable[Url],
        *,
        interrupt: InterruptFlag,
        should_stop: Callable[[], bool],
    ) -> None:
        if isinstance(urls, str):
            raise TypeError("download() takes several URLs: put the one into a list")
        self.error: Exception | None = None
        self.rejected: list[Rejection] = []
        self._urls = urls
        self._interrupt = interrupt
        self._should_stop = should_stop
        self._has_to_end = False
        self._asks_at = 0.0
        self._position = 0

    def lines(self) -> Iterator[bytes | None]:
        """Lines for InputParser; a None after each URL, so that it does not wait for more."""
        try:
            for self._position, url in enumerate(self._read(), start=1):  # noqa: B020
                yield from _lines_of(url)
                yield None
        except Exception as error:  # noqa: BLE001 - raised again when the run has ended
            self.error = error

    def must_end(self) -> bool:
        """Tell whether the run has to end before its time."""
        self._has_to_end = (
            self._has_to_end or self._interrupt.came or self.error is not None or self._ask()
        )
        return self._has_to_end

    def _ask(self) -> bool:
        """Call `should_stop`, unless it has just been called; it may take its time."""
        if time.monotonic() < self._asks_at:
            return False
        COMPUTE_TURN.release()
        try:
            return bool(self._should_stop())
        except Exception as error:  # noqa: BLE001 - raised again when the run has ended
            self.error = error
            return True
        finally:
            self._asks_at = time.monotonic() + ASK_EVERY

    def note_rejection(self, rejection: Rejection) -> None:
        """One of the URLs led to no job."""
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
    claims = NameClaims(reserved=[PARTS_FOLDER])
    parser = InputParser(
        source="urls",
        claims=claims,
        limits=settings.transfer.limits,
        max_retries=settings.retry.max_retries,
        on_rejected=source.note_rejection,
        on_note=lambda note: log.info("%s", note),
    )
    return process_jobs(
        parser.parse(source.lines()),
        settings,
        names=ServerNames(claims, {}),
        listeners=listeners,
        should_stop=source.must_end,
    )


def _lines_of(url: Url) -> Iterator[bytes]:
    match url:
        case str(text):
            options: Mapping[str, object] = {}
        case (str(text), Mapping() as options):
            pass
        case _:
            raise TypeError(
                f"download() takes URLs, and (URL, options), not {type(url).__name__}"
            )
    # A blank in front would make it an option of the URL before.
    yield _encoded(text.strip())
    for name, value in options.items():
        key = name.replace("_", "-")
        check_names([key], OPTIONS, what="option")
        for each in value if isinstance(value, (list, tuple)) else (value,):
            yield _encoded(f" {key}={each}")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class InterruptFlag:
    """Whether Ctrl-C was pressed while it could not be let through.

    Attributes:
        came: whether it was.

    Threads: the handler runs in the main thread, as `passed_on` is called; `came` is read from
    any.
    """

    def __init__(self) -> None:
        self.came = False
        self._is_passed_on = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-C was pressed; the second time it is not kept back."""
        if self._is_passed_on or self.came:
            signal.default_int_handler(number, frame)
        self.came = True

    @contextmanager
    def passed_on(self) -> Iterator[None]:
        """Let it through at once: the caller's code runs, which may wait for ever."""
        self._is_passed_on = True
        try:
            if self.came:
                raise KeyboardInterrupt
            yield
        finally:
            self._is_passed_on = False


@contextmanager
def deferred_interrupt() -> Iterator[InterruptFlag]:
    """Keep Ctrl-C back, which could come at any step, and raise it at the end of the block.

    Only where it would raise KeyboardInterrupt: in the main thread, if nobody handles it.
    """
    box = InterruptFlag()
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield box
        return
    signal.signal(signal.SIGINT, box.note)
    try:
        yield box
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if box.came:
        raise KeyboardInterrupt
