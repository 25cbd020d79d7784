"""The program: `python -m url_downloader LIST`, or `url-downloader LIST`."""

from __future__ import annotations

import gc
import signal
from collections.abc import Sequence

# First of all: as long as nothing has begun, Ctrl-C just ends the process, without a traceback,
# and a question has no answer yet.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
# Modules stay: to look for garbage while they are imported is in vain, and takes a while.
gc.disable()

from url_downloader.main import main as run  # noqa: E402

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line in a process of its own; returns the exit status.

    What is left at the end goes with the process. Python would look through it for garbage some
    more times, which takes a tenth of a short run, so it is shown nothing. All else at its exit
    stays: handlers, flushed streams, and the programs that this one runs in, such as profilers.
    """
    try:
        return run(argv, on_loaded=_look_for_garbage)
    finally:
        gc.freeze()


def _look_for_garbage() -> None:
    """From now on, and not in what is there."""
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    raise SystemExit(main())
