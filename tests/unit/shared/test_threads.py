"""The base class of all threads: turns, stop, crash, teardown. No thread is started here."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pytest

from url_downloader.shared.threads import StoppableThread


class Scripted(StoppableThread):
    """A thread that notes each call, raises the errors that it is given, and has a script."""

    def __init__(
        self, *, turns: Iterable[bool] = (), errors: dict[str, BaseException] | None = None
    ) -> None:
        self.story: list[str] = []
        self.crashes: list[BaseException] = []
        super().__init__(name="scripted", on_crash=self.note_crash)
        self.turns = iter(turns)
        self.errors = errors or {}

    def note_crash(self, error: BaseException) -> None:
        self.crashes.append(error)
        self.step("on_crash")

    def setup(self) -> None:
        self.step("setup")

    def run_once(self) -> bool:
        self.step("turn")
        return next(self.turns)

    def teardown(self) -> None:
        self.step("teardown")

    def step(self, name: str) -> None:
        self.story.append(name)
        if name in self.errors:
            raise self.errors[name]


def test_making_it_starts_nothing() -> None:
    """A new thread does nothing yet; it is a daemon, so it never keeps the process alive."""
    thread = Scripted()
    assert not thread.is_alive()
    assert (thread.story, thread.error, thread.name) == ([], None, "scripted")
    assert thread.daemon


def test_turns_until_one_says_no() -> None:
    """A thread runs setup, turns until one returns False, and teardown, without a crash."""
    thread = Scripted(turns=[True, True, False, True])
    thread.run()
    assert thread.story == ["setup", "turn", "turn", "turn", "teardown"]
    assert (thread.error, thread.crashes) == (None, [])


def test_a_stop_before_the_first_turn() -> None:
    """A thread that is stopped before it begins makes no turn, but runs teardown."""
    thread = Scripted(turns=[True])
    thread.stop()
    thread.run()
    assert thread.story == ["setup", "teardown"]


def test_a_stop_between_turns() -> None:
    """A thread that is stopped within a turn ends after it."""

    class Stopping(Scripted):
        def run_once(self) -> bool:
            self.stop()
            return super().run_once()

    thread = Stopping(turns=[True, True])
    thread.run()
    assert thread.story == ["setup", "turn", "teardown"]


def test_stop_is_idempotent() -> None:
    """To stop a thread again, or after its end, changes nothing and raises nothing."""
    thread = Scripted(turns=[False])
    for _ in range(3):
        thread.stop()
    thread.run()
    thread.stop()
    assert thread.story == ["setup", "teardown"]
    assert (thread.error, thread.crashes) == (None, [])


def test_wait_tells_whether_it_was_stopped() -> None:
    """A wait that ends by its timeout returns False; one that a stop ends returns True."""
    thread = Scripted()
    assert thread.wait(0.0) is False
    thread.stop()
    assert thread.wait(3600.0) is True
    assert thread.wait(0.0) is True


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), KeyboardInterrupt(), SystemExit(1), MemoryError()],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize(
    ("where", "story"),
    [
        ("setup", ["setup", "on_crash", "teardown"]),
        ("turn", ["setup", "turn", "on_crash", "teardown"]),
        ("teardown", ["setup", "turn", "teardown", "on_crash"]),
    ],
)
def test_what_escapes_is_kept_and_handed_on(
    package_log: pytest.LogCaptureFixture, where: str, story: list[str], error: BaseException
) -> None:
    """Any exception at any step is kept, logged by its type, and passed to on_crash."""
    thread = Scripted(turns=[False], errors={where: error})
    thread.run()
    assert thread.error is error
    assert thread.crashes == [error]
    assert thread.story == story
    [record] = package_log.records
    assert record.levelno == logging.CRITICAL
    assert f"scripted: bug of this program: {type(error).__name__}" in record.getMessage()


def test_two_errors_are_both_told() -> None:
    """on_crash is called for a failed turn and for a teardown that fails after it."""
    first, second = ValueError("turn"), ValueError("teardown")
    thread = Scripted(errors={"turn": first, "teardown": second})
    thread.run()
    assert thread.crashes == [first, second]


def test_the_first_error_is_the_one_kept() -> None:
    """The error that is kept is the first one, not its consequence in teardown."""
    first, second = ValueError("turn"), ValueError("teardown")
    thread = Scripted(errors={"turn": first, "teardown": second})
    thread.run()
    assert thread.error is first


def test_teardown_runs_even_if_on_crash_raises() -> None:
    """A thread closes what it owns even if on_crash raises."""
    thread = Scripted(errors={"turn": ValueError("turn"), "on_crash": OSError("on_crash")})
    with pytest.raises(OSError, match="on_crash"):
        thread.run()
    assert thread.story == ["setup", "turn", "on_crash", "teardown"]


def test_a_thread_without_turns_is_a_bug() -> None:
    """A subclass without run_once crashes, and does not end as if its work was done."""
    crashes: list[BaseException] = []
    thread = StoppableThread(name="empty", on_crash=crashes.append)
    thread.run()
    assert [type(error) for error in crashes] == [NotImplementedError]
