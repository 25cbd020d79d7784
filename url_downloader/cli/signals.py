"""Signals as flags, which the run looks at when it can.

A handler runs between any two steps of the main thread, so it stores what came and no more.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalFlags:
    """What has come.

    Attributes:
        stop: the first SIGINT or SIGTERM, if one came; SIGHUP counts as SIGTERM.

    Threads: the handlers run in the main thread; `stop` and `wants_state` are read from any.
    """

    def __init__(self) -> None:
        self.stop: signal.Signals | None = None
        self._stopping = [each for each in _STOPPING if not _is_ignored(each)]
        self._wants_state = False

    def note_stop(self, number: int, _: FrameType | None) -> None:
        """A signal says stop; the next one ends the process at once."""
        if self.stop is not None:
            # Not done with the first one: where two come at once, CPython loses the second.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.stop = signal.SIGINT if number == signal.SIGINT else signal.SIGTERM

    def note_question(self, _: int, __: FrameType | None) -> None:
        """A signal asks how the run stands."""
        self._wants_state = True

    def handlers(self) -> Iterator[tuple[signal.Signals, Callable[..., None]]]:
        """Each signal that is to be caught, and what it does."""
        for each in self._stopping:
            yield each, self.note_stop
        yield signal.SIGUSR1, self.note_question

    def wants_state(self) -> bool:
        """Whether somebody has asked how the run stands since this was called last."""
        wanted, self._wants_state = self._wants_state, False
        return wanted


def _is_ignored(number: signal.Signals) -> bool:
    """Whether nohup has seen to it that a hang-up ends nothing."""
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


@contextmanager
def caught_signals() -> Iterator[SignalFlags]:
    """Catch SIGINT, SIGTERM, SIGHUP (unless nohup has it ignored) and SIGUSR1 in a box."""
    box = SignalFlags()
    before = {number: signal.signal(number, handler) for number, handler in box.handlers()}
    try:
        yield box
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
