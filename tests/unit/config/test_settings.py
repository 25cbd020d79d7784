"""Settings: their defaults, and the checks of their ranges."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.config.host_settings import HostLimits, HostRule, HostSettings
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import (
    MonitorSettings,
    OutputSettings,
    PoolSettings,
    RetrySettings,
    RunSettings,
    Settings,
    TransferSettings,
)
from url_downloader.shared.errors import ConfigError
from url_downloader.shared.job_options import AttemptLimits

Part = Callable[..., object]

DAY = 86400
LIMITS: list[tuple[Part, str, str, float, float]] = [
    (RetrySettings, "max_retries", "--max-retries", 0, 1000),
    (RetrySettings, "delay", "--retry-delay", 0, DAY),
    (RetrySettings, "max_delay", "--retry-max-delay", 0, DAY),
    (RetrySettings, "max_retry_after", "--max-retry-after", 0, 30 * DAY),
    (AttemptLimits, "timeout", "--timeout", 0, DAY),
    (AttemptLimits, "connect_timeout", "--connect-timeout", 0, DAY),
    (AttemptLimits, "max_time", "--max-time", 0, 30 * DAY),
    (AttemptLimits, "speed_limit", "--speed-limit", 0, 2**60),
    (AttemptLimits, "speed_time", "--speed-time", 1, DAY),
    (TransferSettings, "max_redirects", "--max-redirects", 0, 1000),
    (TransferSettings, "max_filesize", "--max-filesize", 0, 2**60),
    (PoolSettings, "max_workers", "--max-workers", 1, 1024),
    (PoolSettings, "queue_size", "--queue-size", 1, 1_000_000),
    (PoolSettings, "look_ahead", "--look-ahead", 0, 1_000_000),
    (HostLimits, "connections", "--per-host", 0, 1024),
    (HostLimits, "interval", "interval", 0, DAY),
    (HostSettings, "outage_wait", "--outage-wait", 0, 30 * DAY),
    (RunSettings, "limit_rate", "--limit-rate", 0, 2**60),
    (RunSettings, "max_total_size", "--max-total-size", 0, 2**60),
    (MonitorSettings, "interval", "--monitor-interval", 0.01, DAY),
]
LIMIT_IDS = [flag for _, _, flag, _, _ in LIMITS]
each_limit = pytest.mark.parametrize(
    ("part", "name", "flag", "low", "high"), LIMITS, ids=LIMIT_IDS
)


def checked(part: object) -> object:
    """Return the part after its check; the settings of transfers check limits."""
    return TransferSettings(limits=part).limits if isinstance(part, AttemptLimits) else part


def test_defaults() -> None:
    """The defaults are those that the documentation of the flags gives."""
    settings = Settings()
    assert settings.pool == PoolSettings(max_workers=4, queue_size=10)
    assert settings.output == OutputSettings(directory=Path("downloads"))
    assert settings.transfer == TransferSettings(limits=AttemptLimits(), max_redirects=20)
    assert AttemptLimits() == AttemptLimits(
        timeout=30, connect_timeout=None, max_time=0, speed_limit=100, speed_time=30
    )
    assert settings.server == ServerSettings(is_verified=True, uses_netrc=True)
    assert settings.monitor == MonitorSettings(interval=1)
    assert settings.retry == RetrySettings(
        max_retries=4, delay=1, max_delay=60, max_retry_after=600, retry_on=frozenset()
    )


@each_limit
def test_ends_of_ranges(part: Part, name: str, flag: str, low: float, high: float) -> None:
    """The least and the greatest value of a range are allowed."""
    for value in (low, high):
        assert getattr(checked(part(**{name: value})), name) == value


@each_limit
@pytest.mark.parametrize("beyond", ["below", "above", "far above", "nan", "inf", "-inf"])
def test_values_out_of_range(
    part: Part, name: str, flag: str, low: float, high: float, beyond: str
) -> None:
    """The error for a value out of range has the flag and the range."""
    value = {"below": low - 0.01, "above": high + 1, "far above": 10**400}.get(beyond)
    with pytest.raises(ConfigError) as caught:
        checked(part(**{name: float(beyond) if value is None else value}))
    words = str(caught.value)
    assert words.startswith(f"{flag}:")
    assert f"from {low:.12g} to {high:.12g}" in words


@each_limit
@given(value=st.floats() | st.integers())
def test_a_range_has_no_hole(
    part: Part, name: str, flag: str, low: float, high: float, value: float
) -> None:
    """Exactly the numbers in the range are allowed."""
    if math.isfinite(value) and low <= value <= high:
        checked(part(**{name: value}))
    else:
        with pytest.raises(ConfigError):
            checked(part(**{name: value}))


@pytest.mark.parametrize("codes", [{400}, {499}, {408, 425, 429}, set()])
def test_retry_on_takes_4xx(codes: set[int]) -> None:
    """Any status code from 400 to 499 can be retried."""
    assert RetrySettings(retry_on=frozenset(codes)).retry_on == codes


@pytest.mark.parametrize("codes", [{399}, {500}, {0}, {-404}, {404, 503}, {404, 200, 429}])
def test_retry_on_takes_nothing_else(codes: set[int]) -> None:
    """A single other code is an error, whose message has flag and range."""
    with pytest.raises(ConfigError, match=r"^--retry-on: .*from 400 to 499"):
        RetrySettings(retry_on=frozenset(codes))


def test_settings_are_immutable() -> None:
    """Settings can be pickled, and no part of them can be changed."""
    settings = Settings(retry=RetrySettings(retry_on=frozenset({429})))
    assert pickle.loads(pickle.dumps(settings)) == settings
    for part, name in [(settings, "pool"), (settings.retry, "delay"), (settings.pool, "x")]:
        with pytest.raises((FrozenInstanceError, TypeError, AttributeError)):
            setattr(part, name, 1)


def test_parts_are_not_shared_between_settings() -> None:
    """New settings do not change others."""
    assert Settings(pool=PoolSettings(max_workers=8)).pool.max_workers == 8
    assert Settings().pool.max_workers == 4


@pytest.mark.parametrize(
    "hosts",
    [
        HostSettings(limits=HostLimits(connections=1)),
        HostSettings(limits=HostLimits(interval=1)),
        HostSettings(rules=[HostRule(pattern="h", connections=1)]),
        HostSettings(backoff_on=frozenset({403})),
    ],
)
def test_limits_of_hosts_need_a_look_ahead(hosts: HostSettings) -> None:
    """Without a look-ahead they would have no effect, which is an error."""
    assert Settings(hosts=hosts, pool=PoolSettings(look_ahead=1)).hosts is hosts
    with pytest.raises(ConfigError, match=r"^--look-ahead: must not be 0 with --per-host"):
        Settings(hosts=hosts, pool=PoolSettings(look_ahead=0))
    Settings(hosts=HostSettings(outage_wait=0), pool=PoolSettings(look_ahead=0))


@pytest.mark.parametrize(
    ("look_ahead", "workers", "jobs"),
    [(None, 1, 4000), (None, 100, 5000), (0, 4, 0), (7, 9, 7)],
)
def test_the_look_ahead(look_ahead: int | None, workers: int, jobs: int) -> None:
    """By default it is 4,000 jobs, or 50 for each worker if that is more."""
    assert PoolSettings(max_workers=workers, look_ahead=look_ahead).jobs_ahead == jobs
