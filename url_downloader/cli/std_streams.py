"""The standard streams, even where they are closed, full, or a pipe without a reader."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from url_downloader.shared.interruptible_pipe import (
    RUN_SHOULD_STOP,
    InterruptiblePipe,
    is_pipe,
    text_stream,
)


def prepare_std_streams() -> None:
    """Open the null device for each of descriptors 0 to 2, stdout and stderr that is closed.

    Otherwise the first files that are opened would get these descriptors, and the output of a
    library would go into them.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The system gives the lowest free number: this one.
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    for name in ("stdout", "stderr"):
        _make_interruptible(name)


def _make_interruptible(name: str) -> None:
    """Replace a stream that is a pipe by one whose writes a signal can end."""
    stream = getattr(sys, name)
    with suppress(OSError, ValueError):
        if is_pipe(stream.fileno()):
            pipe = InterruptiblePipe(stream.fileno(), should_stop=RUN_SHOULD_STOP)
            setattr(
                sys, name, text_stream(pipe, encoding=stream.encoding, errors=stream.errors)
            )


def print_to_stderr(line: str) -> None:
    """Print a line to stderr; drop it if that fails."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def flush_std_streams() -> None:
    """Flush stdout and stderr; drop what can't be written.

    Otherwise Python would fail to flush them at exit, and change the exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, stream.fileno())
                os.close(sink)
