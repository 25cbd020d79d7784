"""The retry policy: failures that are retried, the backoff, and Retry-After."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.jobs import BUSY, make_job, make_record
from url_downloader.config.settings import RetrySettings
from url_downloader.engine.retry_policy import (
    MAX_EXCUSED,
    Decision,
    Done,
    GiveUp,
    RetryIn,
    backoff_bound,
    decide,
)
from url_downloader.shared.http_semantics import status_failure
from url_downloader.shared.models import ErrorKind, JobRecord, JobResult, JobStatus

DAY = 86400.0
CURABLE = {
    ErrorKind.DNS,
    ErrorKind.CONNECT,
    ErrorKind.TLS,
    ErrorKind.PROXY,
    ErrorKind.TIMEOUT,
    ErrorKind.RESET,
    ErrorKind.TRUNCATED,
    ErrorKind.MALFORMED,
    ErrorKind.NOT_HTTP,
    ErrorKind.PREMATURE_REPLY,
    ErrorKind.HEADERS_TOO_LARGE,
    ErrorKind.ENCODING,
    ErrorKind.SERVER_ERROR,
}
SECONDS = st.floats(0, DAY)
LUCK = st.floats(0, 1)


def running(
    attempts: int,
    *,
    max_retries: int,
    excused: int = 0,
    previous: JobResult | None = None,
) -> JobRecord:
    """Return the record of a job in this attempt, after one that ended with `previous`."""
    return make_record(
        JobStatus.RUNNING,
        make_job(max_retries=max_retries),
        attempts=attempts,
        excused=excused,
        result=previous,
    )


def outcome(
    result: JobResult,
    policy: RetrySettings | None = None,
    *,
    attempts: int = 1,
    max_retries: int = 4,
    previous: JobResult | None = None,
    luck: float = 1.0,
) -> Decision:
    """Return the decision; luck 0 draws the smallest jitter, 1 the largest."""
    return decide(
        policy or RetrySettings(),
        running(attempts, max_retries=max_retries, previous=previous),
        result=result,
        jitter=lambda low, high: low + (high - low) * luck,
    )


def failure_by(status: int) -> JobResult:
    """Return the result of an attempt that failed by this status."""
    kind, message = status_failure(status, {})
    return JobResult(kind=kind, message=message, http_status=status)


def delay_of(decision: Decision) -> float:
    """Return the seconds before the next attempt, which there must be."""
    assert isinstance(decision, RetryIn)
    return decision.delay


@pytest.mark.parametrize("kind", ErrorKind)
def test_kinds(kind: ErrorKind) -> None:
    """Failures that another attempt may cure are retried; all others, 4xx too, are final."""
    result = JobResult(kind=kind, http_status=404 if kind is ErrorKind.CLIENT_ERROR else None)
    is_retried = kind in CURABLE or result.is_excused
    expected = RetryIn(1.0) if is_retried else GiveUp(result)
    assert outcome(result) == expected


def test_want_of_descriptors_is_not_the_jobs_fault() -> None:
    """A failure for want of descriptors uses up no retry, but is not retried for ever."""
    result = JobResult(kind=ErrorKind.NO_DESCRIPTORS)
    policy, jitter = RetrySettings(), lambda low, high: high
    ends = [
        decide(
            policy,
            running(9 + n, max_retries=0, excused=n),
            result=result,
            jitter=jitter,
        )
        for n in (0, 1, MAX_EXCUSED - 1, MAX_EXCUSED)
    ]
    assert ends == [RetryIn(1.0), RetryIn(2.0), RetryIn(60.0), GiveUp(result)]


CORRUPT = JobResult(kind=ErrorKind.CHECKSUM, http_status=200)


@pytest.mark.parametrize(
    ("result", "previous", "attempts", "is_retried"),
    [
        (CORRUPT, None, 1, True),
        (CORRUPT, BUSY, 2, True),
        (CORRUPT, CORRUPT, 2, False),
        (CORRUPT, None, 5, False),
        (JobResult(kind=ErrorKind.CHECKSUM), None, 1, False),
    ],
)
def test_a_wrong_checksum(
    result: JobResult, previous: JobResult | None, *, attempts: int, is_retried: bool
) -> None:
    """A corrupt download is tried again once; a file that was there before is not."""
    expected = RetryIn(min(60.0, 2.0 ** (attempts - 1))) if is_retried else GiveUp(result)
    assert outcome(result, attempts=attempts, previous=previous) == expected


def test_excused_attempts_use_up_no_retries() -> None:
    """Neither the number of retries left nor the delay counts them."""
    policy, jitter = RetrySettings(), lambda low, high: high
    record = running(9, max_retries=4, excused=5)
    result = JobResult(kind=ErrorKind.SERVER_ERROR, http_status=503)
    assert decide(policy, record, result=result, jitter=jitter) == RetryIn(8.0)


def test_success() -> None:
    """A result without an error kind ends the job, even with a Retry-After."""
    for attempts in (1, 5, 99):
        result = JobResult(http_status=200, retry_after=5.0)
        assert outcome(result, attempts=attempts) == Done()


@pytest.mark.parametrize(
    ("status", "is_retried"),
    [(s, False) for s in (300, 304, 399, 400, 401, 403, 404, 408, 410, 425, 429, 499)]
    + [(s, True) for s in (500, 501, 502, 503, 504, 505, 521, 599)]
    + [(s, False) for s in (206, 600, 999)],
)
def test_statuses(status: int, is_retried: bool) -> None:
    """Every 5xx is retried; no 4xx and no other status is."""
    assert isinstance(outcome(failure_by(status)), RetryIn if is_retried else GiveUp)


@pytest.mark.parametrize("status", range(400, 500))
def test_retry_on(status: int) -> None:
    """Listed codes are retried; the other 4xx codes are not."""
    policy = RetrySettings(retry_on=frozenset({408, 425, 429}))
    is_listed = status in {408, 425, 429}
    assert isinstance(outcome(failure_by(status), policy), RetryIn if is_listed else GiveUp)


@pytest.mark.parametrize("retry_on", [{429}, {407}, {403, 407}])
def test_retry_on_what_a_proxy_says(retry_on: set[int]) -> None:
    """A 407 of a proxy is retried if it is listed, and only then."""
    result = JobResult(kind=ErrorKind.PROXY_REFUSED, http_status=407)
    decision = outcome(result, RetrySettings(retry_on=frozenset(retry_on)))
    assert isinstance(decision, RetryIn if 407 in retry_on else GiveUp)


@pytest.mark.parametrize("kind", [ErrorKind.REDIRECT, ErrorKind.LOCAL, ErrorKind.INTERNAL])
def test_retry_on_is_about_4xx_alone(kind: ErrorKind) -> None:
    """A listed code does not make other kinds of failure with that status retried."""
    result = JobResult(kind=kind, http_status=429)
    assert outcome(result, RetrySettings(retry_on=frozenset({429}))) == GiveUp(result)


@pytest.mark.parametrize("max_retries", [0, 1, 4, 1000])
def test_one_attempt_more_than_retries(max_retries: int) -> None:
    """A job that always fails has 1 + max_retries attempts; the last result is final."""
    result = failure_by(503)
    decisions = [
        outcome(result, attempts=attempts, max_retries=max_retries)
        for attempts in range(1, max_retries + 3)
    ]
    assert all(isinstance(decision, RetryIn) for decision in decisions[:max_retries])
    assert decisions[max_retries:] == [GiveUp(result)] * 2


def test_the_jobs_own_retries_count() -> None:
    """The number of retries is the job's, not the run's default."""
    policy = RetrySettings(max_retries=0)
    assert isinstance(outcome(failure_by(503), policy, max_retries=1), RetryIn)
    policy = RetrySettings(max_retries=9)
    assert isinstance(outcome(failure_by(503), policy, max_retries=0), GiveUp)


@pytest.mark.parametrize(
    ("base", "cap", "bounds"),
    [
        (1, 60, [1, 2, 4, 8, 16, 32, 60, 60]),
        (0.5, 3, [0.5, 1, 2, 3, 3]),
        (10, 5, [5, 5]),
        (0, 60, [0, 0]),
        (1, 0, [0, 0]),
    ],
)
def test_backoff_doubles_up_to_its_cap(base: float, cap: float, bounds: list[float]) -> None:
    """The longest delay doubles with each failure up to the cap; the shortest is 0."""
    policy = RetrySettings(delay=base, max_delay=cap)
    for attempts, bound in enumerate(bounds, start=1):
        ends = [
            delay_of(
                outcome(failure_by(503), policy, attempts=attempts, max_retries=99, luck=n)
            )
            for n in (0.0, 0.5, 1.0)
        ]
        assert ends == [0, bound / 2, bound]


@given(base=SECONDS, cap=SECONDS, n=st.integers(0, 50), luck=LUCK)
def test_backoff_bounds(base: float, cap: float, n: int, luck: float) -> None:
    """After n + 1 failures no delay is below 0, above the cap, or above base * 2**n."""
    policy = RetrySettings(delay=base, max_delay=cap)
    assert backoff_bound(policy, n + 1) == min(cap, base * 2**n)
    decision = outcome(failure_by(500), policy, attempts=n + 1, max_retries=n + 1, luck=luck)
    assert 0 <= delay_of(decision) <= min(cap, base * 2**n)


@given(base=st.floats(1e-9, DAY), cap=SECONDS, n=st.integers(50, 10**100))
def test_many_failures_are_no_overflow(base: float, cap: float, n: int) -> None:
    """However many failures, the delay is a number, and it has reached the cap."""
    assert backoff_bound(RetrySettings(delay=base, max_delay=cap), n) == cap


@given(asked=st.floats(0, 600), base=SECONDS, cap=SECONDS, luck=LUCK, n=st.integers(1, 2000))
def test_never_earlier_than_asked(
    asked: float, base: float, cap: float, luck: float, n: int
) -> None:
    """A retry comes at the time that the server names, or at most the base delay later."""
    policy = RetrySettings(delay=base, max_delay=cap)
    result = JobResult(kind=ErrorKind.SERVER_ERROR, http_status=503, retry_after=asked)
    delay = delay_of(outcome(result, policy, attempts=n, max_retries=n, luck=luck))
    assert asked <= delay <= asked + base


@pytest.mark.parametrize("luck", [0.0, 0.25, 1.0])
def test_jitter_is_added_to_what_was_asked(luck: float) -> None:
    """Jitter keeps the clients of a busy server from coming back all at once."""
    result = JobResult(kind=ErrorKind.SERVER_ERROR, http_status=503, retry_after=30)
    assert delay_of(outcome(result, RetrySettings(delay=4), luck=luck)) == 30 + 4 * luck


@pytest.mark.parametrize(
    ("asked", "limit", "is_too_long"),
    [
        (600, 600, False),
        (600.5, 600, True),
        (601, 600, True),
        (math.inf, 600, True),
        (5, 4, True),
        (5, 5, False),
        (1e300, 30 * DAY, True),
    ],
)
def test_too_long_a_wait_is_a_failure_now(
    asked: float, limit: float, is_too_long: bool
) -> None:
    """A Retry-After above the limit fails the job; the message has the option and the wait."""
    result = JobResult(
        kind=ErrorKind.SERVER_ERROR,
        message="HTTP 503 Service Unavailable",
        http_status=503,
        size=3,
        retry_after=asked,
        seconds=0.5,
    )
    decision = outcome(result, RetrySettings(max_retry_after=limit))
    assert isinstance(decision, GiveUp if is_too_long else RetryIn)
    if isinstance(decision, GiveUp):
        final = decision.result
        assert final.kind is ErrorKind.RETRY_AFTER
        assert final.message.startswith("HTTP 503 Service Unavailable")
        assert f"--max-retry-after {limit:g}" in final.message
        assert f"{asked:.0f} s" in final.message
        assert (final.http_status, final.size, final.seconds) == (503, 3, 0.5)
        assert final.retry_after == asked


def test_a_wait_is_nothing_to_what_is_not_retried() -> None:
    """Retry-After makes no retry of a 404, and none after the last attempt."""
    not_found = JobResult(kind=ErrorKind.CLIENT_ERROR, http_status=404, retry_after=1)
    assert outcome(not_found) == GiveUp(not_found)
    busy = JobResult(kind=ErrorKind.SERVER_ERROR, http_status=503, retry_after=1)
    assert outcome(busy, attempts=5) == GiveUp(busy)


def test_a_listed_429_honours_its_wait() -> None:
    """A listed 429 is retried after the time in its Retry-After."""
    policy = RetrySettings(retry_on=frozenset({429}))
    result = JobResult(kind=ErrorKind.CLIENT_ERROR, http_status=429, retry_after=7)
    assert delay_of(outcome(result, policy, luck=0)) == 7


@pytest.mark.parametrize(
    ("retry_on", "status", "has_hint"),
    [(set(), 429, True), ({429}, 429, False), (set(), 403, False), ({403}, 429, True)],
)
def test_a_429_names_the_option(retry_on: set[int], status: int, has_hint: bool) -> None:
    """A 429 that ends a job names the option that tries it again, unless it was given."""
    result = JobResult(kind=ErrorKind.CLIENT_ERROR, message="HTTP", http_status=status)
    policy = RetrySettings(retry_on=frozenset(retry_on))
    decision = outcome(result, policy, max_retries=0)
    assert isinstance(decision, GiveUp)
    hint = " (--retry-on 429 would try again)"
    assert decision.result == result._replace(message="HTTP" + hint * has_hint)
