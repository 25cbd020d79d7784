"""Gate of one host: when its next attempt may begin. No locks, no clock.

The gate combines the user's limits, for connections and requests, with the troubles of the
host: `host_pause` and `circuit_breaker`. After a trouble, one attempt may begin. Each success
then allows one more at the same time.

A host may also be refused: its jobs fail at once, without a request. One probe a minute finds
out whether it answers again.
"""

from __future__ import annotations

from math import inf

from url_downloader.config.host_settings import HostLimits
from url_downloader.engine.circuit_breaker import MAX_PROBE, CircuitBreaker
from url_downloader.engine.host_pause import HostPause
from url_downloader.engine.host_policy import NO_LIMITS, HostPolicy
from url_downloader.engine.host_state import HostPhase, HostState
from url_downloader.shared.contact import Trouble
from url_downloader.shared.models import ErrorKind, JobResult

SLACK = 0.02
"""Seconds by which requests may catch up with the user's rate after one that was late: a
thread wakes later than it should."""


class Ramp:
    """Attempts that began since the last trouble of a host, and how many there may be.

    Attempts that began earlier do not count, because they may last long.

    Args:
        old_number: Number of attempts at which the ramp ends: as many as before the trouble;
            0 = the first answer ends it.

    Attributes:
        limit: Number of attempts that may run at the same time.
        begun: Numbers of the jobs of the running attempts that count.
    """

    __slots__ = ("begun", "limit", "old_number")

    def __init__(self, old_number: int) -> None:
        self.old_number = old_number
        self.limit = 1
        self.begun: set[int] = set()


class HostGate:
    """Limits and troubles of one host.

    Args:
        policy: Rules for the troubles of all hosts.
        limits: Limits of the user for this host.

    Attributes:
        refusal: Result of the jobs that fail at once; None if they do not.

    Threads: one at a time; HostQueue calls all methods under its lock.
    """

    __slots__ = (
        *("_breaker", "_limits", "_next_start", "_pause", "_policy", "_probe_at", "_ramp"),
        *("_reason", "refusal"),
    )

    def __init__(self, policy: HostPolicy, limits: HostLimits = NO_LIMITS) -> None:
        self._policy = policy
        self._limits = limits
        self._next_start = -inf
        self._breaker: CircuitBreaker | None = None
        self._pause: HostPause | None = None
        self._ramp: Ramp | None = None
        self._reason = ""
        self._probe_at = inf
        self.refusal: JobResult | None = None

    @property
    def awaits_replies(self) -> bool:
        """Tell whether the next replies decide how many attempts may begin."""
        return self._ramp is not None

    @property
    def awaits_probe(self) -> bool:
        """Tell whether the next attempt is a probe: better of a job that was not tried yet."""
        return self._ramp is not None and self._ramp.limit == 1

    def state(self, now: float) -> HostState | None:
        """Return the state of a host that is in trouble; None for any other host."""
        if self.refusal is not None:
            is_down = self.refusal.kind is ErrorKind.HOST_DOWN
            phase = HostPhase.DOWN if is_down else HostPhase.THROTTLED
            return HostState(phase, self.refusal.message, self._probe_at)
        until = self._trouble_end()
        if self._breaker is not None and self._breaker.is_open:
            return HostState(HostPhase.FAILING, self._reason, until)
        return HostState(HostPhase.PAUSED, self._reason, until) if now < until else None

    def remembers(self, now: float) -> bool:
        """Tell whether the host must not be forgotten, even if it has no jobs now."""
        pause = self._pause
        is_paused = pause is not None and (pause.has_backoff or pause.since is not None)
        is_failing = self._breaker is not None or self._ramp is not None
        return is_paused or is_failing or now < self._next_start

    def opens_at(self, now: float, running: int) -> float:
        """Return the time from which the next attempt may begin; infinite if it is not known.

        Args:
            now: Monotonic time, seconds.
            running: Number of running attempts.
        """
        self._check_breaker(now)
        if self.refusal is not None:
            return -inf
        most, ramp = self._limits.connections, self._ramp
        if (most and running >= most) or (ramp and len(ramp.begun) >= ramp.limit):
            return inf
        return max(self._next_start, self._trouble_end())

    def begin(self, job_id: int, now: float) -> JobResult | None:
        """Note that an attempt begins; return a result if its job fails at once instead."""
        refusal = self.refusal
        if refusal is not None:
            is_asked_for = refusal.kind is ErrorKind.RETRY_AFTER
            probe_at = max(self._probe_at, self._next_start)
            if now < probe_at or (self._ramp and self._ramp.begun):
                return refusal._replace(retry_after=probe_at - now) if is_asked_for else refusal
            if is_asked_for:
                self.refusal = None
        if self._ramp is not None:
            self._ramp.begun.add(job_id)
        self.charge(now)
        return None

    def charge(self, now: float) -> None:
        """Count a request for the user's rate."""
        interval = self._limits.interval
        if interval:
            self._next_start = max(self._next_start + interval, now + interval - SLACK)

    def end(self, job_id: int, now: float, *, is_charged: bool = True) -> None:
        """Note that an attempt has ended.

        Args:
            job_id: Number of the attempt's job.
            now: Monotonic time, seconds.
            is_charged: Whether its first request counts for the user's rate; False if the host
                was not asked.
        """
        if not is_charged:
            self._next_start -= self._limits.interval
        if self._is_counted(job_id):
            assert self._ramp is not None
            self._ramp.begun.remove(job_id)
            if self.refusal is not None:
                self._probe_at = now + MAX_PROBE

    def note_reply(self, job_id: int, status: int) -> None:
        """Note the head of a reply, whose body may still come.

        Args:
            job_id: Number of the attempt's job.
            status: Status code of the reply.
        """
        self._close_breaker()
        ramp = self._ramp
        if status in self._policy.busy_statuses or not self._is_counted(job_id):
            return
        assert ramp is not None
        self.refusal = self._refusal_if_not(ErrorKind.HOST_THROTTLED)
        ramp.limit += 1
        if ramp.limit >= ramp.old_number:
            self._ramp = None

    def note_good_reply(self) -> None:
        """Note an attempt that ended with an answer which asks for no pause."""
        self._close_breaker()
        if self._pause is not None:
            self._pause.note_good_reply()

    def note_failure(
        self, job_id: int, result: JobResult, *, now: float, has_answered: bool
    ) -> None:
        """Note an attempt that failed before the first byte of a reply.

        Args:
            job_id: Number of the attempt's job.
            result: Result of the attempt.
            now: Monotonic time, seconds.
            has_answered: Whether the host has answered earlier in this run.
        """
        breaker = self._breaker
        if breaker is None:
            breaker = self._breaker = CircuitBreaker(self._policy.patience)
        if not breaker.is_open:
            if breaker.note_failure(now, has_answered=has_answered):
                # A pause that has begun before goes on afterwards.
                self._ramp = Ramp(self._ramp.old_number if self._ramp else 0)
                self._reason = result.message
        elif self._is_counted(job_id):
            contact = result.contact
            has_no_name = contact is not None and contact.trouble is Trouble.NO_NAME
            breaker.note_failed_probe(now, has_no_name=has_no_name)
            self._reason = result.message

    def note_busy_reply(
        self, job_id: int, result: JobResult, *, now: float, running: int, good_replies: int
    ) -> None:
        """Note an attempt that ended with a reply which asks for a pause.

        Args:
            job_id: Number of the attempt's job.
            result: Result of the attempt.
            now: Monotonic time, seconds.
            running: Number of running attempts, with this one.
            good_replies: Number of good replies before, as far as the window needs them.
        """
        policy, ramp, wait = self._policy, self._ramp, result.retry_after
        self._close_breaker()
        if wait and policy.max_retry_after and wait > policy.max_retry_after:
            self._refuse(ErrorKind.RETRY_AFTER, result, until=now + wait)
            return
        pause = self._pause = self._pause or HostPause(good_replies, jitter=policy.jitter)
        is_probe = self._is_counted(job_id)
        begins = pause.note_busy_reply(
            now, retry_after=wait, is_known=ramp is not None and not is_probe
        )
        if is_probe and now - (pause.since or now) >= policy.patience.outage_wait:
            self._refuse(ErrorKind.HOST_THROTTLED, result, until=now + MAX_PROBE)
        elif begins:
            self._ramp = Ramp(max(running, ramp.old_number if ramp else 1))
            self._reason = result.message

    def _close_breaker(self) -> None:
        """Forget the failures in a row, and what follows from them: the host has answered."""
        breaker, self._breaker = self._breaker, None
        if breaker is not None and breaker.is_open:
            self.refusal = self._refusal_if_not(ErrorKind.HOST_DOWN)
            if self._ramp is not None and not self._ramp.old_number:
                self._ramp = None

    def _trouble_end(self) -> float:
        """Return the time of the next probe; in the past if there is no trouble."""
        end = -inf if self._pause is None else self._pause.until
        if self._breaker is not None and self._breaker.is_open:
            end = max(end, min(self._breaker.probe_at, self._breaker.down_at))
        return end

    def _check_breaker(self, now: float) -> None:
        """Refuse the host's jobs if the host counts as down, and no probe is running."""
        breaker, ramp = self._breaker, self._ramp
        if breaker is None or ramp is None or now < breaker.down_at:
            return
        if self.refusal is None and not ramp.begun:
            # If no job came to be the probe that was due, the next one is.
            result = JobResult(message=self._reason)
            self._refuse(ErrorKind.HOST_DOWN, result, until=breaker.probe_at)

    def _refuse(self, kind: ErrorKind, result: JobResult, *, until: float) -> None:
        """Let the jobs fail at once, with the same cause as `result`, until a time."""
        self._ramp = Ramp(self._ramp.old_number if self._ramp else 1)
        self._probe_at = until if self.refusal is None else max(until, self._probe_at)
        message = _REFUSALS[kind].format(result.message)
        self.refusal = JobResult(kind=kind, message=message)

    def _refusal_if_not(self, kind: ErrorKind) -> JobResult | None:
        """Return the refusal, unless it is of this kind."""
        refusal = self.refusal
        return None if refusal is not None and refusal.kind is kind else refusal

    def _is_counted(self, job_id: int) -> bool:
        """Tell whether the job's attempt began after the last trouble."""
        return self._ramp is not None and job_id in self._ramp.begun


_REFUSALS = {
    ErrorKind.HOST_DOWN: "the host is down: {}",
    ErrorKind.HOST_THROTTLED: "the host only asks to come back later: {}",
    ErrorKind.RETRY_AFTER: "{}; the host asks to wait longer than --max-retry-after",
}
"""Message for each kind of refusal; it takes that of the last attempt."""
