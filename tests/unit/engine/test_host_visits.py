"""Redirects to other hosts in the order of hosts: who counts where, and who waits."""

from __future__ import annotations

import pytest

from tests.support.hosts import REFUSED, busy, good, job_of, make_policy, name_of
from url_downloader.config.host_settings import HostLimits
from url_downloader.engine.host_order import HostOrder
from url_downloader.shared.models import DownloadJob, ErrorKind, JobResult

B, C = name_of("b"), name_of("c")


def order_with(limits: HostLimits | None = None) -> HostOrder:
    """Return an order with these limits for each host, at 100 s."""
    order = HostOrder(make_policy(limits))
    order.now = 100.0
    return order


def start(order: HostOrder, host: str, number: int = 1) -> DownloadJob:
    """Add a job, and start it: it must be the next one."""
    job = job_of(host, number)
    order.add(job)
    assert take(order) == job
    return job


def take(order: HostOrder) -> DownloadJob | None:
    """Start the next job, wherever it waits; None if there is none."""
    while (host := order.first()) is not None:
        job = order.start(host)
        if job is not None:
            return job
    return None


def pause(order: HostOrder, host: str, seconds: float) -> None:
    """Have a host ask for a pause."""
    job = start(order, host, 900)
    order.done(job, busy(seconds))


def put_back(order: HostOrder, job: DownloadJob, host: str = B) -> None:
    """End an attempt which is redirected to a host that must not be asked now."""
    result = order.visit(job, host)
    assert result is not None
    assert result.kind is ErrorKind.HOST_BUSY
    order.done(job, result)
    order.add_retry(job)


def test_without_limits_and_trouble_nothing_is_counted() -> None:
    """An attempt may be led anywhere, and other hosts are not even known."""
    order = order_with()
    job = start(order, "a")
    assert order.visit(job, B) is None
    assert order._table.find(B) is None
    order.done(job, good(B))


def test_a_visitor_takes_a_place_of_the_cap() -> None:
    """An attempt that was redirected counts at both hosts, until it ends."""
    order = order_with(HostLimits(connections=1))
    job = start(order, "a")
    assert order.visit(job, B) is None
    order.add(job_of("b", 2))
    order.add(job_of("a", 3))
    assert take(order) is None
    order.done(job, good(B))
    assert [take(order), take(order)] == [job_of("a", 3), job_of("b", 2)]


def test_a_visitor_counts_once() -> None:
    """Further requests of the attempt to the same host take no more places."""
    order = order_with(HostLimits(connections=2))
    job = start(order, "a")
    for host in (B, None, B, B):
        assert order.visit(job, host) is None
    order.add(job_of("b", 2))
    assert take(order) == job_of("b", 2)


@pytest.mark.parametrize("reason", ["cap", "rate", "pause", "breaker"])
def test_a_host_that_has_to_wait_is_not_visited(reason: str) -> None:
    """The attempt ends; its job waits for that host, and starts when both may be asked."""
    limits = {"cap": HostLimits(connections=1), "rate": HostLimits(interval=2.0)}
    order = order_with(limits.get(reason))
    if reason == "pause":
        pause(order, "b", 2.0)
    elif reason == "breaker":
        for number in range(800, 805):
            order.done(start(order, "b", number), REFUSED)
    else:
        other = start(order, "b", 5)
    job = start(order, "a")
    put_back(order, job)
    assert take(order) is None
    assert (order.retries, order.listed) == (1, 0)
    order.now += 1.9
    assert take(order) is None
    order.now += 0.1
    if reason == "cap":
        order.done(other, good())
    assert take(order) == job
    assert order.visit(job, B) is None
    order.done(job, good(B))
    assert order.retries == 0


def test_the_second_host_alone_is_waited_for() -> None:
    """While its job waits there, the first host is free for others."""
    order = order_with(HostLimits(connections=1))
    other = start(order, "b", 5)
    put_back(order, start(order, "a"))
    order.add(job_of("a", 2))
    assert take(order) == job_of("a", 2)
    order.done(other, good())
    assert take(order) is None
    order.done(job_of("a", 2), good())
    assert take(order) == job_of("a", 1)


def test_both_hosts_are_waited_for() -> None:
    """A job that both hosts keep waiting moves between them, and starts when both are free."""
    order = order_with(HostLimits(connections=1))
    at_b = start(order, "b", 5)
    put_back(order, start(order, "a"))
    at_a = start(order, "a", 6)
    order.done(at_b, good())
    assert take(order) is None
    at_b = start(order, "b", 7)
    order.done(at_a, good())
    assert take(order) is None
    order.done(at_b, good())
    assert take(order) == job_of("a", 1)
    assert (order.listed, order.retries) == (0, 0)


def test_a_reserved_request_counts_once_for_the_rate() -> None:
    """A job that has waited for its second host takes one request of its rate, not two."""
    order = order_with(HostLimits(interval=1.0))
    start(order, "b", 5)
    job = start(order, "a")
    put_back(order, job)
    order.now += 1.0
    assert take(order) == job
    assert order.visit(job, B) is None
    order.add(job_of("b", 6))
    order.now += 0.9
    assert take(order) is None
    order.now += 0.1
    assert take(order) == job_of("b", 6)


def test_hosts_of_a_chain_that_are_free_by_turns() -> None:
    """A job that goes to B and then to C, which both had to wait, starts when both are free."""
    order = order_with(HostLimits(connections=1))
    at_b, at_c = start(order, "b", 5), start(order, "c", 6)
    job = start(order, "a")
    put_back(order, job)
    order.done(at_b, good())
    assert take(order) == job
    assert order.visit(job, B) is None
    put_back(order, job, C)
    at_b = start(order, "b", 7)
    order.done(at_c, good())
    assert take(order) is None
    at_c = start(order, "c", 8)
    order.done(at_b, good())
    assert take(order) is None
    order.done(at_c, good())
    assert take(order) == job
    assert [order.visit(job, host) for host in (B, C)] == [None, None]
    order.done(job, good(C))
    order.add(job_of("c", 9))
    order.add(job_of("b", 9))
    assert [take(order), take(order)] == [job_of("c", 9), job_of("b", 9)]


def test_a_new_attempt_waits_for_no_other_host() -> None:
    """A job that failed after a redirect is retried as soon as its own host may be asked."""
    order = order_with(HostLimits(connections=1))
    other = start(order, "b", 5)
    job = start(order, "a")
    put_back(order, job)
    order.done(other, good())
    assert take(order) == job
    assert order.visit(job, B) is None
    order.done(job, busy())
    start(order, "b", 6)
    order.add_retry(job)
    assert take(order) == job


def test_a_host_that_was_not_asked_is_not_charged() -> None:
    """A job without a request, such as one whose file exists, takes none of the rate."""
    order = order_with(HostLimits(interval=5.0))
    for number in range(3):
        order.done(start(order, "a", number), JobResult())
    order.done(start(order, "a", 3), good())
    order.add(job_of("a", 4))
    assert take(order) is None


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_reserved_host_that_was_not_asked_is_not_charged(is_asked: bool) -> None:
    """An attempt that is not redirected as before takes none of the second host's rate."""
    order = order_with(HostLimits(interval=5.0))
    order.done(start(order, "b", 5), good())
    job = start(order, "a")
    put_back(order, job)
    order.now += 5.0
    assert take(order) == job
    if is_asked:
        assert order.visit(job, B) is None
    order.done(job, good(B if is_asked else None))
    order.add(job_of("b", 6))
    assert (take(order) is None) is is_asked


def test_more_requests_to_a_host_delay_its_next_job() -> None:
    """A redirect within a host counts for its rate, even if a job could have started before."""
    order = order_with(HostLimits(interval=1.0))
    job = start(order, "a")
    order.add(job_of("a", 2))
    order.now += 5.0
    assert order.first() is not None
    assert order.visit(job, None) is None
    assert take(order) is None
    order.now += 1.0
    assert take(order) == job_of("a", 2)


def test_a_refused_host_ends_the_attempt() -> None:
    """An attempt that is led to a host which is down fails at once, with that cause."""
    order = order_with()
    for number in range(800, 807):
        order.add(job_of("b", number))
        order.now += 10.0
        job = take(order)
        assert job is not None
        order.done(job, REFUSED)
    job = start(order, "a")
    order.now += 20.0
    result = order.visit(job, B)
    assert result is not None
    assert result.kind is ErrorKind.HOST_DOWN


def test_a_job_that_waits_for_a_host_which_is_down_is_refused_there() -> None:
    """The refusal names the second host: nothing is wrong with the first one."""
    order = order_with()
    pause(order, "b", 1.0)
    job = start(order, "a")
    put_back(order, job)
    order.now += 1.0
    order.done(start(order, "b", 901), busy(1000.0))
    assert take(order) == job
    contact = order.refusals[1].contact
    assert contact is not None
    assert contact.host == B


@pytest.mark.parametrize(("result", "is_at_b"), [(busy(5.0), False), (busy(5.0, host=B), True)])
def test_a_pause_belongs_to_the_host_that_answered(result: JobResult, is_at_b: bool) -> None:
    """After a redirect, a 429 or 503 pauses the second host, not the first one."""
    order = order_with()
    order.done(start(order, "a"), result)
    order.add(job_of("a", 2))
    order.add(job_of("b", 3))
    assert take(order) == (job_of("a", 2) if is_at_b else job_of("b", 3))
    assert take(order) is None


def test_failures_belong_to_the_host_that_was_asked() -> None:
    """Failures at a second host open its breaker; for the first one they are good replies."""
    order = order_with()
    for number in range(5):
        failure = REFUSED._replace(contact=REFUSED.contact and REFUSED.contact._replace(host=B))
        order.done(start(order, "a", number), failure)
    assert [state.host for state in order.troubles(None).states] == [B]
    order.add(job_of("b", 9))
    assert take(order) is None


def test_a_redirect_is_an_answer_of_the_first_host() -> None:
    """A host that fails four times, redirects, and fails four times more has no trouble."""
    order = order_with()
    for number in range(9):
        result = good(B) if number == 4 else REFUSED
        order.done(start(order, "a", number), result)
    assert not order.troubled
