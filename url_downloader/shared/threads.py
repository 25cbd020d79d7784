"""The one shape that all threads of this program have."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from url_downloader.shared.unexpected import log_unexpected

log = logging.getLogger(__package__)


class StoppableThread(threading.Thread):
    """A thread that does one thing again and again until it is told to stop.

    Subclasses write `run_once`, and `setup` and `teardown` where they own something. Whatever
    escapes from these is kept in `error`, logged once and handed to `on_crash`.

    Args:
        name: shown in every log line of this thread.
        on_crash: called in this thread with what escaped.

    Threads: `stop` from any thread, any number of times; `wait`, `setup`, `run_once` and
    `teardown` in this thread alone (or in a test's, when it was never started).
    """

    def __init__(self, *, name: str, on_crash: Callable[[BaseException], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.error: BaseException | None = None
        self._on_crash = on_crash
        self._stopping = threading.Event()

    def setup(self) -> None:
        """Make what has to be made in this thread."""

    def run_once(self) -> bool:
        """Do one turn; False ends the thread."""
        raise NotImplementedError

    def teardown(self) -> None:
        """Close what `setup` made; runs in any case."""

    def run(self) -> None:
        try:
            self._run_guarded(self._run_turns)
        finally:
            self._run_guarded(self.teardown)

    def try_start(self) -> bool:
        """Start the thread; False if the system has no room for another one."""
        try:
            self.start()
        except (RuntimeError, MemoryError):
            # What a second start raises is a bug.
            if self.ident is not None:
                raise
            return False
        return True

    def stop(self) -> None:
        """Ask the thread to end after its turn. Never blocks."""
        self._stopping.set()

    def wait(self, seconds: float) -> bool:
        """Pause for so long or until stopped; whether it was stopped."""
        return self._stopping.wait(seconds)

    def _run_turns(self) -> None:
        self.setup()
        while not self._stopping.is_set() and self.run_once():
            pass

    def _run_guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - told without its text
            log_unexpected(log, error, doing=f"thread {self.name}")
            self.error = self.error or error
            self._on_crash(error)
