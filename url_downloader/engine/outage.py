"""Watch for the loss of this machine's network, which must fail no job.

A failed attempt may be the first sign of an outage: the network of this machine is not there,
or several hosts are silent. Then `judge` holds the worker back until one of these is known:

- A byte has come from any host, or a bare connection can be made to the address that was
  connected last. The failure is that of the host.
- Nothing has come for ten seconds. The network is gone.

During an outage, only a probe is started every few seconds. Failures of the network are
excused: they do not count as attempts. Any byte ends the outage. The watchdog calls `check`
often, which notices that byte, and ends the run if the outage lasts too long.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from url_downloader.shared.contact import Trouble
from url_downloader.shared.models import DownloadJob, ErrorKind, JobResult
from url_downloader.shared.url_parts import origin_text

log = logging.getLogger(__package__)

SILENCE_SECONDS = 10.0
"""Seconds without a byte from any host after which the network may count as gone."""
MIN_HOSTS = 5
"""Silent hosts that suggest an outage, unless the errors name the network of this machine."""
REACHED_SECONDS = 0.2
"""Seconds for which a bare connection shows that the network is there."""
TRY_SECONDS = 1.0
"""Seconds between two bare connections."""
STOPPED_SECONDS = 5.0
"""Seconds without a look of the watchdog, which looks four times a second, that show that the
process was stopped: by SIGSTOP, or with its machine. It has not waited in this time."""
_FIRST_WAIT = 0.01
_LONGEST_WAIT = 0.25


class Verdict(enum.Enum):
    """Knowledge about the network after a failed attempt."""

    NO_OUTAGE = "the failure is that of the host"
    UNKNOWN = "more may happen"
    TRY = "a bare connection tells more"
    OUTAGE = "the network is gone"


class Signs(NamedTuple):
    """Signs of an outage.

    Args:
        trouble: Cause of the failure.
        silent_for: Seconds since the last byte from any host.
        waited: Seconds since the failure.
        failed_hosts: Number of hosts that have failed since the last byte.
        asked_hosts: Number of hosts that have failed or are being asked.
        is_unreachable: Whether the last bare connection has failed, and is not long ago.
    """

    trouble: Trouble
    silent_for: float
    waited: float
    failed_hosts: int
    asked_hosts: int
    is_unreachable: bool


def verdict(signs: Signs) -> Verdict:
    """Return what the signs tell, while no byte has come since the failure."""
    is_suspected = signs.trouble is Trouble.NO_NETWORK or signs.failed_hosts >= MIN_HOSTS
    if not is_suspected:
        may_be_suspected = signs.asked_hosts >= MIN_HOSTS and signs.waited < SILENCE_SECONDS
        return Verdict.UNKNOWN if may_be_suspected else Verdict.NO_OUTAGE
    if not signs.is_unreachable:
        return Verdict.TRY
    return Verdict.OUTAGE if signs.silent_for >= SILENCE_SECONDS else Verdict.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkView:
    """Functions through which the outage watch sees the network and the run.

    Args:
        life_signs: Returns a number that grows with each reply and each piece of a body.
        asked_hosts: Returns the origins, as text, that are being asked.
        is_reachable: Makes a bare connection to the address that was connected last, and
            returns whether that has worked.
        is_cancelled: Tells whether the run is being ended.
    """

    life_signs: Callable[[], int]
    asked_hosts: Callable[[], Collection[str]]
    is_reachable: Callable[[], bool]
    is_cancelled: Callable[[], bool]


class Outage:
    """Watch for an outage of this machine's network.

    Args:
        view: Functions through which it sees the network and the run.
        on_begin: Called when an outage begins.
        on_end: Called when it ends.
        on_too_long: Called when it has lasted for `outage_wait`.
        outage_wait: Seconds to wait for the network.
        now: Monotonic clock, seconds.

    Threads: `judge` in a worker's thread, which it may hold back; `check` in the watchdog's;
    `is_on` in any. The callbacks are called without the lock, in the same threads.
    """

    def __init__(
        self,
        view: NetworkView,
        *,
        on_begin: Callable[[], None],
        on_end: Callable[[], None],
        on_too_long: Callable[[], None],
        outage_wait: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view = view
        self._on_begin = on_begin
        self._on_end = on_end
        self._on_too_long = on_too_long
        self._outage_wait = outage_wait
        self._now = now
        # Guards all fields below.
        self._changed = threading.Condition()
        self._heard = 0
        self._heard_at = self._checked_at = now()
        # Seconds since the last byte in which the process was stopped.
        self._stopped_for = 0.0
        self._failed_hosts: set[str] = set()
        self._reached_at = self._tried_at = -SILENCE_SECONDS
        self._is_trying = False
        self.is_on = False
        # Whether `on_begin` was called, and `on_end` not yet.
        self._was_told = False

    def judge(self, job: DownloadJob, result: JobResult) -> JobResult:
        """Return the result of an attempt, which is excused if the network is gone."""
        contact = result.contact
        if contact is None or contact.trouble not in (Trouble.SILENCE, Trouble.NO_NETWORK):
            return result
        host = contact.host or origin_text(job.url)
        if not self._is_outage(host, contact.trouble):
            return result
        return result._replace(
            kind=ErrorKind.NO_NETWORK, message=f"no network: {result.message}"
        )

    def check(self) -> None:
        """Notice whether a byte has come, and whether an outage lasts too long."""
        count = self._view.life_signs()
        with self._changed:
            now = self._now()
            if now - self._checked_at > STOPPED_SECONDS:
                self._stopped_for += now - self._checked_at
            self._checked_at = now
            self._look(count)
            has_ended = self._was_told and not self.is_on
            self._was_told = self._was_told and not has_ended
            waited = now - self._heard_at - self._stopped_for
            is_too_long = self.is_on and waited >= self._outage_wait
        if has_ended:
            log.warning("the network is back")
            self._on_end()
        elif is_too_long:
            self._on_too_long()

    def _is_outage(self, host: str, trouble: Trouble) -> bool:
        """Wait until it is known whether a failed attempt was the sign of an outage.

        If the run is ended meanwhile, return True: the job counts as not ended.
        """
        began, count = self._now(), self._view.life_signs()
        with self._changed:
            self._look(count)
            if self.is_on or not count:
                return self.is_on
            if began - self._reached_at < REACHED_SECONDS:
                return False
            self._failed_hosts.add(host)
        seconds = _FIRST_WAIT
        while not self._view.is_cancelled():
            match self._verdict(trouble, began=began, count=count):
                case Verdict.NO_OUTAGE:
                    return False
                case Verdict.OUTAGE:
                    self._begin()
                    return True
                case Verdict.TRY if self._try_to_reach():
                    continue
            with self._changed:
                self._changed.wait(seconds)
            seconds = min(2 * seconds, _LONGEST_WAIT)
        return True

    def _verdict(self, trouble: Trouble, *, began: float, count: int) -> Verdict:
        """Return what is known now about a failure.

        Args:
            trouble: Cause of the failure.
            began: Time of the failure, monotonic seconds.
            count: Number of life signs at that time.
        """
        now_count, asked = self._view.life_signs(), self._view.asked_hosts()
        now = self._now()
        with self._changed:
            self._look(now_count)
            if self.is_on:
                return Verdict.OUTAGE
            if now_count != count or self._reached_at >= began:
                return Verdict.NO_OUTAGE
            return verdict(
                Signs(
                    trouble=trouble,
                    silent_for=now - self._heard_at,
                    waited=now - began,
                    failed_hosts=len(self._failed_hosts),
                    asked_hosts=len(self._failed_hosts.union(asked)),
                    is_unreachable=now - self._tried_at < TRY_SECONDS,
                )
            )

    def _look(self, count: int) -> None:
        """Note the number of life signs. The caller holds the lock."""
        if count == self._heard:
            return
        self._heard, self._heard_at = count, self._now()
        self._stopped_for = 0.0
        self._failed_hosts.clear()
        self.is_on = False
        self._changed.notify_all()

    def _try_to_reach(self) -> bool:
        """Make a bare connection; return False if another worker does that now."""
        with self._changed:
            if self._is_trying:
                return False
            self._is_trying = True
        is_reached = self._view.is_reachable()
        with self._changed:
            self._is_trying = False
            if is_reached:
                self._reached_at = self._now()
            else:
                self._tried_at = self._now()
            self._changed.notify_all()
        return True

    def _begin(self) -> None:
        with self._changed:
            was_on, self.is_on = self.is_on, True
        if not was_on:
            log.warning(
                "the network is gone: nothing has come for %.0f s; waiting for it for up to"
                " %g s (--outage-wait)",
                *(SILENCE_SECONDS, self._outage_wait),
            )
            self._on_begin()
            with self._changed:
                # Not before: `check` may notice the end at once, but must tell it last.
                self._was_told = True
