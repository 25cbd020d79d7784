"""Jobs that were redirected to other hosts, and the hosts where they count. No locks, no clock.

A job that is redirected to a host that has to wait ends its attempt, and waits there. Its next
attempt begins only when that host and the job's own may be asked. A chain of redirects may have
several hosts that have to wait. All that were met are kept until an attempt ends in another
way. Otherwise, two hosts that are never free at the same time could send a job back for ever.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from url_downloader.engine.host import Host

MAX_TARGETS = 8
"""Hosts, at most, that a job waits for. A server may redirect to another host each time."""


class RedirectedJobs:
    """Hosts other than their own to which jobs were redirected, by number of the job.

    Attributes:
        has_any: Whether there has ever been such a job. Most runs have none, and save the time.

    Threads: one at a time; HostQueue calls all methods under its lock.
    """

    def __init__(self) -> None:
        self.has_any = False
        # Names of hosts that had to wait; hosts where a running attempt counts; and those of
        # them that were counted before the first request there.
        self._targets: dict[int, tuple[str, ...]] = {}
        self._visited: dict[int, list[Host]] = {}
        self._reserved: dict[int, set[Host]] = {}

    def targets(self, job_id: int) -> Sequence[str]:
        """Return the names of the hosts that the job waits for, the last one last."""
        return self._targets.get(job_id, ())

    def add_target(self, job_id: int, name: str) -> None:
        """Note that the job was redirected to a host that has to wait."""
        self.has_any = True
        others = [each for each in self._targets.get(job_id, ()) if each != name]
        self._targets[job_id] = (*others, name)[-MAX_TARGETS:]

    def reserve(self, job_id: int, hosts: Set[Host]) -> None:
        """Note that an attempt counts at hosts that it will be redirected to."""
        self._reserved[job_id] = set(hosts)
        self._visited[job_id] = list(hosts)

    def use_reserved(self, job_id: int, host: Host) -> bool:
        """Note the first request to a reserved host; return False if it is not reserved."""
        reserved = self._reserved.get(job_id, set())
        is_reserved = host in reserved
        reserved.discard(host)
        return is_reserved

    def visits(self, job_id: int, host: Host) -> bool:
        """Tell whether the attempt counts at a host."""
        return host in self._visited.get(job_id, ())

    def visit(self, job_id: int, host: Host) -> None:
        """Note that an attempt counts at one more host."""
        self.has_any = True
        self._visited.setdefault(job_id, []).append(host)

    def end(self, job_id: int, *, has_to_wait: bool) -> Sequence[tuple[Host, bool]]:
        """Return the hosts where an attempt counted, and whether it has asked them; forget it.

        Args:
            job_id: Number of the attempt's job.
            has_to_wait: Whether the job was redirected to a host that has to wait.
        """
        if not has_to_wait:
            self._targets.pop(job_id, None)
        if job_id not in self._visited:
            return ()
        reserved = self._reserved.pop(job_id, set())
        return [(host, host not in reserved) for host in self._visited.pop(job_id)]
