"""Order in which the waiting jobs of many hosts are started. No locks, no clock.

A host is an origin: scheme, host name and port. The next job is one of the host with the fewest
running attempts; hosts that are equal in this take turns. Among a host's jobs, retries come
first, then the others in the order of the list.

Hosts that may start a job stand in levels, one for each number of running attempts. So the next
host is found without a search over all hosts. A level exists only while a host stands in it.
There are few levels, because their numbers add up to no more than the running attempts: at most
46 with 1,024 workers. A host whose gate is closed stands in no level; a timer brings it back.

`redirected_jobs` tells what follows from a redirect to another host.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, OrderedDict, defaultdict
from math import inf

from url_downloader.engine.host import Host, with_last
from url_downloader.engine.host_gate import HostGate
from url_downloader.engine.host_lessons import is_good, learn, note_good_reply
from url_downloader.engine.host_policy import HostPolicy
from url_downloader.engine.host_state import HostNews, HostPhase
from url_downloader.engine.host_table import HostTable
from url_downloader.engine.host_troubles import HostTroubles, find_troubles
from url_downloader.engine.redirected_jobs import RedirectedJobs
from url_downloader.shared.contact import Contact
from url_downloader.shared.models import DownloadJob, ErrorKind, JobResult
from url_downloader.shared.url_parts import origin_text

_BUSY = JobResult(kind=ErrorKind.HOST_BUSY, message="redirected to a host that has to wait")


class HostOrder:
    """Waiting jobs by host, in the order in which they are started.

    Args:
        policy: Rules for the troubles and limits of hosts; None if hosts are not told apart:
            all jobs are those of one host.

    Attributes:
        now: Monotonic time of the present call, seconds; the caller sets it.
        listed: Number of the waiting jobs that are not retries.
        retries: Number of the waiting jobs that are retries.
        refusals: Results of started jobs that fail at once, by number of the job.
        troubled: Hosts whose next replies decide how many attempts may begin, with their phase.
        news: Changes of the states of hosts; the caller removes them.

    Threads: one at a time; HostQueue calls all methods under its lock.
    """

    def __init__(self, policy: HostPolicy | None) -> None:
        self.now = 0.0
        self.listed = 0
        self.retries = 0
        self.refusals: dict[int, JobResult] = {}
        self.troubled: dict[Host, HostPhase | None] = {}
        self.news: list[HostNews] = []
        self._policy = policy
        self._name_of = origin_text if policy is not None else lambda _: ""
        self._table = HostTable(policy, on_forget=lambda it: self.troubled.pop(it, None))
        self._hosts = self._table.hosts
        # Number of times that a host has got into each phase.
        self._begun: Counter[HostPhase] = Counter()
        # Ordered dictionaries: to find the first entry of a dict after deletions is slow.
        self._levels: defaultdict[int, OrderedDict[Host, None]] = defaultdict(OrderedDict)
        # Times at which gates open. Only the earliest one of a host counts.
        self._timers: list[tuple[float, int, Host]] = []
        self._timer_numbers = itertools.count()
        self._redirected = RedirectedJobs()

    def add(self, job: DownloadJob) -> None:
        """Add a job of the list."""
        name = self._name_of(job.url)
        host = self._hosts.get(name) or self._table.host(name)
        host.listed = with_last(host.listed, job)
        self.listed += 1
        if not host.is_ready:
            self._place(host)

    def add_retry(self, job: DownloadJob) -> None:
        """Add a job whose retry is due, or that was redirected to a host that has to wait."""
        names = self._name_of(job.url), *self._redirected.targets(job.job_id)
        self._add_retry(self._table.host(names[-1]), job)

    def first(self) -> Host | None:
        """Return the host whose turn it is; None if no job may be started."""
        timers = self._timers
        while timers and timers[0][0] <= self.now:
            time, _, host = heapq.heappop(timers)
            if time == host.timer and self._hosts.get(host.name) is host:
                host.timer = inf
                self._replace(host)
        levels = self._levels
        return next(iter(levels[min(levels)])) if levels else None

    def start(self, host: Host) -> DownloadJob | None:
        """Remove the first waiting job of a host, count it as running, and return it.

        Return None if the job was redirected, and now waits for another one of its hosts.
        """
        self._leave_level(host)
        job, is_retry = host.take()
        self.retries -= is_retry
        self.listed -= not is_retry
        is_redirected = self._redirected.has_any and self._redirected.targets(job.job_id)
        if is_redirected and not self._reserve(host, job):
            self._place(host)
            return None
        if host.gate is None:
            host.running += 1
            self._place(host)
        else:
            self._begin(host, job)
        return job

    def done(self, job: DownloadJob, result: JobResult | None) -> None:
        """Count a started job as running no more; the result is None without an attempt."""
        home = self._hosts[self._name_of(job.url)]
        contact = None if result is None else result.contact
        if result is not None and contact is not None and self._policy is not None:
            if contact.host is None:
                learn(home, result, policy=self._policy, job_id=job.job_id, now=self.now)
            else:
                self._learn_elsewhere(home, result, job_id=job.job_id, name=contact.host)
        if home.gate is None:
            self._count(home, -1)
        else:
            self._end(home, job, result=result, is_asked=contact is not None)
        if self._redirected.has_any:
            has_to_wait = result is not None and result.kind is ErrorKind.HOST_BUSY
            for host, is_asked in self._redirected.end(job.job_id, has_to_wait=has_to_wait):
                self._end(host, job, result=result, is_asked=is_asked)

    def visit(self, job: DownloadJob, name: str | None) -> JobResult | None:
        """Count an attempt at one more host; return a result if it must end at once instead.

        Args:
            job: Job of the attempt.
            name: Name of the host; None for that of the job's URL, which is asked once more.
        """
        if self._policy is None:
            return None
        home, redirected = self._name_of(job.url), self._redirected
        host = self._table.find_limited(name or home)
        if host is None or host.gate is None or redirected.use_reserved(job.job_id, host):
            return None
        result = None
        if host.name == home or redirected.visits(job.job_id, host):
            host.gate.charge(self.now)
            self._replace(host)
        elif host.gate.opens_at(self.now, host.running) > self.now:
            redirected.add_target(job.job_id, host.name)
            result = _BUSY
        elif (result := host.gate.begin(job.job_id, self.now)) is None:
            redirected.visit(job.job_id, host)
            self._count(host, 1)
        return result

    def note_reply(self, job: DownloadJob, name: str | None, *, status: int) -> None:
        """Note the head of a reply, whose body may still come.

        Args:
            job: Job of the attempt.
            name: Name of the host that has answered; None for that of the job's URL.
            status: Status code of the reply.
        """
        host = self._table.find(name or self._name_of(job.url))
        if host is not None and host.gate is not None and host in self.troubled:
            host.gate.note_reply(job.job_id, status)
            self._replace(host)

    def troubles(self, most: int | None) -> HostTroubles:
        """Return the hosts in trouble, with the states of at most so many; None = of all."""
        return find_troubles(self.troubled, self.now, most=most, begun=self._begun)

    def active(self) -> int:
        """Return the number of hosts that are active, or were until a second ago."""
        return self._table.active(self.now)

    def next_change(self) -> tuple[float, float]:
        """Return the next times at which a gate opens, and a host stops being active."""
        opens_at = self._timers[0][0] if self._timers else inf
        return opens_at, self._table.next_rest_end()

    def _add_retry(self, host: Host, job: DownloadJob) -> None:
        host.retries = with_last(host.retries, job)
        self.retries += 1
        if not host.is_ready:
            self._place(host)

    def _reserve(self, host: Host, job: DownloadJob) -> bool:
        """Count a redirected job at its other hosts, if all of them may be asked now.

        If not, the job waits at one that must not. Return whether it was counted.
        """
        home = self._table.host(self._name_of(job.url))
        targets = {self._table.host(name) for name in self._redirected.targets(job.job_id)}
        for other in (others := {home, *targets} - {host}):
            if other.gate and other.gate.opens_at(self.now, other.running) > self.now:
                self._add_retry(other, job)
                return False
        for other in others:
            self._begin(other, job)
        self._redirected.reserve(job.job_id, targets)
        return True

    def _begin(self, host: Host, job: DownloadJob) -> None:
        """Count one more running attempt at a host."""
        if host.gate is not None:
            refusal = host.gate.begin(job.job_id, self.now)
            if refusal is not None:
                if host.name != self._name_of(job.url):
                    refusal = refusal._replace(contact=Contact(host.name, is_answered=False))
                self.refusals[job.job_id] = refusal
        self._count(host, 1)

    def _end(
        self, host: Host, job: DownloadJob, *, result: JobResult | None, is_asked: bool
    ) -> None:
        """Count one running attempt less at a host."""
        if host.gate is not None:
            # A job that was refused was not charged at all of its hosts.
            is_charged = is_asked or result is None or result.is_refused
            host.gate.end(job.job_id, self.now, is_charged=is_charged)
        self._count(host, -1)

    def _count(self, host: Host, change: int) -> None:
        """Change the number of a host's running attempts, and put the host where it belongs."""
        if host.is_ready:
            self._leave_level(host)
        host.running += change
        self._place(host)

    def _learn_elsewhere(
        self, home: Host, result: JobResult, *, job_id: int, name: str
    ) -> None:
        """Let a host learn from the end of an attempt that was redirected to it."""
        policy, host = self._policy, self._table.find(name)
        assert policy is not None
        # Only a reply can lead to another host.
        note_good_reply(home)
        if host is None and is_good(result, policy):
            self._table.note_answered(name)
            return
        host = self._table.host(name)
        learn(host, result, policy=policy, job_id=job_id, now=self.now)
        self._replace(host)

    def _replace(self, host: Host) -> None:
        """Put a host where it belongs after a change, wherever it stands now."""
        if host.is_ready:
            self._leave_level(host)
        self._place(host)

    def _place(self, host: Host) -> None:
        """Put a host where it belongs after a change. It stands in no level."""
        gate, has_jobs = host.gate, host.listed or host.retries
        if has_jobs and (gate is None or self._is_open(host, gate)):
            self._levels[host.running][host] = None
            host.is_ready = True
        if gate is not None:
            self._note_phase(host, gate)
        if not (host.is_ready or host.running):
            self._table.note_inactive(host, self.now)
        elif not host.is_active:
            self._table.note_active(host)

    def _is_open(self, host: Host, gate: HostGate) -> bool:
        """Tell whether an attempt may begin; if that depends on the time, set a timer."""
        opens_at = gate.opens_at(self.now, host.running)
        if self.now < opens_at < host.timer:
            host.timer = opens_at
            heapq.heappush(self._timers, (opens_at, next(self._timer_numbers), host))
        return opens_at <= self.now

    def _leave_level(self, host: Host) -> None:
        level = self._levels[host.running]
        del level[host]
        host.is_ready = False
        if not level:
            del self._levels[host.running]

    def _note_phase(self, host: Host, gate: HostGate) -> None:
        """Keep `troubled` and `news` up to date."""
        before = self.troubled.get(host)
        if not gate.awaits_replies:
            if host in self.troubled:
                del self.troubled[host]
                self.news.append(HostNews(host.name, before, None))
            return
        state = gate.state(self.now)
        phase = None if state is None else state.phase
        self.troubled[host] = phase
        if state is not None and phase is not before:
            self._begun[state.phase] += 1
            self.news.append(HostNews(host.name, before, state))
