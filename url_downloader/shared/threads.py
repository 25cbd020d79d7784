"""The base class of all threads of this program."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from url_downloader.shared.unexpected import log_unexpected

log = logging.getLogger(__package__)


class StoppableThread(threading.Thread):
    """Thread that calls `run_once` again and again until it is stopped.

    Subclasses define `run_once`, and `setup` and `teardown` if they own resources. An
    exception that escapes from these methods is logged and passed to `on_crash`.

    Args:
        name: Name of the thread, which each of its log lines contains.
        on_crash: Called in this thread with an exception that escaped.

    Attributes:
        error: First exception that escaped; None if none did.

    Threads: `stop` from any thread, any number of times; `try_start` once, from another
    thread. `wait`, `setup`, `run_once` and `teardown` only in this thread, or in the caller's
    if this one was not started.
    """

    def __init__(self, *, name: str, on_crash: Callable[[BaseException], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.error: BaseException | None = None
        self._on_crash = on_crash
        self._stopping = threading.Event()

    def setup(self) -> None:
        """Create the resources that this thread itself must create."""

    def run_once(self) -> bool:
        """Do one round of work; return False to end the thread."""
        raise NotImplementedError

    def teardown(self) -> None:
        """Close the resources of `setup`. Called even after an exception."""

    def run(self) -> None:
        try:
            self._run_guarded(self._run_rounds)
        finally:
            self._run_guarded(self.teardown)

    def try_start(self) -> bool:
        """Start the thread; return False if the system can't start another thread."""
        try:
            self.start()
        except (RuntimeError, MemoryError):
            # A thread that has started already: a second start is a bug.
            if self.ident is not None:
                raise
            return False
        return True

    def stop(self) -> None:
        """Ask the thread to end after the current round. Never blocks."""
        self._stopping.set()

    def wait(self, seconds: float) -> bool:
        """Wait for `seconds` or until the thread is stopped; return whether it is stopped."""
        return self._stopping.wait(seconds)

    def _run_rounds(self) -> None:
        self.setup()
        while not self._stopping.is_set() and self.run_once():
            pass

    def _run_guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - logged without its text
            log_unexpected(log, error, doing=f"thread {self.name}")
            self.error = self.error or error
            self._on_crash(error)
