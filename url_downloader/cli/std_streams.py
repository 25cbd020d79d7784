"""The standard streams, which may be closed, full, or pipes without a reader."""

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
    """Open the null device for each closed standard stream; make pipes interruptible.

    Otherwise the first files that are opened would get the descriptors 0 to 2, and the output
    of a library would go into these files.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The system assigns the lowest free descriptor, which is this one.
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    for name in ("stdout", "stderr"):
        _make_interruptible(name)


def _make_interruptible(name: str) -> None:
    """If the stream is a pipe, replace it by a stream whose writes a signal can end."""
    stream = getattr(sys, name)
    with suppress(OSError, ValueError):
        if is_pipe(stream.fileno()):
            pipe = InterruptiblePipe(stream.fileno(), should_stop=RUN_SHOULD_STOP)
            setattr(
                sys, name, text_stream(pipe, encoding=stream.encoding, errors=stream.errors)
            )


def print_to_stderr(line: str) -> None:
    """Print a line to stderr; drop the line if that fails."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def flush_std_streams() -> None:
    """Flush stdout and stderr; drop text that can't be written.

    Otherwise Python would try again at exit, fail, and change the exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, stream.fileno())
                os.close(sink)
