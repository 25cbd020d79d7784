"""A limit of the bytes per second that all connections of a run read together.

A `PacedConnection` asks the `RateLimiter` before each read, once bytes have arrived:

1. The limiter puts the read on its schedule, behind all reads that were asked for before. So
   the workers take turns, and those that always have something to read get equal shares.
2. The worker waits until the read is due. An abort of its attempt ends the wait.
3. The connection reads, and gives back what it did not use.

A read is due when its bytes have been earned at the rate. So the limit holds from the first
byte on: there is no burst at the start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError

CREDIT_SECONDS = 0.2
"""Seconds of the rate that can be read later if nobody reads them now. They make up for late
threads and for short breaks of the servers. In ten seconds they are 2 % of the rate."""
SMALL_PIECE = 4096
"""Bytes of a read, so that a big file does not keep small ones waiting. Most small files come
with their heads in one such piece."""
MAX_READS = 400
"""Reads per second of all workers. At higher rates they read more at once, because a read takes
about 100 microseconds of CPU time."""
MAX_TURN_SECONDS = 0.1
"""Seconds of the rate that SMALL_PIECE may take. At lower rates a read is shorter."""
SWITCH_SECONDS = 1.0
"""Seconds between two looks of a worker that waits for long whether the limit is still on. The
worker whose turn is next looks within MAX_TURN_SECONDS, and wakes the others."""
WIDE_SHARE = 128 * 1024
"""Bytes per second; from this share of a connection on, the kernel chooses its buffer."""
LEAST_BUFFER = 16 * 1024
"""Bytes; smallest receive buffer. It has room for some packets, so that their flow goes on."""


class RateSchedule:
    """Times at which reads are due, one after the other. It knows no clock and has no lock.

    Args:
        rate: Bytes per second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._last_due: float | None = None

    def add(self, count: int, now: float) -> float:
        """Add a read of `count` bytes; return the monotonic time at which it is due."""
        earned_from = now - CREDIT_SECONDS
        begin = now if self._last_due is None else max(self._last_due, earned_from)
        self._last_due = begin + count / self._rate
        return self._last_due

    def give_back(self, count: int) -> None:
        """Take back bytes of an earlier read that were not read; later reads get them."""
        if self._last_due is not None:
            self._last_due -= count / self._rate

    def restart(self) -> None:
        """Begin anew, without any bytes that were earned before."""
        self._last_due = None


class RateLimiter:
    """Limit of the rate at which all connections of a run read together.

    Args:
        rate: Bytes per second.
        workers: Number of workers that share the rate.
        is_wanted: Tells whether the limit is switched on; called often, from all workers.
        now: Monotonic clock, seconds.

    Attributes:
        piece: Bytes; upper bound of one read.

    Threads: any.
    """

    def __init__(
        self,
        rate: float,
        *,
        workers: int,
        is_wanted: Callable[[], bool] = lambda: True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        small = min(SMALL_PIECE, int(rate * MAX_TURN_SECONDS))
        self.piece = max(small, int(rate / MAX_READS), 1)
        self._share = rate / workers
        self._is_wanted = is_wanted
        self._now = now
        # Guards _schedule, _waiting and writes of _was_on.
        self._lock = threading.Lock()
        self._waiting: set[AttemptControl] = set()
        self._schedule = RateSchedule(rate)
        self._was_on = True

    @property
    def is_on(self) -> bool:
        """Tell whether the limit is switched on. After each switch it begins anew."""
        is_on = self._is_wanted()
        if is_on is not self._was_on:
            with self._lock:
                self._was_on = is_on
                self._schedule.restart()
                waiting = list(self._waiting)
            for control in waiting:
                control.wake()
        return is_on

    def receive_buffer(self) -> int:
        """Return the size of a new connection's buffer; 0 if the kernel is to choose it.

        A server fills the buffer at its own speed. So that it notices the limit soon, the
        buffer has no more than a second's share of the rate.
        """
        if self._share >= WIDE_SHARE or not self.is_on:
            return 0
        return max(int(self._share), LEAST_BUFFER)

    def admit(self, count: int, *, control: AttemptControl) -> None:
        """Wait until so many bytes may be read, or until the limit is switched off.

        Raises:
            AttemptError: The attempt was aborted.
        """
        if not self.is_on:
            return
        with self._lock:
            due = self._schedule.add(count, self._now())
            self._waiting.add(control)
        try:
            self._wait_until(due, control)
        except AttemptError:
            self.give_back(count)
            raise
        finally:
            with self._lock:
                self._waiting.discard(control)

    def give_back(self, count: int) -> None:
        """Give back bytes that were admitted and not read."""
        with self._lock:
            self._schedule.give_back(count)

    def _wait_until(self, due: float, control: AttemptControl) -> None:
        while (left := due - self._now()) > 0 and self.is_on:
            failure = control.throttle(min(left, SWITCH_SECONDS))
            if failure is not None:
                raise failure
