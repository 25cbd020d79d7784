"""Log lines on stderr: those that the display replaces, and those that are always shown."""

from __future__ import annotations

import io
import logging
from contextlib import nullcontext, redirect_stderr

import pytest

from url_downloader.cli import observers
from url_downloader.display.console import Console
from url_downloader.display.live_display import live_display

OTHER = logging.getLogger("url_downloader.engine")


@pytest.mark.parametrize(
    ("logger", "is_display_active", "least", "is_shown"),
    [
        (observers.status_log, False, logging.INFO, True),
        (observers.status_log, True, logging.INFO, False),
        (observers.status_log, False, logging.ERROR, False),
        (observers.state_log, True, logging.INFO, True),
        (observers.state_log, False, logging.ERROR, True),
        (OTHER, True, logging.INFO, True),
        (OTHER, False, logging.ERROR, False),
    ],
)
def test_what_is_shown(
    logger: logging.Logger, *, is_display_active: bool, least: int, is_shown: bool
) -> None:
    """The display replaces status lines alone; a reply to SIGUSR1 is shown even with -q."""
    console = Console(least)
    console.is_display_active = is_display_active
    record = logger.makeRecord(logger.name, logging.INFO, "f", 1, "text", (), None)
    assert console.filter(record) is is_shown


def test_the_display_takes_the_place_of_status_lines() -> None:
    """The console leaves out status lines as long as the display is shown, and no longer."""
    console = Console(logging.INFO)
    shown = []
    for block in (nullcontext(), live_display(console), nullcontext()):
        with redirect_stderr(io.StringIO()), block:
            shown.append(console.is_display_active)
    assert shown == [False, True, False]
