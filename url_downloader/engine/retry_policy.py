"""What replies and failures mean, and when to try again. Pure functions.

Knows no clock, no queue and no job: the caller brings the numbers and the luck.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from url_downloader.config.settings import RetrySettings
from url_downloader.shared.models import ErrorKind, JobRecord, JobResult

RETRIED_KINDS = frozenset(
    {
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
)
"""The kinds that another attempt may mend. A 4xx is one only when `--retry-on` lists it."""

MAX_EXCUSED = 100
"""Attempts that may fail for no reason of the job's: a run must end."""
_MAX_EXPONENT = 64


@dataclass(frozen=True, slots=True)
class Done:
    """The job has succeeded."""


@dataclass(frozen=True, slots=True)
class RetryIn:
    """Try again after so many seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The job has failed for good; `result` says why."""

    result: JobResult


Decision = Done | RetryIn | GiveUp


def decide(
    policy: RetrySettings,
    record: JobRecord,
    *,
    result: JobResult,
    jitter: Callable[[float, float], float],
) -> Decision:
    """Decide what follows an attempt.

    Args:
        policy: Retry settings of the run.
        record: Record of the job during the attempt; its result is the attempt's before.
        result: Result of the attempt.
        jitter: uniform(low, high).
    """
    if result.kind is None:
        return Done()
    if result.is_excused and record.excused < MAX_EXCUSED:
        return RetryIn(jitter(0.0, backoff_bound(policy, record.excused + 1)))
    failures = record.attempts - record.excused
    has_no_retry_left = failures > record.job.max_retries
    if has_no_retry_left or not _is_worth_retrying(policy, result, previous=record.result):
        return GiveUp(result)
    if result.retry_after is None:
        return RetryIn(jitter(0.0, backoff_bound(policy, failures)))
    if policy.max_retry_after and result.retry_after > policy.max_retry_after:
        return GiveUp(_refused_wait(policy, result))
    return RetryIn(result.retry_after + jitter(0.0, policy.delay))


def backoff_bound(policy: RetrySettings, failures: int) -> float:
    """Return the most seconds that full jitter waits after so many failures, from 1 on."""
    doublings = min(failures - 1, _MAX_EXPONENT)
    return float(min(policy.max_delay, policy.delay * 2**doublings))


def _is_worth_retrying(
    policy: RetrySettings, result: JobResult, *, previous: JobResult | None
) -> bool:
    if result.kind is ErrorKind.CHECKSUM:
        # The server's copy may have been corrupted on its way, but hardly twice. A file that is
        # left as it is, without a request, stays wrong.
        is_first = previous is None or previous.kind is not ErrorKind.CHECKSUM
        return is_first and result.http_status is not None
    if result.kind in (ErrorKind.CLIENT_ERROR, ErrorKind.PROXY_REFUSED):
        return result.http_status in policy.retry_on
    return result.kind in RETRIED_KINDS


def _refused_wait(policy: RetrySettings, result: JobResult) -> JobResult:
    return JobResult(
        kind=ErrorKind.RETRY_AFTER,
        message=(
            f"{result.message}; the server asks to wait {result.retry_after:.0f} s, longer"
            f" than --max-retry-after {policy.max_retry_after:g}"
        ),
        http_status=result.http_status,
        size=result.size,
        seconds=result.seconds,
    )
