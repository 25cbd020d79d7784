"""Functions through which the caller of a run controls it while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class RunControls(NamedTuple):
    """Functions through which the caller controls a run while it goes on.

    Args:
        should_stop: Function that is called often, in the thread of `process_jobs`; True ends
            the run early.
        is_limited: Function that is called often, in all threads; False switches the rate
            limit of the settings off.
    """

    should_stop: Callable[[], bool] = lambda: False
    is_limited: Callable[[], bool] = lambda: True


NO_CONTROLS = RunControls()
"""Controls of a run that goes on to its end."""
