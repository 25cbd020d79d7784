"""Runs in virtual time: real workers and a real task queue, and hosts that follow scripts.

The log of the simulated hosts is the judge: each request with its beginning and its end.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tests.support.hosts import POLICY, name_of
from tests.support.lockstep import START, Lockstep
from url_downloader.config.settings import RetrySettings
from url_downloader.engine.host_policy import HostPolicy
from url_downloader.engine.host_queue import HostQueue
from url_downloader.engine.producer import put_interruptibly
from url_downloader.engine.worker import Clock, Worker, WorkerContext
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.contact import Trouble
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.job_registry import JobRegistry
from url_downloader.shared.models import (
    DownloadJob,
    ErrorKind,
    JobEvent,
    JobResult,
)
from url_downloader.shared.url_parts import origin_text


class Ask(NamedTuple):
    """Request, as its host sees it.

    Args:
        time: Seconds since the begin of the run.
        number: Number of the request at this host, from 1.
        job: Job of the attempt.
    """

    time: float
    number: int
    job: DownloadJob


class Answer(NamedTuple):
    """Reply of a host, or a failure before its first byte.

    Args:
        seconds: Seconds up to the head of the reply, or to the failure.
        status: Status code of the reply.
        retry_after: Value of Retry-After, if there is one.
        location: Host to which the reply leads, if it is a redirect.
        body_seconds: Seconds from the head to the end of the body.
        error: Kind of the failure; None if a reply comes.
        trouble: Cause of the failure.
    """

    seconds: float = 0.1
    status: int = 200
    retry_after: float | None = None
    location: str | None = None
    body_seconds: float = 0.0
    error: ErrorKind | None = None
    trouble: Trouble | None = None


Script = Callable[[Ask], Answer]
DEFAULT_RETRY = RetrySettings()


def refuses(_: Ask) -> Answer:
    """Refuse the connection."""
    return Answer(0.001, error=ErrorKind.CONNECT)


def has_no_name(_: Ask) -> Answer:
    """Fail to look the name up."""
    return Answer(0.02, error=ErrorKind.DNS, trouble=Trouble.NO_NAME)


def is_silent(_: Ask) -> Answer:
    """Accept the connection, and send nothing for 30 s."""
    return Answer(30.0, error=ErrorKind.TIMEOUT, trouble=Trouble.SILENCE)


def replies(
    seconds: float = 0.1, *, status: int = 200, retry_after: float | None = None
) -> Script:
    """Return the script of a host that always sends the same reply."""
    answer = Answer(seconds, status, retry_after)
    return lambda _: answer


def redirects(location: str, seconds: float = 0.1) -> Script:
    """Return the script of a host that leads to another one."""
    answer = Answer(seconds, status=302, location=location)
    return lambda _: answer


def dies(begin: float, end: float, *, script: Script, failure: Script = refuses) -> Script:
    """Return the script of a host that is dead for a time."""
    return lambda ask: failure(ask) if begin <= ask.time < end else script(ask)


class Request(NamedTuple):
    """Request in the log of a host; times in seconds since the begin of the run.

    Args:
        begin: Time at which it came.
        end: Time at which its reply was complete, or at which it failed.
        job: Number of its job.
        status: Status code of the reply; None without a reply.
    """

    begin: float
    end: float
    job: int
    status: int | None


class End(NamedTuple):
    """End of a job, at a time in seconds since the begin of the run."""

    time: float
    result: JobResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Settings of a simulated run.

    Args:
        workers: Number of workers.
        look_ahead: Look-ahead of the queue.
        queue_size: Size of the queue.
        policy: Rules for hosts.
        retry: Settings of retries.
        line_seconds: Seconds between two lines of the list.
    """

    workers: int = 8
    look_ahead: int = 4000
    queue_size: int = 10
    policy: HostPolicy = POLICY
    retry: RetrySettings = DEFAULT_RETRY
    line_seconds: float = 0.0


class HostSimulation:
    """Simulated run.

    Args:
        scripts: Scripts of the hosts by name, or a function that returns that of a host.
        setup: Settings of the run.

    Attributes:
        tasks: The task queue.
        registry: The registry of the jobs.
        time: The threads and their virtual time.
        log: Requests by name of the host, in the order in which they ended.
        ends: Ends of the jobs by number.
    """

    def __init__(
        self,
        scripts: Mapping[str, Script] | Callable[[str], Script],
        setup: Setup | None = None,
    ) -> None:
        setup = self._setup = setup or Setup()
        self._script_of = scripts if callable(scripts) else scripts.__getitem__
        self.log: dict[str, list[Request]] = defaultdict(list)
        self.ends: dict[int, End] = {}
        self._begun: dict[str, int] = defaultdict(int)
        self._left = -1
        self.time = Lockstep()
        self.tasks = HostQueue(
            setup.queue_size,
            look_ahead=setup.look_ahead,
            workers=setup.workers,
            policy=setup.policy,
            now=lambda: self.time.now,
        )
        self.time.adopt(self.tasks.not_empty)
        self.time.adopt(self.tasks.not_full)
        self.registry = JobRegistry(listeners=[self._listen], now=lambda: self.time.now)
        self._context = self._make_context()

    def run(self, jobs: Iterable[DownloadJob], *, seconds: float | None = None) -> None:
        """Run all jobs to their ends, or for a time."""
        self.time.start(lambda: self._produce(jobs))
        for number in range(self._setup.workers):
            worker = Worker(name=f"worker-{number}", pool=self._context, on_crash=_raise)
            self.time.start(functools.partial(_work, worker))
        if seconds is None:
            self.time.run()
            assert len(self.ends) == len(self.registry.snapshot())
        else:
            self.time.run(seconds)

    def ask(self, host: str, job: DownloadJob, *, on_head: Callable[[int], None]) -> Answer:
        """Send a request to a host, and wait for the end of the reply, or the failure."""
        begin = self.elapsed()
        self._begun[host] += 1
        answer = self._script_of(host)(Ask(begin, self._begun[host], job))
        status = None if answer.error else answer.status
        self.time.sleep(answer.seconds)
        if status is not None:
            on_head(status)
            self.time.sleep(answer.body_seconds)
        self.log[host].append(Request(begin, self.elapsed(), job.job_id, status))
        return answer

    def make_downloader(self, control: AttemptControl) -> SimulatedDownloader:
        return SimulatedDownloader(self, control)

    def is_reachable(self) -> bool:
        return True

    def failed(self) -> dict[ErrorKind | None, int]:
        """Return the number of failed jobs by kind."""
        counts: dict[ErrorKind | None, int] = defaultdict(int)
        for end in self.ends.values():
            if end.result.kind is not None:
                counts[end.result.kind] += 1
        return dict(counts)

    def last_end(self, host: str | None = None) -> float:
        """Return the time at which the last job ended, of one host or of all."""
        if host is None:
            return max(end.time for end in self.ends.values())
        records = self.registry.snapshot()
        ids = [each.job.job_id for each in records if each.job.url.startswith(_start(host))]
        return max(self.ends[number].time for number in ids)

    def most_at_once(self, host: str) -> int:
        """Return the largest number of requests that ran at a host at the same time."""
        return most_at_once(self.log[host])

    def begins(self, host: str) -> list[float]:
        """Return the times at which requests came to a host."""
        return sorted(each.begin for each in self.log[host])

    def _make_context(self) -> WorkerContext:
        return WorkerContext(
            tasks=self.tasks,
            registry=self.registry,
            retry=self._setup.retry,
            factory=self,
            on_bytes=lambda _: None,
            judge=lambda _, result: result,
            schedule=self._schedule,
            is_cancelled=lambda: False,
            clock=Clock(now=lambda: self.time.now, jitter=lambda low, high: (low + high) / 2),
        )

    def _produce(self, jobs: Iterable[DownloadJob]) -> None:
        count = 0
        for job in jobs:
            count += 1
            self.registry.add(job)
            put_interruptibly(self.tasks, job, should_stop=lambda: False)
            if self._setup.line_seconds:
                self.time.sleep(self._setup.line_seconds)
        self.tasks.note_end_of_list()
        self._left = count
        self._end_if_done()

    def _schedule(self, job: DownloadJob, due: float) -> None:
        self.time.at(due, lambda: self.tasks.put_retry(job))

    def _listen(self, event: JobEvent) -> None:
        record = event.record
        if record.status.is_terminal:
            assert record.result is not None
            self.ends[record.job.job_id] = End(self.elapsed(), record.result)
            self._end_if_done()

    def _end_if_done(self) -> None:
        if len(self.ends) == self._left:
            for _ in range(self._setup.workers):
                self.tasks.put(None)

    def elapsed(self) -> float:
        """Return the seconds since the begin of the run."""
        return self.time.now - START


class SimulatedDownloader:
    """Downloader of a worker, whose attempts ask simulated hosts."""

    def __init__(self, simulation: HostSimulation, control: AttemptControl) -> None:
        self._simulation = simulation
        self._control = control

    def attempt(self, job: DownloadJob) -> JobResult:
        """Follow redirects up to a final reply, or a failure."""
        control = self._control
        control.begin(job)
        try:
            answer = self._follow(job)
        except AttemptError as error:
            contact = control.contact(error)
            return JobResult(kind=error.kind, message=error.message, contact=contact)
        finally:
            control.end()
        kind = None
        if answer.status >= 400:
            kind = ErrorKind.SERVER_ERROR if answer.status >= 500 else ErrorKind.CLIENT_ERROR
        return JobResult(
            kind=kind,
            message=f"HTTP {answer.status}",
            http_status=answer.status,
            retry_after=answer.retry_after,
            contact=control.contact(),
        )

    def close(self) -> None:
        pass

    def _follow(self, job: DownloadJob) -> Answer:
        home = host_of(job)
        host = home
        while True:
            self._control.ask(None if host == home else name_of(host))
            answer = self._simulation.ask(host, job, on_head=self._control.note_reply)
            if answer.error is not None:
                raise AttemptError(answer.error, "no reply", trouble=answer.trouble)
            if answer.location is None:
                return answer
            host = answer.location


def host_of(job: DownloadJob) -> str:
    """Return the name of a job's host."""
    return origin_text(job.url).removeprefix("http://")


def most_at_once(log: Iterable[Request]) -> int:
    """Return the largest number of requests that ran at the same time."""
    edges = [(each.begin, 1) for each in log] + [(each.end, -1) for each in log]
    running = most = 0
    for _, change in sorted(edges):
        running += change
        most = max(most, running)
    return most


def _start(host: str) -> str:
    return f"{name_of(host)}/"


def _work(worker: Worker) -> None:
    worker.setup()
    while worker.run_once():
        pass


def _raise(error: BaseException) -> None:
    raise error
