"""Ctrl-C in a program that uses the library: kept back, never lost."""

from __future__ import annotations

import signal

import pytest

from url_downloader.api import deferred_interrupt


def test_kept_back_and_raised() -> None:
    """Ctrl-C interrupts no step of the block, and comes at its end."""
    steps = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupt() as box:  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        steps.append(box.came)
    assert steps == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_not_kept_back_twice() -> None:
    """The second Ctrl-C does not wait."""
    with pytest.raises(KeyboardInterrupt), deferred_interrupt():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second one was kept back")


@pytest.mark.parametrize("is_before", [True, False])
def test_passed_on(*, is_before: bool) -> None:
    """While the caller's own code runs it comes at once, and what was kept back comes first."""
    with pytest.raises(KeyboardInterrupt), deferred_interrupt() as box:  # noqa: PT012
        if is_before:
            signal.raise_signal(signal.SIGINT)
        with box.passed_on():
            assert not is_before
            signal.raise_signal(signal.SIGINT)
        pytest.fail("it was kept back")


def test_a_handler_of_the_program_stays() -> None:
    """Where somebody else handles Ctrl-C, it is his."""
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        with deferred_interrupt() as box:
            signal.raise_signal(signal.SIGINT)
        assert (seen, box.came) == ([signal.SIGINT], False)
    finally:
        signal.signal(signal.SIGINT, before)
