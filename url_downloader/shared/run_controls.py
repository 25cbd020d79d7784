"""Functions through which the caller of a run controls it while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from url_downloader.shared.history import RunLedger
from url_downloader.shared.ports import Naming


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


class RunContext(NamedTuple):
    """Surroundings of a run, which its caller has made.

    Args:
        names: Names of files that change during the run; None if no name can change.
        ledger: Ledger of the run; None without one.
        controls: Functions through which the caller controls the run.
    """

    names: Naming | None = None
    ledger: RunLedger | None = None
    controls: RunControls = NO_CONTROLS


NO_CONTEXT = RunContext()
"""Surroundings of a run without a ledger."""
