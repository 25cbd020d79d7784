"""The host queue in virtual time: bounds, fair shares, idle workers, and who is woken."""

from __future__ import annotations

import queue

import pytest

from tests.support.hosts import POLICY, busy, job_of, make_policy
from tests.support.jobs import make_job
from tests.support.virtual_queue import VirtualQueue
from url_downloader.config.host_settings import HostLimits
from url_downloader.engine import host_queue
from url_downloader.engine.fair_share import IDLE_SECONDS, MAX_FIRST_LINES
from url_downloader.engine.host_queue import HostQueue

JUST_BEFORE = IDLE_SECONDS - 0.001


@pytest.fixture
def bench() -> VirtualQueue:
    """Return an empty queue for 8 workers that knows its hosts: priming is over."""
    queue_of_eight = VirtualQueue(8, look_ahead=500)
    queue_of_eight.know_hosts()
    return queue_of_eight


# The bound.


@pytest.mark.parametrize(("queue_size", "look_ahead"), [(1, 0), (10, 0), (1, 5), (10, 40)])
def test_the_queue_is_bounded(queue_size: int, look_ahead: int) -> None:
    """There is room for the look-ahead and the queue's size; qsize is the rest."""
    bench = VirtualQueue(4, queue_size=queue_size, look_ahead=look_ahead)
    bench.put("a" * look_ahead)
    assert (bench.queue.qsize(), bench.queue.parked()) == (0, look_ahead)
    bench.put("b" * queue_size)
    assert (bench.queue.qsize(), bench.queue.parked()) == (queue_size, look_ahead)
    with pytest.raises(queue.Full):
        bench.put("a")
    with pytest.raises(queue.Full):
        bench.queue.put(job_of("a"), timeout=0.0)
    assert bench.take() != ""
    bench.put("a")


def test_retries_and_end_markers_need_no_room() -> None:
    """On a full queue, retries and end markers are put at once; end markers are taken first."""
    bench = VirtualQueue(1, queue_size=1, look_ahead=0)
    bench.put("a")
    bench.queue.put_retry(job_of("b"))
    bench.queue.put(None)
    assert (bench.queue.qsize(), bench.queue.parked()) == (1, 1)
    assert bench.take_all() == "Noneba"


def test_without_a_look_ahead_it_is_a_plain_queue() -> None:
    """With `look_ahead=0` jobs are taken in their order, and no host is held back."""
    bench = VirtualQueue(2, look_ahead=0)
    bench.put("aaaabbaac")
    assert bench.take_all() == "aaaabbaac"


def test_the_producer_is_woken_when_an_eighth_is_free() -> None:
    """A blocked producer goes on when it can put many jobs, not for each job that is taken."""
    bench = VirtualQueue(100, look_ahead=80, queue_size=4)
    bench.put("a" * 84)
    with pytest.raises(queue.Full):
        bench.put("a")
    for _ in range(9):
        assert bench.take() == "a"
    assert bench.producer_calls == 0
    assert bench.take() == "a"
    assert bench.producer_calls == 1
    bench.put("a")
    assert (bench.take(), bench.producer_calls) == ("a", 1)


# The fair share.


@pytest.mark.parametrize(
    ("jobs", "started"),
    [
        ("a" * 20, "a" * 8),
        ("a" * 20 + "b", "ab" + "a" * 3),
        ("a" * 20 + "b" * 20, "abababab"),
        ("a" * 20 + "bc", "abcaa"),
        ("aabbccddeeffgghhii", "abcdefghi"),
    ],
)
def test_no_host_exceeds_its_share(bench: VirtualQueue, jobs: str, started: str) -> None:
    """The share is the number of workers, divided by that of the active hosts, rounded up."""
    bench.put(jobs)
    assert bench.take_all() == started


def test_the_share_is_that_of_the_moment(bench: VirtualQueue) -> None:
    """A host that comes or goes changes the share of the others at once."""
    bench.put("a" * 20)
    assert bench.take_all() == "a" * 8
    bench.put("b")
    assert bench.take_all() == "b"
    bench.done("aaaaa")
    assert bench.take_all() == "a"
    bench.done("b")
    bench.clock += 0.99
    assert bench.take_all() == ""
    bench.clock += 0.01
    assert bench.take_all() == "aaaa"


def test_a_host_with_a_short_gap_stays_active(bench: VirtualQueue) -> None:
    """A quick host whose next line has not come yet leaves its share to no slow one."""
    bench.put("s" * 20 + "q")
    assert bench.take_all() == "sqsss"
    for _ in range(5):
        bench.done("q")
        bench.clock += 0.5
        assert bench.take_all() == ""
        bench.put("q")
        assert bench.take_all() == "q"


def test_at_the_end_of_the_list_no_share_holds(bench: VirtualQueue) -> None:
    """Once the list is read, a host gets as many workers as there are."""
    bench.put("a" * 20 + "b")
    assert bench.take_all() == "abaaa"
    bench.queue.note_end_of_list()
    assert bench.take_all() == "a" * 16


def test_behind_a_blocked_producer_no_share_holds() -> None:
    """While the producer waits for room, a host gets as many workers as there are."""
    bench = VirtualQueue(8, look_ahead=20, queue_size=1)
    bench.put("b" + "a" * 20)
    with pytest.raises(queue.Full):
        bench.put("a")
    assert [bench.take() for _ in range(6)] == [*"baaaaa"]
    bench.put("a")
    assert bench.take() == ""


# Priming.


@pytest.mark.parametrize(("workers", "lines"), [(1, 4), (8, 32), (500, MAX_FIRST_LINES)])
def test_at_first_a_host_gets_one_worker(workers: int, lines: int) -> None:
    """Until enough lines came, a host gets one worker; then it gets its share."""
    bench = VirtualQueue(workers, look_ahead=1000)
    bench.put("a" * (lines - 1))
    assert bench.take_all() == "a"
    bench.put("a")
    assert len(bench.take_all()) == min(workers, lines) - 1


@pytest.mark.parametrize("event", ["end", "pause", "late line", "full"])
def test_priming_ends_early(event: str) -> None:
    """It ends with the list, with a pause of the list, and with a full queue."""
    bench = VirtualQueue(8, look_ahead=5, queue_size=1)
    bench.put("aaaaa")
    bench.clock += JUST_BEFORE
    assert bench.take_all() == "a"
    if event == "end":
        bench.queue.note_end_of_list()
    elif event == "pause":
        bench.clock += 0.002
    elif event == "late line":
        bench.clock += 0.002
        bench.put("a")
    else:
        bench.put("aa")
        with pytest.raises(queue.Full):
            bench.put("a")
    assert bench.take_all().startswith("aaaa")


def test_before_the_first_line_there_is_no_pause() -> None:
    """A list that begins late is no reason to give all workers to its first host."""
    bench = VirtualQueue(8)
    bench.clock += 60.0
    bench.put("aaaa")
    assert bench.take_all() == "a"


# Idle workers.


def test_an_idle_worker_exceeds_the_share(bench: VirtualQueue) -> None:
    """A worker that was idle for 50 ms exceeds a share, but the last idle one does not."""
    bench.put("a" * 20 + "b")
    assert bench.take_all() == "abaaa"
    began = bench.clock
    found: list[str] = []
    bench.at(began, lambda: found.append(bench.wait()))
    bench.at(began + 5.0, lambda: bench.put("c"))
    found.append(bench.wait())
    assert found == ["a", "c"]
    # The first one alone has no time to wake at; the second one wakes once, after 50 ms.
    assert [each for each in bench.waits if each is not None] == [pytest.approx(IDLE_SECONDS)]
    assert bench.clock == began + 5.0


def test_a_slow_list_leaves_no_worker_idle(bench: VirtualQueue) -> None:
    """With a line every 20 ms, too, a worker that was idle for 50 ms exceeds a share."""
    bench.put("a" * 20 + "b")
    assert bench.take_all() == "abaaa"
    began = bench.clock
    ends: list[tuple[str, float]] = []
    for n in range(1, 100):
        bench.at(began + 0.02 * n, lambda: bench.put("a"))
    bench.at(began, lambda: ends.append((bench.wait(), bench.since(began))))
    bench.wait(timeout=0.2)
    assert ends == [("a", IDLE_SECONDS)]


def test_jobs_within_the_share_leave_the_others_idle(bench: VirtualQueue) -> None:
    """A quick host's job takes the worker that was idle last, so that the others grow old."""
    bench.put("a" * 20 + "b")
    assert bench.take_all() == "abaaa"
    began = bench.clock
    found: list[tuple[str, float]] = []

    def work() -> None:
        found.append((bench.wait(), bench.since(began)))
        bench.done("q")
        found.append((bench.wait(), bench.since(began)))
        found.append((bench.wait(), bench.since(began)))

    bench.at(began + 0.02, work)
    bench.at(began + 0.03, lambda: bench.put("q"))
    bench.at(began + 1.0, lambda: bench.put("c"))
    bench.wait()
    # The worker that exceeds the share counts as the one that was idle first.
    assert found == [("q", 0.03), ("a", IDLE_SECONDS), ("a", 0.03 + IDLE_SECONDS)]


def test_the_timeout_of_an_idle_worker(bench: VirtualQueue) -> None:
    """Each get ends at its own timeout, also while another worker keeps the time."""
    bench.put("a" * 20 + "b")
    assert bench.take_all() == "abaaa"
    began = bench.clock
    ends: list[tuple[str, float]] = []
    bench.at(began, lambda: ends.append((bench.wait(timeout=0.01), bench.since(began))))
    ends.append((bench.wait(timeout=0.02), bench.since(began)))
    assert ends == [("", 0.01), ("", 0.02)]


def test_a_look_in_vain_leads_to_no_busy_loop(bench: VirtualQueue) -> None:
    """The last idle worker, which is held back, sleeps until something happens."""
    bench.put("a" * 20 + "b")
    assert bench.take_all() == "abaaa"
    bench.at(bench.clock + 100.0, lambda: bench.put("c"))
    assert bench.wait() == "c"
    assert bench.waits == [None]


def test_the_end_of_a_rest_wakes_the_last_idle_worker(bench: VirtualQueue) -> None:
    """When the share grows because a host has had no job for a second, a worker starts soon."""
    bench.put("a" * 20 + "b")
    assert bench.take_all() == "abaaa"
    began = bench.clock
    bench.done("b")
    assert bench.wait() == "a"
    assert began + 1.0 <= bench.clock <= began + 1.0 + IDLE_SECONDS
    assert len(bench.waits) <= 2


def test_the_end_of_priming_wakes_the_last_idle_worker() -> None:
    """When no line has come for 50 ms, the worker that waits begins."""
    bench = VirtualQueue(8)
    bench.put("aa")
    assert bench.take_all() == "a"
    assert bench.wait() == "a"
    assert (bench.since(0.0), len(bench.waits)) == (IDLE_SECONDS, 1)


def test_a_worker_that_gives_up_lets_another_one_keep_the_time() -> None:
    """If the worker that would wake at the next time leaves before, another one wakes then."""
    bench = VirtualQueue(8)
    bench.put("a")
    assert bench.take() == "a"
    ends: list[tuple[str, float]] = []
    bench.at(0.001, lambda: ends.append((bench.wait(timeout=0.01), bench.clock)))
    bench.at(0.002, lambda: bench.put("aa"))
    assert bench.wait() == "a"
    assert ends == [("", 0.011)]
    assert bench.since(0.002) == IDLE_SECONDS


def test_many_hosts_that_end_cost_few_looks(bench: VirtualQueue) -> None:
    """While 100 quick hosts cease to be active, a worker that waits wakes 20 times a second."""
    bench.put("a" * 20 + "b")
    assert bench.take_all() == "abaaa"
    for n in range(100):
        bench.queue.put_nowait(job_of(f"quick{n}"))
        assert bench.take() == "q"
        bench.queue.done(job_of(f"quick{n}"))
        bench.clock += 0.005
    bench.done("b")
    assert bench.wait() == "a"
    assert len(bench.waits) <= 1.0 / IDLE_SECONDS + 2


@pytest.mark.parametrize("event", ["put", "retry", "done", "end of list", "full", "end marker"])
def test_an_event_wakes_an_idle_worker(event: str) -> None:
    """Whatever allows a job to start wakes a worker that waits; so does an end marker."""
    bench = VirtualQueue(2, look_ahead=300, queue_size=1)
    bench.know_hosts()
    bench.put("aaab")
    assert bench.take_all() == "ab"

    def fill() -> None:
        with pytest.raises(queue.Full):
            bench.put("a" * 400)

    act, host = {
        "put": (lambda: bench.put("c"), "c"),
        "retry": (lambda: bench.queue.put_retry(job_of("c")), "c"),
        "done": (lambda: bench.done("a"), "a"),
        "end of list": (bench.queue.note_end_of_list, "a"),
        "full": (fill, "a"),
        "end marker": (lambda: bench.queue.put(None), "None"),
    }[event]
    bench.at(bench.clock + 7.0, act)
    began = bench.clock
    assert (bench.wait(), bench.waits) == (host, [None])
    assert bench.clock == began + 7.0


def test_what_allows_nothing_wakes_nobody(bench: VirtualQueue) -> None:
    """A job that is held back wakes no worker, so it costs no switch of threads."""
    bench.put("a" * 20 + "b")
    assert bench.take_all() == "abaaa"
    for n in range(1, 10):
        bench.at(bench.clock + n, lambda: bench.put("a"))
    bench.at(bench.clock + 100.0, lambda: bench.put("c"))
    assert bench.wait() == "c"
    assert bench.waits == [None]


def test_a_worker_that_takes_a_job_wakes_the_next(bench: VirtualQueue) -> None:
    """One event lets several jobs start: each worker that starts one wakes another worker."""
    bench.put("a" * 20 + "b")
    assert bench.take_all() == "abaaa"
    found: list[str] = []
    began = bench.clock
    bench.at(began + 0.01, lambda: found.append(bench.wait()))
    bench.at(began + 0.02, lambda: found.append(bench.wait()))
    bench.at(began + 0.03, bench.queue.note_end_of_list)
    found.append(bench.wait())
    assert (found, bench.clock) == (["a"] * 3, began + 0.03)


def test_the_queue_has_the_methods_of_a_queue() -> None:
    """It is a queue.Queue, whose bound is its size."""
    tasks = HostQueue(10, look_ahead=50, workers=2, policy=POLICY)
    assert isinstance(tasks, queue.Queue)
    assert tasks.maxsize == 10
    tasks.put(make_job(1), False)
    assert tasks.get(True, 1.0) == make_job(1)
    with pytest.raises(queue.Empty):
        tasks.get(timeout=0.0)


# Waiting for room, and for the network.


def test_an_idle_worker_wakes_the_producer() -> None:
    """If nothing in view may start, the producer goes on as soon as there is any room."""
    capped = make_policy(HostLimits(connections=1))
    bench = VirtualQueue(4, look_ahead=80, queue_size=1, policy=capped)
    bench.put("a" * 80 + "b")
    with pytest.raises(queue.Full):
        bench.put("c")
    assert bench.take_all() == "ab"
    assert bench.producer_calls == 0
    bench.at(1.0, lambda: bench.put("c"))
    assert bench.wait() == "c"
    assert bench.producer_calls == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_without_a_network_a_job_starts_every_5_s(workers: int) -> None:
    """While the network is gone, a worker starts a probe, even if it is the only one."""
    bench = VirtualQueue(workers)
    bench.put("aabb")
    bench.queue.note_end_of_list()
    bench.queue.suspend()
    assert bench.take() == ""
    starts = []
    for _ in range(3):
        starts.append((bench.wait(), bench.clock))
        assert bench.take() == ""
    assert starts == [("a", 5.0), ("b", 10.0), ("a", 15.0)]
    assert len(bench.waits) == 3


def test_a_network_that_is_back_starts_all() -> None:
    """After the end of an outage, all workers get jobs at once."""
    bench = VirtualQueue(4)
    bench.put("abcd")
    bench.queue.suspend()
    bench.at(1.0, bench.queue.resume)
    assert bench.wait(timeout=100.0) == "a"
    assert (bench.clock, bench.take_all()) == (1.0, "bcd")


def test_retries_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The producer waits while too many jobs wait for a retry, in the queue or elsewhere."""
    monkeypatch.setattr(host_queue, "MAX_RETRIES", 3)
    bench = VirtualQueue(4)
    bench.put("aaaa")
    assert bench.take() == "a"
    for _ in range(3):
        bench.queue.expect_retry()
    with pytest.raises(queue.Full):
        bench.put("a")
    for number in range(3):
        bench.queue.put_retry(job_of("a", number))
        with pytest.raises(queue.Full):
            bench.put("a")
    assert bench.take() == "a"
    assert bench.producer_calls == 1
    bench.put("a")


def test_the_head_of_a_reply_wakes_a_worker() -> None:
    """After a pause, the head of the probe's reply lets an idle worker start the next job."""
    bench = VirtualQueue(4)
    bench.put("aaa")
    bench.queue.note_end_of_list()
    started = [bench.queue.get_nowait(), bench.queue.get_nowait()]
    for job in started:
        assert job is not None
        bench.queue.done(job, busy(5.0))
    bench.clock = 5.0
    assert bench.take() == "a"
    bench.put("aa")
    bench.at(7.0, lambda: bench.queue.note_reply(job_of("a"), None, status=200))
    assert (bench.wait(), bench.clock) == ("a", 7.0)
