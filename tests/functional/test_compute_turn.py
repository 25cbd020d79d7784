"""The compute turn: it passes from thread to thread, and a stuck holder blocks none of them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from url_downloader.shared.compute_turn import (
    LONG_TURN,
    MAX_LONG_TURNS,
    PAUSE_SECONDS,
    ComputeTurn,
)

LIMIT = 30.0


class Neighbour:
    """Another thread that calls one function."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._is_done = threading.Event()
        self._action = action
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self._action()
        self._is_done.set()

    def is_done(self, seconds: float = LIMIT) -> bool:
        """Return whether the call returned within so many seconds."""
        return self._is_done.wait(seconds)


def test_one_at_a_time() -> None:
    """Threads that acquire the turn to compute never compute at the same time."""
    turn = ComputeTurn()
    inside, most = 0, 0

    def compute() -> None:
        nonlocal inside, most
        for _ in range(300):
            turn.acquire()
            inside += 1
            most = max(most, inside)
            inside -= 1
            turn.release()

    neighbours = [Neighbour(compute) for _ in range(4)]
    assert all(each.is_done() for each in neighbours)
    assert most == 1


def test_acquiring_and_releasing_again_does_nothing() -> None:
    """The holder may acquire the turn again; a thread without the turn may release it."""
    turn = ComputeTurn()
    turn.acquire()
    turn.acquire()
    turn.release()
    turn.release()
    assert Neighbour(turn.acquire).is_done()


def test_another_thread_can_not_release_it() -> None:
    """Only the holder releases the turn."""
    now = [0.0]
    turn = ComputeTurn(now=lambda: now[0])
    turn.acquire()
    assert Neighbour(turn.release).is_done()
    assert Neighbour(turn.acquire).is_done()
    # The second neighbour waited too long and got no turn, so that all threads pause turns.
    assert Neighbour(turn.acquire).is_done()


def test_a_wait_releases_it() -> None:
    """Another thread can acquire and release the turn during a wait; then it is back."""
    turn = ComputeTurn()

    def use() -> None:
        turn.acquire()
        turn.release()

    turn.acquire()
    with turn.released():
        assert Neighbour(use).is_done()
    waiting = Neighbour(turn.acquire)
    turn.release()
    assert waiting.is_done()


def test_a_stuck_holder_blocks_no_thread_for_long() -> None:
    """If the holder is stuck, threads go on without the turn, and for a while do not try."""
    now = [0.0]
    turn = ComputeTurn(now=lambda: now[0])
    assert Neighbour(turn.acquire).is_done()
    turn.acquire()
    now[0] += PAUSE_SECONDS / 2
    turn.acquire()
    turn.release()
    now[0] += PAUSE_SECONDS
    turn.acquire()
    turn.release()


def test_an_interpreter_without_a_lock_needs_no_turns() -> None:
    """Without a GIL all threads compute at the same time."""
    turn = ComputeTurn(is_needed=False)
    turn.acquire()
    assert Neighbour(turn.acquire).is_done()


def test_long_turns_block_no_thread() -> None:
    """Long turns in a row mean a slow disk: then threads do not wait for the turn."""
    now, looks = [0.0], [0]

    def look() -> float:
        looks[0] += 1
        return now[0]

    turn = ComputeTurn(now=look)
    for _ in range(MAX_LONG_TURNS):
        turn.acquire()
        now[0] += 2 * LONG_TURN
        turn.release()
    turn.acquire()
    before = looks[0]
    assert Neighbour(turn.acquire).is_done()
    # One look at the clock means that it did not wait.
    assert looks[0] == before + 1
