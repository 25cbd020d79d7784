"""Pauses of one host: which replies begin one, and how long it is."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.hosts import no_jitter
from url_downloader.engine.host_pause import HostPause


def highest(_: float, high: float) -> float:
    """Return the greatest value."""
    return high


def pause_of(good_replies: int = 0) -> HostPause:
    """Return the pauses of a host that had these good replies, without luck."""
    return HostPause(good_replies, jitter=no_jitter)


def note(pause: HostPause, replies: str) -> str:
    """Note good replies (g) and busy ones (b) at time 0; return `p` where a pause began."""
    began = ""
    for each in replies:
        if each == "g":
            pause.note_good_reply()
            began += "-"
        else:
            is_new = pause.note_busy_reply(0.0, retry_after=None, is_known=False)
            began += "p" if is_new else "-"
    return began


@pytest.mark.parametrize(
    ("good_replies", "replies", "began"),
    [
        (0, "bbbb", "----"),
        (0, "bbbbb", "----p"),
        (4, "bbbbb", "----p"),
        (5, "bbbbb", "----p"),
        (6, "bbbbb", "-----"),
        (6, "bbbbbb", "-----p"),
        (7, "bbbbbb", "------"),
        (20, "bbbbbbbbb", "---------"),
        (20, "bbbbbbbbbb", "---------p"),
        (0, "gbgbgbgbgb", "-" * 9 + "p"),
        (0, "ggbgbgbgbgb", "-----------"),
        (20, "gb" * 10, "-" * 19 + "p"),
        (20, "ggb" * 40, "-" * 120),
        (20, "gggggggggb" * 20, "-" * 200),
    ],
)
def test_half_of_twenty_and_at_least_five(good_replies: int, replies: str, began: str) -> None:
    """Without Retry-After, five busy replies that are half of the last 20 pause a host."""
    assert note(pause_of(good_replies), replies) == began


def test_only_the_last_twenty_replies_count() -> None:
    """Replies that came before do not count: neither busy nor good ones."""
    pause = pause_of()
    assert note(pause, "bbbb" + "g" * 20 + "bbbbbbbbb") == "-" * 33
    assert note(pause, "b") == "p"


def test_each_pause_is_twice_as_long() -> None:
    """Pauses without Retry-After take 5 s, then twice as long each, but no more than 10 min."""
    pause = pause_of()
    note(pause, "bbbb")
    lengths = []
    for n in range(20):
        now = 10_000.0 * n
        assert pause.note_busy_reply(now, retry_after=None, is_known=False)
        lengths.append(pause.until - now)
    assert lengths == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, *[600.0] * 13]
    assert pause.has_backoff


@pytest.mark.parametrize(
    ("replies", "seconds"),
    [
        ("g" * 99, 20.0),
        ("g" * 100, 5.0),
        ("g" * 99 + "b" + "g" * 99, 20.0),
        ("g" * 50 + "b" + "g" * 100, 5.0),
    ],
)
def test_a_hundred_good_replies_in_a_row_reset_the_length(replies: str, seconds: float) -> None:
    """After 100 good replies in a row, the next pause is one of 5 s again."""
    pause = pause_of()
    note(pause, "bbbbbb")
    note(pause, replies)
    assert pause.has_backoff is (seconds > 5.0)
    note(pause, "b" * 9)
    assert pause.until <= 10.0
    note(pause, "b")
    assert pause.until == pytest.approx(max(seconds, 10.0))


def test_a_retry_after_pauses_at_once() -> None:
    """One reply with Retry-After pauses the host, for as long as it says; no number grows."""
    pause = pause_of(20)
    assert pause.note_busy_reply(100.0, retry_after=3.0, is_known=False)
    assert (pause.until, pause.has_backoff) == (103.0, False)
    assert pause.note_busy_reply(200.0, retry_after=0.5, is_known=False)
    assert pause.until == 200.5


def test_a_retry_after_of_no_time_is_none() -> None:
    """A Retry-After of 0 says nothing: the reply is one without it."""
    pause = pause_of(20)
    assert not pause.note_busy_reply(100.0, retry_after=0.0, is_known=False)
    assert pause.until == -inf


def test_one_incident_counts_once() -> None:
    """A reply to an attempt from before the pause begins none, and only lengthens it."""
    pause = pause_of()
    note(pause, "bbbbb")
    assert pause.until == 5.0
    for retry_after, until in ((None, 5.0), (2.0, 5.0), (9.0, 10.0), (3.0, 10.0)):
        assert not pause.note_busy_reply(1.0, retry_after=retry_after, is_known=True)
        assert pause.until == until
    pause.note_busy_reply(100.0, retry_after=None, is_known=False)
    assert pause.until == 110.0


def test_a_new_pause_never_ends_earlier() -> None:
    """A shorter Retry-After does not end a pause before its time."""
    pause = pause_of()
    pause.note_busy_reply(0.0, retry_after=60.0, is_known=False)
    pause.note_busy_reply(1.0, retry_after=2.0, is_known=False)
    assert pause.until == 60.0


@pytest.mark.parametrize(("retry_after", "until"), [(30.0, 33.0), (None, 5.5)])
def test_a_pause_is_up_to_a_tenth_longer(retry_after: float | None, until: float) -> None:
    """The jitter lies between nothing and a tenth of the pause."""
    pause = HostPause(0, jitter=highest)
    for _ in range(4):
        pause.note_busy_reply(0.0, retry_after=None, is_known=False)
    pause.note_busy_reply(0.0, retry_after=retry_after, is_known=False)
    assert pause.until == pytest.approx(until)


def test_since_is_the_first_busy_reply_after_a_good_one() -> None:
    """It tells for how long the host has given nothing but such replies."""
    pause = pause_of()
    assert pause.since is None
    for now in (3.0, 4.0):
        pause.note_busy_reply(now, retry_after=None, is_known=False)
        assert pause.since == 3.0
    pause.note_good_reply()
    assert pause.since is None
    pause.note_busy_reply(8.0, retry_after=1.0, is_known=True)
    assert pause.since == 8.0


@given(st.lists(st.booleans()), st.integers(0, 20))
def test_any_replies_are_judged_by_the_window(replies: list[bool], good_replies: int) -> None:
    """For any replies, a pause begins just when the rule says it of the last 20."""
    pause, seen = pause_of(good_replies), [False] * good_replies
    for is_busy in replies:
        seen = [*seen, is_busy][-20:]
        if is_busy:
            wanted = sum(seen) >= 5 and sum(seen) >= len(seen) / 2
            assert pause.note_busy_reply(0.0, retry_after=None, is_known=False) is wanted
        else:
            pause.note_good_reply()
