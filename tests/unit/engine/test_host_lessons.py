"""Lessons of an attempt: which results say something about the host."""

from __future__ import annotations

import pytest

from tests.support.hosts import NO_NAME, POLICY, REFUSED, busy, good, make_policy, unreached
from url_downloader.engine.host import Host
from url_downloader.engine.host_lessons import is_good, learn, note_good_reply
from url_downloader.shared.models import ErrorKind, JobResult

NOT_FOUND = good()._replace(kind=ErrorKind.CLIENT_ERROR, http_status=404)
TRUNCATED = good()._replace(kind=ErrorKind.TRUNCATED)
GARBAGE = good()._replace(kind=ErrorKind.NOT_HTTP, http_status=None)


def learned(*results: JobResult) -> Host:
    """Return a host that has learned from these results."""
    host = Host("http://a", None)
    for number, result in enumerate(results):
        learn(host, result, policy=POLICY, job_id=number, now=100.0)
    return host


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (good(), True),
        (NOT_FOUND, True),
        (TRUNCATED, True),
        (GARBAGE, True),
        (busy(status=500), True),
        (busy(status=503), False),
        (busy(status=429), False),
        (REFUSED, False),
        (JobResult(kind=ErrorKind.LOCAL), False),
    ],
)
def test_good_replies(result: JobResult, expected: bool) -> None:
    """Any answer is good that asks for no pause, whatever becomes of the job."""
    assert is_good(result, POLICY) is expected


def test_codes_of_the_user_are_not_good() -> None:
    """A code of --backoff-on asks for a pause."""
    policy = make_policy(backoff_on=frozenset({404}))
    assert not is_good(NOT_FOUND, policy)


@pytest.mark.parametrize(
    ("results", "has_answered", "good_replies", "has_gate"),
    [
        ([good()], True, 1, False),
        ([good()] * 30, True, 20, False),
        ([GARBAGE], True, 1, False),
        ([busy()], True, 0, True),
        ([REFUSED], False, 0, True),
        ([NO_NAME, NO_NAME], False, 0, True),
        ([good(), REFUSED], True, 1, True),
    ],
)
def test_hosts_remember_little(
    results: list[JobResult], has_answered: bool, good_replies: int, has_gate: bool
) -> None:
    """A host that works costs a number; one in trouble gets a gate."""
    host = learned(*results)
    assert (host.has_answered, host.good_replies) == (has_answered, good_replies)
    assert (host.gate is not None) is has_gate


def test_failures_of_other_kinds_tell_nothing() -> None:
    """A failure of this machine needs no gate and opens no breaker, however often it comes."""
    host = learned(*[unreached(kind=ErrorKind.NO_DESCRIPTORS)] * 9)
    assert host.gate is None


def test_good_replies_before_the_trouble_count() -> None:
    """The 20 last replies include those that came before the host had a gate."""
    paused, not_paused = (learned(*[good()] * n, *[busy()] * 8) for n in (8, 9))
    assert paused.gate is not None
    assert not_paused.gate is not None
    assert paused.gate.awaits_replies
    assert not not_paused.gate.awaits_replies


def test_a_redirect_is_a_good_reply() -> None:
    """A host that leads elsewhere has answered."""
    host = Host("http://a", None)
    note_good_reply(host)
    assert (host.has_answered, host.good_replies) == (True, 1)
