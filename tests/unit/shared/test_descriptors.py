"""Limits of open files: how many workers and connections they allow."""

from __future__ import annotations

import sys

import pytest

from url_downloader.shared import descriptors
from url_downloader.shared.descriptors import (
    MAX_IDLE,
    PER_WORKER,
    RESERVED,
    affordable_connections,
    affordable_workers,
)


@pytest.fixture
def limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Set the limit of open files."""
    value: int = request.param
    monkeypatch.setattr(descriptors, "_raised_limit", lambda: value)
    return value


@pytest.mark.parametrize("limit", [8, 20, 26, 32, 64, 100, 256, 1024, 4096], indirect=True)
@pytest.mark.parametrize("wanted", [1, 4, 16, 64, 256])
def test_the_limit_is_kept(limit: int, wanted: int) -> None:
    """All that the workers need and all idle connections fit; one of each is always there."""
    workers = affordable_workers(wanted)
    idle = affordable_connections(wanted) - workers
    assert 1 <= workers <= wanted
    assert 1 <= idle <= MAX_IDLE
    needed = RESERVED + PER_WORKER * workers + idle
    assert needed <= limit or idle == 1


@pytest.mark.parametrize("limit", [10_000, sys.maxsize], indirect=True)
def test_a_high_limit(limit: int) -> None:
    """All workers run, and the idle connections have a bound of their own."""
    assert affordable_workers(256) == 256
    assert affordable_connections(256) == 256 + MAX_IDLE
