"""Settings of hosts: the limits of each host, and the checks of the settings."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import pytest

from url_downloader.config.host_rules import parse_host_rules
from url_downloader.config.host_settings import HostLimits, HostRule, HostSettings
from url_downloader.shared.errors import ConfigError
from url_downloader.shared.url_parts import origin_of

DEFAULTS = HostLimits(connections=5, interval=2.0)
RULES = b"""\
free.test         per-host=0  rate=0
slow.test:8080    per-host=1
*.test            per-host=3
slow.*            rate=60/m
[2001:db8::*]     per-host=4
same.example      per-host=5
"""
SETTINGS = HostSettings(
    limits=DEFAULTS, rules=parse_host_rules(RULES.splitlines(), source="rules")
)


@pytest.mark.parametrize(
    ("url", "limits"),
    [
        ("https://free.test/", HostLimits()),
        ("https://a.free.test/", HostLimits(connections=3, interval=2)),
        ("http://slow.test:8080/", HostLimits(connections=1, interval=1)),
        ("http://slow.test/", HostLimits(connections=3, interval=1)),
        ("http://slow.example/", HostLimits(connections=5, interval=1)),
        ("http://[2001:db8::5]/", HostLimits(connections=4, interval=2)),
        ("http://[2001:db9::5]/", DEFAULTS),
        ("http://h.example/", DEFAULTS),
        ("http://same.example/", DEFAULTS),
    ],
)
def test_limits_of_a_host(url: str, limits: HostLimits) -> None:
    """For each limit, the first rule counts that fits and sets it; else the default counts."""
    assert SETTINGS.limits_for(origin_of(url)) == limits


def test_equal_limits_are_shared() -> None:
    """Hosts with equal limits have the same object; many hosts take no memory for them."""
    for host in ("h.example", "same.example"):
        assert SETTINGS.limits_for(("http", host, 80)) is DEFAULTS
    assert HostSettings().limits_for(("http", "h", 80)) == HostLimits()
    settings = HostSettings(limits=DEFAULTS)
    assert settings.limits_for(("http", "h", 80)) is DEFAULTS
    first, second = (SETTINGS.limits_for(("http", f"{n}.test", 80)) for n in range(2))
    assert first is second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pattern": "H.test"}, "--host-rules: must have the host 'h.test', not 'H.test'"),
        ({"pattern": "bü.test"}, "--host-rules: must have the host 'xn--b-eha.test'"),
        ({"pattern": "http://h"}, "--host-rules: must be a host without scheme"),
        ({"pattern": "h", "connections": 1025}, "--per-host: must be from 0 to 1024, not 1025"),
        ({"pattern": "h", "interval": -1}, "interval: must be from 0 to 86400, not -1"),
    ],
)
def test_a_bad_rule(arguments: dict[str, Any], message: str) -> None:
    """A rule in a program is checked as one in a file, and has its host in normal form."""
    with pytest.raises(ConfigError) as caught:
        HostRule(**arguments)
    assert message in str(caught.value)


def test_rules_are_rules() -> None:
    """A text is refused as a rule: it would match no host."""
    rules: Sequence[Any] = ["h per-host=1"]
    with pytest.raises(
        ConfigError, match="--host-rules: must be a HostRule, not 'h per-host=1'"
    ):
        HostSettings(rules=rules)


@pytest.mark.parametrize("codes", [{400}, {599}, {403, 429, 503}, set()])
def test_codes_that_pause(codes: set[int]) -> None:
    """Any status code from 400 to 599 can pause a host."""
    assert HostSettings(backoff_on=frozenset(codes)).backoff_on == codes


@pytest.mark.parametrize("codes", [{399}, {600}, {0}, {503, 200}])
def test_codes_that_can_not_pause(codes: set[int]) -> None:
    """A single other code is an error, whose message has flag and range."""
    with pytest.raises(ConfigError, match=r"^--backoff-on: .*from 400 to 599"):
        HostSettings(backoff_on=frozenset(codes))


def test_rules_survive_pickling() -> None:
    """Other processes get equal rules, which match the same hosts."""
    copy = pickle.loads(pickle.dumps(SETTINGS))
    assert copy == SETTINGS
    assert copy.limits_for(("http", "slow.test", 80)) == HostLimits(connections=3, interval=1)
