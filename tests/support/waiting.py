"""Waiting for what another thread or process does, without guessing how long it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_PAUSE = 0.01


def wait_until(condition: Callable[[], bool], *, what: str, timeout: float = 60.0) -> None:
    """Return as soon as `condition` holds.

    Args:
        condition: asked again and again; cheap and without side effects.
        what: completes "waited in vain for ...".
        timeout: seconds after which it is given up; generous, as only a failing test waits it.

    Raises:
        TimeoutError: it never held.
    """
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s in vain for {what}")
        pause.wait(_PAUSE)
