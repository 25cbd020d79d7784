"""Rules for hosts that are made from the settings of a run."""

from __future__ import annotations

import pytest

from tests.support.hosts import make_policy, no_jitter
from url_downloader.config.host_settings import HostLimits, HostRule, HostSettings
from url_downloader.config.settings import RetrySettings
from url_downloader.engine.host_policy import host_policy


@pytest.mark.parametrize(
    ("retry", "seconds"),
    [
        (RetrySettings(), 7.5),
        (RetrySettings(max_retries=0), 0.0),
        (RetrySettings(max_retries=1), 0.5),
        (RetrySettings(delay=0.0), 0.0),
        (RetrySettings(delay=2.0), 15.0),
        (RetrySettings(max_retries=8), 0.5 * (1 + 2 + 4 + 8 + 16 + 32 + 60 + 60)),
        (RetrySettings(max_delay=2.0), 0.5 * (1 + 2 + 2 + 2)),
    ],
)
def test_the_time_of_the_retries(retry: RetrySettings, seconds: float) -> None:
    """A host that never answered gets as long as the retries of a job wait on average."""
    assert make_policy(retry=retry).patience.retry_seconds == seconds


def test_the_defaults() -> None:
    """429 and 503 ask for a pause, for up to ten minutes; no host has limits."""
    policy = host_policy(HostSettings(), RetrySettings(), jitter=no_jitter)
    assert policy.busy_statuses == {429, 503}
    assert (policy.max_retry_after, policy.patience.outage_wait) == (600.0, 600.0)
    assert policy.limits_for is None


def test_the_settings_of_the_user() -> None:
    """Codes are added to 429 and 503; times are those of the user."""
    hosts = HostSettings(backoff_on=frozenset({403, 520}), outage_wait=9.0)
    policy = host_policy(hosts, RetrySettings(max_retry_after=7.0), jitter=no_jitter)
    assert policy.busy_statuses == {403, 429, 503, 520}
    assert (policy.max_retry_after, policy.patience.outage_wait) == (7.0, 9.0)


@pytest.mark.parametrize(
    ("name", "connections"),
    [
        ("http://a.example", 3),
        ("https://b.example", 2),
        ("https://b.example:8443", 1),
        ("http://[2001:db8::1]:81", 4),
    ],
)
def test_limits_are_found_by_the_name_of_the_host(name: str, connections: int) -> None:
    """Rules are for the host and the port of an origin as the engine names it."""
    rules = [
        HostRule(pattern="b.example:8443", connections=1),
        HostRule(pattern="b.example", connections=2),
        HostRule(pattern="[2001:db8::1]:81", connections=4),
    ]
    hosts = HostSettings(limits=HostLimits(connections=3), rules=rules)
    limits_for = host_policy(hosts, RetrySettings(), jitter=no_jitter).limits_for
    assert limits_for is not None
    assert limits_for(name).connections == connections
