"""Waiting for another thread or process, without a guess of its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_PAUSE = 0.01


def wait_until(condition: Callable[[], bool], *, what: str, timeout: float = 60.0) -> None:
    """Return as soon as `condition` holds.

    Args:
        condition: Function that is called often; it is cheap and has no side effect.
        what: End of the message "waited in vain for ...".
        timeout: Seconds until an error; many, as only a failing test waits so long.

    Raises:
        TimeoutError: The condition did not hold in time.
    """
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s in vain for {what}")
        pause.wait(_PAUSE)
