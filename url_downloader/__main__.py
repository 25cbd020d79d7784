"""The program as a process: `python -m url_downloader LIST`, or `url-downloader LIST`."""

from __future__ import annotations

import gc
import signal
from collections.abc import Sequence

# First of all: before a run begins, Ctrl-C ends the process without a traceback, and SIGUSR1 is
# ignored.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
# Modules stay for good, so a garbage collection during imports would only take time.
gc.disable()

from url_downloader.main import main as run  # noqa: E402

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in its own process; return its exit status.

    At exit Python collects garbage several times, which would take a tenth of a short run. The
    memory goes with the process anyway, so `gc.freeze` hides all objects from that. Exit
    handlers, flushed streams, and programs that run this one, such as profilers, work as usual.
    """
    try:
        return run(argv, on_loaded=_enable_garbage_collection)
    finally:
        gc.freeze()


def _enable_garbage_collection() -> None:
    """Collect garbage from now on, but not among the objects that exist already."""
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    raise SystemExit(main())
