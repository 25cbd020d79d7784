"""Rules for the troubles and limits of hosts, made from the settings of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from url_downloader.config.host_settings import HostLimits, HostSettings
from url_downloader.config.settings import RetrySettings
from url_downloader.engine.circuit_breaker import Patience
from url_downloader.engine.retry_policy import backoff_bound
from url_downloader.shared.url_parts import origin_of

NO_LIMITS = HostLimits()
BUSY_STATUSES = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Status codes of replies that ask for a pause (RFC 6585 §4, RFC 9110 §15.6.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPolicy:
    """Rules for the troubles and limits of all hosts.

    Args:
        busy_statuses: Status codes of replies that ask for a pause.
        max_retry_after: Seconds; longest pause that a host may ask for; 0 = no limit.
        patience: Times after which a host counts as down.
        jitter: Function uniform(low, high) that returns a random number between the two.
        limits_for: Function that returns the limits of the user for an origin, given as text;
            None if no host has any.
    """

    busy_statuses: frozenset[int]
    max_retry_after: float
    patience: Patience
    jitter: Callable[[float, float], float]
    limits_for: Callable[[str], HostLimits] | None = None


def host_policy(
    hosts: HostSettings, retry: RetrySettings, *, jitter: Callable[[float, float], float]
) -> HostPolicy:
    """Return the rules that the settings of a run ask for.

    Args:
        hosts: Settings of the hosts.
        retry: Settings of retries.
        jitter: Function uniform(low, high) that returns a random number between the two.
    """
    retries = range(1, retry.max_retries + 1)
    has_limits = bool(hosts.rules) or hosts.limits != NO_LIMITS
    return HostPolicy(
        busy_statuses=BUSY_STATUSES | hosts.backoff_on,
        max_retry_after=retry.max_retry_after,
        patience=Patience(
            outage_wait=hosts.outage_wait,
            retry_seconds=sum(backoff_bound(retry, n) / 2 for n in retries),
        ),
        jitter=jitter,
        limits_for=(lambda name: hosts.limits_for(origin_of(f"{name}/")))
        if has_limits
        else None,
    )
