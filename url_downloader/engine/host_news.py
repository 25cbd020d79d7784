"""Messages to the user about hosts that get into trouble, and out of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from url_downloader.engine.host_state import HostNews, HostPhase

log = logging.getLogger(__package__)

_FAILS_AT_ONCE = (HostPhase.DOWN, HostPhase.THROTTLED)


def log_news(news: Iterable[HostNews], now: float) -> None:
    """Log that the states of hosts have changed.

    Args:
        news: The changes.
        now: Monotonic time, seconds.
    """
    for each in news:
        _log_change(each, now)


def _log_change(news: HostNews, now: float) -> None:
    state = news.state
    if state is None:
        if news.before is not None:
            log.info("%s: answers again", news.host)
    elif state.phase in _FAILS_AT_ONCE:
        log.error("%s: %s; its other URLs fail at once", news.host, state.reason)
    else:
        seconds = max(0.0, state.until - now)
        log.warning("%s: %s; no request to it for %.1f s", news.host, state.reason, seconds)
