"""Ctrl-C in a program that uses the library: it is deferred, but not lost."""

from __future__ import annotations

import signal

import pytest

from url_downloader.api import deferred_interrupt


def test_deferred() -> None:
    """Ctrl-C does not interrupt the block, and is raised at its end."""
    steps = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupt() as flag:  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        steps.append(flag.came)
    assert steps == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_is_not_deferred() -> None:
    """The second Ctrl-C is raised at once."""
    with pytest.raises(KeyboardInterrupt), deferred_interrupt():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second one was deferred")


@pytest.mark.parametrize("is_before", [True, False])
def test_passed_on(*, is_before: bool) -> None:
    """While the caller's code runs, a new or deferred Ctrl-C is raised at once."""
    with pytest.raises(KeyboardInterrupt), deferred_interrupt() as flag:  # noqa: PT012
        if is_before:
            signal.raise_signal(signal.SIGINT)
        with flag.passed_on():
            assert not is_before
            signal.raise_signal(signal.SIGINT)
        pytest.fail("it was deferred")


def test_a_handler_of_the_program_stays() -> None:
    """A handler that the program has for Ctrl-C stays."""
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        with deferred_interrupt() as flag:
            signal.raise_signal(signal.SIGINT)
        assert (seen, flag.came) == ([signal.SIGINT], False)
    finally:
        signal.signal(signal.SIGINT, before)
