"""The order of hosts: fewest running attempts, turns, retries first, and what is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.hosts import POLICY, busy, good, job_of
from tests.support.jobs import make_job
from url_downloader.engine.host_order import HostOrder
from url_downloader.engine.host_table import REST_SECONDS
from url_downloader.shared.models import DownloadJob

HOSTS = "abc"


def order_of(hosts: str, *, is_by_host: bool = True) -> HostOrder:
    """Return an order with a job for each letter, whose name is the letter and its place."""
    order = HostOrder(POLICY if is_by_host else None)
    for number, host in enumerate(hosts):
        order.add(job_of(host, number))
    return order


def take(order: HostOrder) -> DownloadJob | None:
    """Start the next job, if there is one."""
    host = order.first()
    return order.start(host) if host is not None else None


def end(order: HostOrder, job: DownloadJob, *, now: float) -> None:
    """End the attempt of a job at a time."""
    order.now = now
    order.done(job, None)


def active(order: HostOrder, now: float) -> int:
    """Return the number of active hosts at a time."""
    order.now = now
    return order.active()


def taken(order: HostOrder, count: int) -> str:
    """Start jobs; return their hosts and numbers."""
    jobs = [take(order) for _ in range(count)]
    return " ".join(f"{job.url[7]}{job.job_id}" for job in jobs if job is not None)


@pytest.mark.parametrize(
    ("hosts", "order"),
    [
        ("", ""),
        ("aaa", "a0 a1 a2"),
        ("aabb", "a0 b2 a1 b3"),
        ("aaaabc", "a0 b4 c5 a1 a2 a3"),
        ("cba", "c0 b1 a2"),
        ("aabbcc", "a0 b2 c4 a1 b3 c5"),
    ],
)
def test_hosts_take_turns(hosts: str, order: str) -> None:
    """The next job is one of a host with the fewest running ones, in turns among equals."""
    assert taken(order_of(hosts), 6) == order


def test_hosts_are_told_apart_only_if_wanted() -> None:
    """Without hosts, the jobs keep the order of the list."""
    order = order_of("aabbac", is_by_host=False)
    assert taken(order, 6) == "a0 a1 b2 b3 a4 c5"
    order.done(job_of("b"), None)
    assert active(order, 9.0) == 1


def test_a_single_worker_changes_between_hosts() -> None:
    """With one job at a time, the hosts take turns."""
    order = order_of("aaabbc")
    seen = ""
    while (job := take(order)) is not None:
        seen += job.url[7]
        order.done(job, None)
    assert seen == "abcaba"


@pytest.mark.parametrize(
    ("urls", "hosts"),
    [
        (["http://h/a", "http://h/b?x", "http://h/a/b"], 1),
        (["http://h/", "https://h/", "http://h:81/", "http://g/"], 4),
        (["http://h/", "http://user:secret@h/", "http://other@h/"], 1),
        (["http://[::1]:81/", "http://[::1]:82/", "http://u@[::1]:81/"], 2),
    ],
)
def test_a_host_is_an_origin(urls: Sequence[str], hosts: int) -> None:
    """URLs with the same scheme, host name and port are of one host, with any login."""
    order = HostOrder(POLICY)
    for url in urls:
        order.add(make_job(url=url))
    assert order.active() == hosts


def test_retries_come_first_within_their_host() -> None:
    """A host's retries come before its other jobs, in their own order."""
    order = order_of("aabb")
    for number in (7, 8):
        order.add_retry(job_of("a", number))
    assert (order.listed, order.retries) == (4, 2)
    assert taken(order, 4) == "a7 b2 a8 b3"
    assert (order.listed, order.retries) == (2, 0)
    assert taken(order, 2) == "a0 a1"


def test_a_host_keeps_no_empty_queue() -> None:
    """A host whose last job was taken takes little memory."""
    order = order_of("a")
    order.add_retry(job_of("a"))
    host = order.first()
    assert host is not None
    order.start(host)
    order.start(host)
    assert (host.retries, host.listed) == (None, None)


def test_a_host_is_active_for_a_second_without_jobs() -> None:
    """A host counts as active while a job waits or runs, and for a second after; then not."""
    order = order_of("ab")
    assert (taken(order, 2), active(order, 99.0)) == ("a0 b1", 2)
    end(order, job_of("a"), now=100.0)
    end(order, job_of("b"), now=100.5)
    assert order.next_change()[1] == 100.0 + REST_SECONDS
    assert [active(order, now) for now in (100.9, 101.0, 101.4, 101.5)] == [2, 1, 1, 0]
    assert order.next_change() == (inf, inf)


def test_a_job_ends_the_rest() -> None:
    """A host that gets a job within the second stays active."""
    order = order_of("a")
    for number in range(3):
        job = take(order)
        assert job is not None
        end(order, job, now=float(number))
        order.add(job_of("a", number))
        assert (order.next_change()[1], active(order, number + 0.5)) == (inf, 1)
    assert active(order, 1000.0) == 1


def test_hosts_without_jobs_are_forgotten() -> None:
    """A run over many hosts remembers only those of the last second."""
    order = HostOrder(POLICY)
    for number in range(1000):
        order.add(job_of(f"h{number}"))
        job = take(order)
        assert job is not None
        end(order, job, now=number * REST_SECONDS / 10)
    assert len(order._table.hosts) <= 11


class Model:
    """The order as the rules say it, by looking at all jobs."""

    def __init__(self) -> None:
        self.listed: list[DownloadJob] = []
        self.retries: list[DownloadJob] = []
        self.running: list[DownloadJob] = []

    def start(self, job: DownloadJob) -> None:
        """Check that this job may be the next one, and start it."""
        of_host = [each for each in (*self.retries, *self.listed) if each.url[7] == job.url[7]]
        assert of_host[0] is job
        loads = {each.url[7]: 0 for each in (*self.retries, *self.listed)}
        for each in self.running:
            if each.url[7] in loads:
                loads[each.url[7]] += 1
        assert loads[job.url[7]] == min(loads.values())
        (self.retries if job in self.retries else self.listed).remove(job)
        self.running.append(job)


@given(
    st.lists(st.tuples(st.sampled_from(["add", "retry", "start", "done"]), st.integers(0, 99)))
)
def test_any_sequence_of_calls_keeps_the_rules(calls: list[tuple[str, int]]) -> None:
    """After any calls, the next job is the one that a look at all jobs gives."""
    order, model = HostOrder(POLICY), Model()
    for number, (call, choice) in enumerate(calls):
        job = job_of(HOSTS[choice % 3], number)
        if call == "add":
            order.add(job)
            model.listed.append(job)
        elif call == "retry":
            order.add_retry(job)
            model.retries.append(job)
        elif call == "done" and model.running:
            end(order, model.running.pop(choice % len(model.running)), now=float(number))
        elif (found := take(order)) is not None:
            model.start(found)
        else:
            assert not model.listed + model.retries
    assert (order.listed, order.retries) == (len(model.listed), len(model.retries))


def test_a_probe_takes_a_job_that_was_not_tried() -> None:
    """After a pause the first attempt is of a job of the list; then retries come first."""
    order = order_of("aaa")
    job = take(order)
    assert job is not None
    order.done(job, busy(5.0))
    order.add_retry(job)
    order.now = 5.0
    assert taken(order, 9) == "a1"
    order.note_reply(job_of("a", 1), None, status=200)
    order.done(job_of("a", 1), good())
    assert taken(order, 9) == "a0 a2"
