"""The program: `python -m url_downloader LIST`, or `url-downloader LIST`."""

from __future__ import annotations

import signal

# First of all: as long as nothing has begun, Ctrl-C just ends the process, without a traceback,
# and a question has no answer yet.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)

from url_downloader.main import main  # noqa: E402

__all__ = ["main"]

if __name__ == "__main__":
    raise SystemExit(main())
