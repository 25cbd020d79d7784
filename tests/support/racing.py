"""Functions that many threads call at the same time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_START_TIMEOUT = 60.0
_SHORTEST_SLICE = 1e-6


@contextmanager
def frequent_switches() -> Iterator[None]:
    """Have Python switch between threads as often as it can, so that races show."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SHORTEST_SLICE)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def race(act: Callable[[int], T], *, threads: int) -> list[T]:
    """Return the results of `act(0)`, `act(1)` ..., which run in one thread each.

    Args:
        act: Function that the threads call with their number, all at once.
        threads: Number of threads.
    """
    barrier = threading.Barrier(threads)

    def wait_and_act(number: int) -> T:
        barrier.wait(_START_TIMEOUT)
        return act(number)

    with frequent_switches(), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(wait_and_act, range(threads)))
