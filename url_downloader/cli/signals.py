"""Signals as flags, which the run checks periodically.

A handler may interrupt the main thread at any step, so it only notes that its signal came.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from url_downloader.shared.interruptible_pipe import RUN_SHOULD_STOP

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalFlags:
    """Flags for the signals that have come.

    Attributes:
        stop: First signal that stops the run: SIGINT or SIGTERM; None before one comes. SIGHUP
            counts as SIGTERM.
        is_limited: Whether the rate limit of the run, if any, is switched on: at first, and
            after every second SIGUSR2.

    Threads: handlers in the main thread; `stop` and `is_limited` from any thread;
    `take_state_request` and `take_limit_switch` in one.
    """

    def __init__(self) -> None:
        self.stop: signal.Signals | None = None
        self.is_limited = True
        self._stopping = [each for each in _STOPPING if not _is_ignored(each)]
        self._is_state_wanted = False
        self._has_switch = False

    def on_stop(self, number: int, _: FrameType | None) -> None:
        """Note a signal that stops the run; at the second one, end the process at once."""
        if self.stop is not None:
            # The default handler is set only now. If the first signal set it, CPython would
            # lose the second of two signals that come at once.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.stop = signal.SIGINT if number == signal.SIGINT else signal.SIGTERM

    def on_state_request(self, _: int, __: FrameType | None) -> None:
        """Note a signal that asks for the state of the run."""
        self._is_state_wanted = True

    def on_limit_switch(self, _: int, __: FrameType | None) -> None:
        """Note a signal that switches the rate limit off, or on again."""
        self.is_limited = not self.is_limited
        self._has_switch = True

    def handlers(self) -> Iterator[tuple[signal.Signals, Callable[..., None]]]:
        """Yield each signal to catch, and its handler."""
        for each in self._stopping:
            yield each, self.on_stop
        yield signal.SIGUSR1, self.on_state_request
        yield signal.SIGUSR2, self.on_limit_switch

    def take_state_request(self) -> bool:
        """Tell whether SIGUSR1 has come since the last call."""
        is_wanted, self._is_state_wanted = self._is_state_wanted, False
        return is_wanted

    def take_limit_switch(self) -> bool:
        """Tell whether SIGUSR2 has come since the last call."""
        has_switch, self._has_switch = self._has_switch, False
        return has_switch


def _is_ignored(number: signal.Signals) -> bool:
    """Tell whether the signal is SIGHUP and is ignored, as in a process that nohup started."""
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


@contextmanager
def caught_signals() -> Iterator[SignalFlags]:
    """Catch SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 in the block; yield their flags.

    SIGHUP stays ignored if nohup started the process. A signal that stops the run also ends
    writes to a full pipe.
    """
    flags = SignalFlags()
    before = {number: signal.signal(number, handler) for number, handler in flags.handlers()}
    try:
        with RUN_SHOULD_STOP.using(lambda: flags.stop is not None):
            yield flags
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
