"""The program as a process: `python -m url_downloader LIST`, or `url-downloader LIST`."""

from __future__ import annotations

import gc
import signal
from collections.abc import Sequence

# Set before the other imports: until a run begins, Ctrl-C ends the process without a traceback,
# and SIGUSR1 is ignored.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
# Imported modules are never garbage, so a collection during imports would only take time.
gc.disable()

from url_downloader.main import main as run  # noqa: E402

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in its own process; return its exit status.

    At exit Python collects garbage several times, which would take a tenth of a short run. The
    system frees the memory anyway, so `gc.freeze` hides all objects from these collections.
    Exit handlers and the flushing of streams work as usual, and so do profilers.
    """
    try:
        return run(argv, on_loaded=_enable_garbage_collection)
    finally:
        gc.freeze()


def _enable_garbage_collection() -> None:
    """Turn garbage collection on, but not for the objects that exist already."""
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    raise SystemExit(main())
