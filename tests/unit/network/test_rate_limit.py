"""The limit of the rate, on virtual time: when reads are due, and who waits how long."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.virtual_rate import Read, VirtualControl, VirtualLimit, shared_reads
from url_downloader.network.rate_limit import (
    CREDIT_SECONDS,
    LEAST_BUFFER,
    SMALL_PIECE,
    RateLimiter,
    RateSchedule,
)
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind

KIB = 1024
MIB = 1 << 20


def bytes_by(reads: list[Read], seconds: float) -> int:
    """Return the bytes that were read in the first seconds."""
    return sum(read.size for read in reads if read.due <= seconds)


def test_reads_are_due_one_after_the_other() -> None:
    """Bytes are read only after the time that they take, the first ones too."""
    schedule = RateSchedule(100)
    assert [schedule.add(count, 10.0) for count in (100, 50, 1)] == [11.0, 11.5, 11.51]


def test_a_silence_earns_little() -> None:
    """After a silence, a fraction of a second of the rate can be read at once, and no more."""
    schedule = RateSchedule(100)
    schedule.add(100, 10.0)
    earned = round(100 * CREDIT_SECONDS)
    assert schedule.add(earned, 500.0) == pytest.approx(500.0)
    assert schedule.add(100, 500.0) == pytest.approx(501.0)


def test_a_late_worker_makes_up_for_it() -> None:
    """A worker that is late each time, within the credit, still gets the whole rate."""
    reads = shared_reads(RateSchedule(1000), [100], seconds=100, pause=CREDIT_SECONDS / 2)
    assert bytes_by(reads, 100) == pytest.approx(100 * 1000, rel=0.01)


def test_what_was_not_read_is_for_others() -> None:
    """Bytes that are given back can be read at once by the next one."""
    schedule = RateSchedule(100)
    schedule.add(100, 10.0)
    schedule.give_back(80)
    assert schedule.add(80, 10.0) == pytest.approx(11.0)


def test_a_restart_begins_anew() -> None:
    """After a restart nothing is owed and nothing is earned."""
    schedule = RateSchedule(100)
    schedule.add(100_000, 10.0)
    schedule.restart()
    schedule.give_back(100)
    assert schedule.add(100, 20.0) == 21.0


STEPS = st.lists(
    st.tuples(st.floats(0, 3), st.integers(1, 500), st.integers(0, 500)), min_size=1
)


@given(STEPS, st.integers(1, 2000))
def test_the_rate_is_never_exceeded(steps: list[tuple[float, int, int]], rate: int) -> None:
    """Between any two reads come no more bytes than the rate and the credit allow."""
    schedule, now = RateSchedule(rate), 1000.0
    reads = [(now, 0)]
    for pause, count, unread in steps:
        now += pause
        now = max(now, schedule.add(count, now))
        schedule.give_back(min(count, unread))
        reads.append((now, count - min(count, unread)))
    sums = list(accumulate(count for _, count in reads))
    for later, (end, _) in enumerate(reads):
        for earlier, (begin, _) in enumerate(reads[:later]):
            allowed = rate * (end - begin + (CREDIT_SECONDS if earlier else 0))
            assert sums[later] - sums[earlier] <= allowed + 1e-3


@pytest.mark.parametrize("workers", [1, 2, 64])
def test_workers_share_the_rate(workers: int) -> None:
    """Together the workers get the rate, from the start on; each gets the same share."""
    reads = shared_reads(RateSchedule(64_000), [640] * workers, seconds=20)
    for seconds in (1, 10, 19.99):
        assert bytes_by(reads, seconds) == pytest.approx(64_000 * seconds, rel=0.03)
    shares = [sum(each.size for each in reads if each.worker == n) for n in range(workers)]
    assert max(shares) - min(shares) <= 640


def test_small_reads_beside_big_ones() -> None:
    """A worker that reads little at a time has its turn as often as the others."""
    reads = shared_reads(RateSchedule(100_000), [4096, 100, 4096], seconds=10)
    turns = [sum(each.worker == n for each in reads) for n in range(3)]
    assert max(turns) - min(turns) <= 1


@pytest.mark.parametrize(
    ("rate", "piece"),
    [
        (1, 1),
        (5 * KIB, 512),
        (30 * KIB, 3 * KIB),
        (40 * KIB, SMALL_PIECE),
        (MIB, SMALL_PIECE),
        (400 * MIB, MIB),
        (0.01, 1),
    ],
)
def test_the_size_of_a_read(rate: float, piece: int) -> None:
    """A read is small, so that all get their turn, but not so small that it wastes time."""
    assert RateLimiter(rate, workers=8).piece == piece


@pytest.mark.parametrize(
    ("rate", "workers", "size"),
    [
        (5 * KIB, 64, LEAST_BUFFER),
        (5 * KIB, 1, LEAST_BUFFER),
        (100 * KIB, 1, 100 * KIB),
        (400 * KIB, 4, 100 * KIB),
        (128 * KIB, 1, 0),
        (128 * KIB - 1, 1, 128 * KIB - 1),
        (64 * MIB, 1000, 64 * MIB // 1000),
    ],
)
def test_the_receive_buffer(rate: float, workers: int, size: int) -> None:
    """A slow connection's buffer has a second's share of the rate; a fast one's is usual."""
    limit = VirtualLimit(rate, workers=workers)
    assert limit.limiter.receive_buffer() == size
    limit.is_wanted = False
    assert limit.limiter.receive_buffer() == 0


def test_a_worker_waits_until_its_read_is_due() -> None:
    """The limiter returns when the read is due, and at once if it is due already."""
    limit = VirtualLimit(1000)
    assert [limit.admit(count) for count in (500, 250)] == pytest.approx([0.5, 0.25])
    limit.clock.now += 60
    assert limit.admit(round(1000 * CREDIT_SECONDS)) == 0


def test_a_long_wait_looks_at_the_switch() -> None:
    """A worker that waits for long looks every second whether the limit is still on."""
    limit = VirtualLimit(100)
    control = VirtualControl(limit.clock)
    assert limit.admit(1000, control) == pytest.approx(10)
    assert max(control.waits) <= 1


def test_without_the_limit_nothing_waits() -> None:
    """While the limit is switched off, reads neither wait nor count."""
    limit = VirtualLimit(1000)
    limit.is_wanted = False
    assert [limit.admit(10**9), limit.admit(10**9)] == [0, 0]
    limit.is_wanted = True
    assert limit.admit(1000) == pytest.approx(1)


def test_the_limit_starts_empty_again() -> None:
    """After the limit was off, neither an old debt nor an old credit is left."""
    limit = VirtualLimit(1000)
    for pause in (0, 1000):
        limit.admit(1000)
        limit.is_wanted = False
        limit.admit(1)
        limit.clock.now += pause
        limit.is_wanted = True
        assert limit.admit(100) == pytest.approx(0.1)


def test_a_switch_ends_waits() -> None:
    """When the limit is switched off, a worker that waits reads at once."""
    limit = VirtualLimit(100)

    def switch_off() -> None:
        limit.is_wanted = False

    assert limit.admit(10_000, VirtualControl(limit.clock, switch_off)) < 2


def test_who_sees_the_switch_wakes_the_others() -> None:
    """All workers that wait are woken as soon as one of them sees that the limit is off."""
    limit = VirtualLimit(100)
    woken: list[str] = []

    class Sleeper(VirtualControl):
        def wake(self) -> None:
            woken.append("sleeper")

    def look() -> None:
        limit.is_wanted = False
        assert not limit.limiter.is_on

    limit.admit(100, Sleeper(limit.clock, look))
    assert woken == ["sleeper"]
    # It waits no more.
    limit.is_wanted = True
    assert limit.limiter.is_on
    assert woken == ["sleeper"]


def test_an_abort_ends_the_wait() -> None:
    """A worker whose attempt is aborted waits no longer, and others get its bytes."""
    limit = VirtualLimit(100)
    control = VirtualControl(limit.clock)
    control.abort()
    with pytest.raises(AttemptError) as caught:
        limit.admit(1000, control)
    assert caught.value.kind is ErrorKind.INTERRUPTED
    assert limit.admit(100) <= 1
