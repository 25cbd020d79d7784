"""The standard streams, whatever they are: closed, full, or a pipe that nobody reads."""

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


def secure_streams() -> None:
    """Have something open as descriptors 0 to 2, and as stdout and stderr.

    Else the first files that are opened would get these numbers, and with them whatever a
    library has to say.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is this one.
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    for name in ("stdout", "stderr"):
        _make_patient(name)


def _make_patient(name: str) -> None:
    """Write to a pipe so that a signal can end it, however full the pipe is."""
    stream = getattr(sys, name)
    with suppress(OSError, ValueError):
        if is_pipe(stream.fileno()):
            pipe = InterruptiblePipe(stream.fileno(), should_stop=RUN_SHOULD_STOP)
            setattr(
                sys, name, text_stream(pipe, encoding=stream.encoding, errors=stream.errors)
            )


def say(line: str) -> None:
    """Tell people on stderr, if they can be told."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def settle_streams() -> None:
    """Throw away what can't be written; at exit Python would take it for a failure."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, stream.fileno())
                os.close(sink)
