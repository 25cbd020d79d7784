"""Lessons of an attempt that ended: whether the host works, is busy, or may be down."""

from __future__ import annotations

from url_downloader.engine.host import Host
from url_downloader.engine.host_gate import HostGate
from url_downloader.engine.host_pause import WINDOW
from url_downloader.engine.host_policy import HostPolicy
from url_downloader.shared.models import ErrorKind, JobResult

UNREACHED_KINDS = frozenset(
    {ErrorKind.DNS, ErrorKind.CONNECT, ErrorKind.TLS, ErrorKind.TIMEOUT, ErrorKind.RESET}
)
"""Failures that show, before the first byte of a reply, that a host may be down."""


def is_good(result: JobResult, policy: HostPolicy) -> bool:
    """Tell whether the host that was asked last has answered, and asks for no pause."""
    is_answered = result.contact is not None and result.contact.is_answered
    return is_answered and result.http_status not in policy.busy_statuses


def learn(
    host: Host, result: JobResult, *, policy: HostPolicy, job_id: int, now: float
) -> None:
    """Tell the gate of a host how an attempt has ended there.

    Args:
        host: Host that was asked last; it gets a gate if it is in trouble.
        result: Result of the attempt.
        policy: Rules for the troubles of hosts.
        job_id: Number of the attempt's job.
        now: Monotonic time, seconds.
    """
    is_answered = result.contact is not None and result.contact.is_answered
    if is_answered and result.http_status not in policy.busy_statuses:
        if host.gate is not None or host.good_replies < WINDOW:
            note_good_reply(host)
        return
    if not is_answered and result.kind not in UNREACHED_KINDS:
        return
    gate = host.gate = host.gate or HostGate(policy)
    if is_answered:
        host.has_answered = True
        running, good_replies = host.running, host.good_replies
        gate.note_busy_reply(
            job_id, result, now=now, running=running, good_replies=good_replies
        )
    else:
        gate.note_failure(job_id, result, now=now, has_answered=host.has_answered)


def note_good_reply(host: Host) -> None:
    """Note that a host has answered, and asks for no pause."""
    host.has_answered = True
    if host.good_replies < WINDOW:
        host.good_replies += 1
    if host.gate is not None:
        host.gate.note_good_reply()
