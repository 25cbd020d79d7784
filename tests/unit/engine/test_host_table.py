"""The table of hosts: which are known, active, blocked, remembered and forgotten."""

from __future__ import annotations

import tracemalloc
from math import inf

import pytest

from tests.support.hosts import POLICY, REFUSED, busy, good, job_of, make_policy, name_of
from url_downloader.config.host_settings import HostLimits
from url_downloader.engine import host_table
from url_downloader.engine.host_order import HostOrder
from url_downloader.engine.host_policy import HostPolicy
from url_downloader.engine.host_table import REST_SECONDS, HostTable
from url_downloader.shared.models import DownloadJob, JobResult

HOSTS = 5000


def start(order: HostOrder, job: DownloadJob) -> None:
    """Start the next job, which is this one."""
    found = order.first()
    assert found is not None
    assert order.start(found) == job


def work(order: HostOrder, host: str, *results: JobResult) -> None:
    """Add jobs of a host, and make an attempt of each, with these results."""
    for result in results:
        order.add(job_of(host))
        start(order, job_of(host))
        order.done(job_of(host), result)


def rest(order: HostOrder) -> None:
    """Let so much time pass that hosts without jobs count as active no more."""
    order.now += REST_SECONDS
    order.active()


def known(order: HostOrder) -> list[str]:
    """Return the letters of the hosts that are known."""
    return [name.removeprefix("http://") for name in order._table.hosts]


@pytest.mark.parametrize(
    ("results", "is_known"),
    [
        ([good()], False),
        ([JobResult()], False),
        ([REFUSED], True),
        ([REFUSED, good()], False),
        ([busy()], True),
        ([busy(), good()], False),
        ([busy(9.0)], True),
        ([REFUSED] * 5, True),
    ],
)
def test_only_hosts_in_trouble_are_remembered(results: list[JobResult], is_known: bool) -> None:
    """A host without jobs is forgotten after a second, unless its last attempts failed."""
    order = HostOrder(POLICY)
    work(order, "a", *results)
    assert (known(order), order.active()) == (["a"], 1)
    rest(order)
    assert (known(order), order.active()) == (["a"] * is_known, 0)


def test_failures_in_a_row_may_lie_apart() -> None:
    """Five failures open the breaker, also of a host with a job every ten seconds."""
    order = HostOrder(POLICY)
    for _ in range(5):
        assert not order.troubled
        order.now += 10.0
        work(order, "a", REFUSED)
        rest(order)
    assert len(order.troubled) == 1


def test_a_good_reply_ends_a_row_of_failures() -> None:
    """A host of which a tenth of the attempts fails is never in trouble."""
    order = HostOrder(POLICY)
    for _ in range(20):
        work(order, "a", *[good()] * 9, REFUSED)
        assert not order.troubled


def test_a_forgotten_host_has_still_answered() -> None:
    """A host that is known anew gets the patience of one that has answered."""
    order = HostOrder(POLICY)
    work(order, "a", good())
    rest(order)
    work(order, "b", *[REFUSED] * 5)
    work(order, "a", *[REFUSED] * 5)
    assert known(order) == ["b", "a"]
    untils = {state.host: state.until - order.now for state in order.troubles(None).states}
    assert untils == {name_of("a"): 5.0, name_of("b"): 2.0}


def test_the_target_of_a_redirect_has_answered() -> None:
    """A host that only redirects have led to gets the patience of one that has answered."""
    order = HostOrder(POLICY)
    work(order, "a", good(name_of("b")))
    assert known(order) == ["a"]
    work(order, "b", *[REFUSED] * 5)
    assert [state.until for state in order.troubles(None).states] == [order.now + 5.0]


def test_names_that_have_answered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of the last hosts that have answered are kept, not those of all."""
    monkeypatch.setattr(host_table, "MAX_ANSWERED", 3)
    table = HostTable(POLICY, on_forget=lambda _: None)
    for name in "abcde":
        table.note_answered(name)
    assert [name for name in "abcde" if table.host(name).has_answered] == [*"cde"]


def test_remembered_hosts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many hosts in trouble the oldest are forgotten, in all lists of the order."""
    monkeypatch.setattr(host_table, "MAX_REMEMBERED", 3)
    order = HostOrder(POLICY)
    for host in "abcdefgh":
        work(order, host, *[REFUSED] * 5)
        rest(order)
    assert known(order) == [*"fgh"]
    assert [host.name for host in order.troubled] == [name_of(each) for each in "fgh"]


def test_a_timer_of_a_forgotten_host_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that is forgotten while it has a timer does not come back by it."""
    monkeypatch.setattr(host_table, "MAX_REMEMBERED", 1)
    order = HostOrder(POLICY)
    old, late = job_of("a", 8), job_of("a", 9)
    order.add(old)
    start(order, old)
    work(order, "a", *[REFUSED] * 5)
    order.add(late)
    assert order.first() is None
    assert order.next_change()[0] == 2.0
    order.note_reply(old, None, status=200)
    start(order, late)
    order.done(old, good())
    order.done(late, busy(100.0))
    rest(order)
    work(order, "b", busy(9.0))
    rest(order)
    assert (known(order), order.now) == (["b"], 2.0)
    order.add(job_of("x"))
    assert order.first() is not None
    assert (order.active(), len(order.troubled)) == (1, 1)


def test_jobs_that_wait_keep_a_host() -> None:
    """A paused host with waiting jobs is known, but not active; it is again when it opens."""
    order = HostOrder(POLICY)
    work(order, "a", busy(30.0))
    order.add(job_of("a"))
    rest(order)
    assert (known(order), order.active(), order.first()) == (["a"], 0, None)
    assert order.next_change() == (30.0, inf)
    order.now = 30.0
    assert order.first() is not None
    assert order.active() == 1


@pytest.mark.parametrize("policy", [POLICY, make_policy(HostLimits(interval=0.5))])
def test_many_hosts_take_little_memory(policy: HostPolicy) -> None:
    """A host with one URL takes less than 1 KB, its job aside, and nothing after a while."""
    jobs = [job_of(f"host-{n:06}.example.org", n) for n in range(HOSTS)]
    order = HostOrder(policy)
    tracemalloc.start()
    try:
        for job in jobs:
            order.add(job)
        waiting, _ = tracemalloc.get_traced_memory()
        for _ in jobs:
            found = order.first()
            assert found is not None
            started = order.start(found)
            assert started is not None
            order.done(started, good())
        order.now += 10.0
        order.active()
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert waiting / HOSTS < 1000
    assert left / HOSTS < 400
    assert known(order) == []
