"""Policy that decides whether and when a job is tried again. Pure functions.

Independent of clock, queue and registry: the caller passes all numbers and the random source.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

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
"""Failures that another attempt may cure.

Other rules hold for excused attempts, for a 4xx or a proxy's refusal (`--retry-on`), and for a
checksum mismatch."""

MAX_EXCUSED = 100
"""Attempts of one job that may fail for a local reason without being counted.

The bound makes sure that every run ends."""
_MAX_EXPONENT = 64


@dataclass(frozen=True, slots=True)
class Done:
    """Decision that the job has succeeded."""


@dataclass(frozen=True, slots=True)
class RetryIn:
    """Decision to try the job again after `delay` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Decision that the job has failed for good; `result` gives the reason."""

    result: JobResult


Decision = Done | RetryIn | GiveUp


def decide(
    policy: RetrySettings,
    record: JobRecord,
    *,
    result: JobResult,
    jitter: Callable[[float, float], float],
) -> Decision:
    """Return what follows an attempt.

    Args:
        policy: Retry settings of the run.
        record: Record of the job during the attempt; its result is that of the attempt before.
        result: Result of the attempt.
        jitter: Function uniform(low, high) that returns a random number between the two.
    """
    if result.kind is None:
        return Done()
    # An outage ends by itself, or ends the run.
    is_bounded = record.excused < MAX_EXCUSED or result.kind is ErrorKind.NO_NETWORK
    if result.is_excused and is_bounded:
        return RetryIn(jitter(0.0, backoff_bound(policy, record.excused + 1)))
    failures = record.attempts - record.excused
    has_no_retry_left = failures > record.job.max_retries
    if has_no_retry_left or not _is_worth_retrying(policy, result, previous=record.result):
        return GiveUp(_with_hint(policy, result))
    if result.retry_after is None:
        return RetryIn(jitter(0.0, backoff_bound(policy, failures)))
    if policy.max_retry_after and result.retry_after > policy.max_retry_after:
        return GiveUp(_refused_wait(policy, result))
    return RetryIn(result.retry_after + jitter(0.0, policy.delay))


def backoff_bound(policy: RetrySettings, failures: int) -> float:
    """Return the upper bound of the backoff with full jitter, in seconds.

    Args:
        policy: Retry settings of the run.
        failures: Number of failed attempts, from 1 on.
    """
    doublings = min(failures - 1, _MAX_EXPONENT)
    return float(min(policy.max_delay, policy.delay * 2**doublings))


def _is_worth_retrying(
    policy: RetrySettings, result: JobResult, *, previous: JobResult | None
) -> bool:
    if result.kind is ErrorKind.CHECKSUM:
        # A transfer may corrupt a file once, but hardly twice in a row. An existing file that
        # was checked without a request (no HTTP status) would fail again.
        is_first = previous is None or previous.kind is not ErrorKind.CHECKSUM
        return is_first and result.http_status is not None
    if result.kind in (ErrorKind.CLIENT_ERROR, ErrorKind.PROXY_REFUSED):
        return result.http_status in policy.retry_on
    return result.kind in RETRIED_KINDS


def _with_hint(policy: RetrySettings, result: JobResult) -> JobResult:
    """Return the final result; that of a 429 names the option that would try it again."""
    status = HTTPStatus.TOO_MANY_REQUESTS
    is_client_error = result.kind is ErrorKind.CLIENT_ERROR
    if is_client_error and result.http_status == status and status not in policy.retry_on:
        return result._replace(message=_hinted(result.message))
    return result


@functools.lru_cache(maxsize=64)
def _hinted(message: str) -> str:
    """Return the message with the hint; all jobs share one string."""
    return f"{message} (--retry-on 429 would try again)"


def _refused_wait(policy: RetrySettings, result: JobResult) -> JobResult:
    message = (
        f"{result.message}; the server asks to wait {result.retry_after:.0f} s, longer"
        f" than --max-retry-after {policy.max_retry_after:g}"
    )
    return result._replace(kind=ErrorKind.RETRY_AFTER, message=message)
