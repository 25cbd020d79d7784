"""The fair share: how many workers a host may have, and when the hosts count as known."""

from __future__ import annotations

from math import ceil, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.engine.fair_share import IDLE_SECONDS, FairShare


def known(workers: int) -> FairShare:
    """Return the share of a run that knows its hosts."""
    share = FairShare(workers)
    share.knows_hosts = True
    return share


@pytest.mark.parametrize(
    ("workers", "active", "most"),
    [
        (8, 1, 8),
        (8, 2, 4),
        (8, 3, 3),
        (8, 8, 1),
        (8, 9, 1),
        (1, 1, 1),
        (1, 5, 1),
        (1000, 3, 334),
    ],
)
def test_the_share_is_rounded_up(workers: int, active: int, most: int) -> None:
    """A host gets one more worker as long as it has fewer than its share."""
    share = known(workers)
    allowed = [running for running in range(1, 1001) if share.allows(running * active, 0.0)]
    assert len(allowed) == most - 1


@given(st.integers(1, 1024), st.integers(1, 2000), st.integers(1, 1024))
def test_the_share_as_the_rules_say_it(workers: int, active: int, running: int) -> None:
    """It is the number of workers, divided by that of the active hosts, rounded up."""
    is_below = running < ceil(workers / active)
    assert known(workers).allows(running * active, 0.0) is is_below


@pytest.mark.parametrize(
    ("workers", "lines"), [(1, 4), (8, 32), (63, 252), (64, 256), (99, 256)]
)
def test_the_first_lines_tell_the_hosts(workers: int, lines: int) -> None:
    """Four lines for each worker are enough, and 256 for any number of workers."""
    share = FairShare(workers)
    for _ in range(lines - 1):
        share.count_line(0.0)
        assert not share.knows_hosts
    assert not share.allows(0, 0.0)
    share.count_line(0.0)
    assert share.knows_hosts


@pytest.mark.parametrize(("seconds", "is_known"), [(0.049, False), (0.05, True)])
def test_a_late_line_tells_them_too(seconds: float, is_known: bool) -> None:
    """Without a line for 50 ms the hosts are known: by a look, or by the next line."""
    by_look, by_line = FairShare(100), FairShare(100)
    for share in (by_look, by_line):
        share.count_line(0.0)
        assert share.next_time() == IDLE_SECONDS
    assert by_look.allows(1, seconds) is is_known
    by_line.count_line(seconds)
    assert by_line.knows_hosts is is_known
    for share in (by_look, by_line):
        assert (share.next_time() == inf) is is_known


def test_a_steady_list_tells_nothing_by_its_pace() -> None:
    """Lines that come every 40 ms leave the hosts unknown until there are enough."""
    share = FairShare(100)
    for number in range(100):
        share.count_line(0.04 * number)
        assert not share.allows(1, 0.04 * number)


def test_before_the_first_line_nothing_is_late() -> None:
    """A list that begins late has told nothing yet."""
    share = FairShare(4)
    assert (share.allows(1, 1e6), share.next_time()) == (False, inf)


@pytest.mark.parametrize(
    ("is_list_read", "is_blocked", "is_lifted"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_the_share_is_lifted(is_list_read: bool, is_blocked: bool, is_lifted: bool) -> None:
    """At the end of the list, or while the producer is blocked, no share holds."""
    share = known(8)
    share.is_list_read, share.is_blocked = is_list_read, is_blocked
    assert share.is_lifted is is_lifted
