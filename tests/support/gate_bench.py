"""A gate of one host without a queue: a clock, and attempts that begin and end."""

from __future__ import annotations

import itertools

from tests.support.hosts import POLICY, REFUSED
from url_downloader.config.host_settings import HostLimits
from url_downloader.engine.host import Host
from url_downloader.engine.host_gate import HostGate
from url_downloader.engine.host_lessons import learn
from url_downloader.engine.host_policy import HostPolicy
from url_downloader.engine.host_state import HostPhase
from url_downloader.shared.models import JobResult


class GateBench:
    """A gate of one host, with a clock, and attempts that begin and end.

    Args:
        policy: Rules for hosts.
        limits: Limits of the user.
        good_replies: Number of good replies that came before.

    Attributes:
        now: Time in seconds.
        host: Host that has the gate.
    """

    def __init__(
        self,
        policy: HostPolicy = POLICY,
        *,
        limits: HostLimits | None = None,
        good_replies: int = 0,
    ) -> None:
        self.now = 1000.0
        self.policy = policy
        self.gate = HostGate(policy, limits or HostLimits())
        self.host = Host("http://a", self.gate)
        self.host.good_replies = good_replies
        self.host.has_answered = good_replies > 0
        self._numbers = itertools.count(1)

    @property
    def opens_in(self) -> float:
        """Return the seconds until the next attempt may begin; 0 if it may now."""
        opens_at = self.gate.opens_at(self.now, self.host.running)
        return round(max(0.0, opens_at - self.now), 6)

    def is_refused(self) -> bool:
        """Tell whether jobs of the host fail at once."""
        return self.gate.refusal is not None

    def begin(self) -> int:
        """Begin an attempt; return its number, or 0 if it is refused."""
        number = next(self._numbers)
        self.host.running += 1
        if self.gate.begin(number, self.now) is None:
            return number
        self.host.running -= 1
        return 0

    def begin_all(self) -> list[int]:
        """Begin as many attempts as may begin now, but at most 50."""
        begun: list[int] = []
        while self.opens_in == 0.0 and len(begun) < 50:
            begun.append(self.begin())
        return begun

    def end(self, number: int, result: JobResult) -> None:
        """End an attempt, after the head of its reply if there was one."""
        if result.http_status is not None and self.gate.awaits_replies:
            self.gate.note_reply(number, result.http_status)
        learn(self.host, result, policy=self.policy, job_id=number, now=self.now)
        self.gate.end(number, self.now)
        self.host.running -= 1

    def attempt(self, result: JobResult) -> None:
        """Make an attempt that takes no time."""
        number = self.begin()
        assert number
        self.end(number, result)

    def fail(self, times: int, result: JobResult = REFUSED) -> None:
        """Make attempts that fail, each as soon as it may begin."""
        for _ in range(times):
            self.now += self.opens_in
            self.attempt(result)

    def refusal(self) -> JobResult | None:
        """Return the result of an attempt that is refused now; None if it is not."""
        assert self.opens_in == 0.0
        return self.gate.begin(next(self._numbers), self.now)

    def phase(self) -> HostPhase | None:
        """Return the phase that observers see."""
        state = self.gate.state(self.now)
        return None if state is None else state.phase
