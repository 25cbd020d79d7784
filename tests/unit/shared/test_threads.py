"""The one shape of all threads: turns, stop, crash, teardown. No thread is started here."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pytest

from url_downloader.shared.threads import StoppableThread


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the log be seen, whatever other tests have set up."""
    monkeypatch.setattr(logging.getLogger("url_downloader"), "propagate", True)


class Scripted(StoppableThread):
    """Writes down what is called, raises where it is told to, ends when its turns are over."""

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
    """A thread that was made has done nothing yet; it never keeps the process alive."""
    thread = Scripted()
    assert not thread.is_alive()
    assert (thread.story, thread.error, thread.name) == ([], None, "scripted")
    assert thread.daemon


def test_turns_until_one_says_no() -> None:
    """Setup, turns as long as they return True, teardown; and no crash."""
    thread = Scripted(turns=[True, True, False, True])
    thread.run()
    assert thread.story == ["setup", "turn", "turn", "turn", "teardown"]
    assert (thread.error, thread.crashes) == (None, [])


def test_a_stop_before_the_first_turn() -> None:
    """Stopped before it began, a thread makes no turn but cleans up."""
    thread = Scripted(turns=[True])
    thread.stop()
    thread.run()
    assert thread.story == ["setup", "teardown"]


def test_a_stop_between_turns() -> None:
    """Stopped within a turn, a thread ends after it, though the turn would go on."""

    class Stopping(Scripted):
        def run_once(self) -> bool:
            self.stop()
            return super().run_once()

    thread = Stopping(turns=[True, True])
    thread.run()
    assert thread.story == ["setup", "turn", "teardown"]


def test_stop_is_idempotent() -> None:
    """To stop a thread again, or one that has ended, changes nothing and raises nothing."""
    thread = Scripted(turns=[False])
    for _ in range(3):
        thread.stop()
    thread.run()
    thread.stop()
    assert thread.story == ["setup", "teardown"]
    assert (thread.error, thread.crashes) == (None, [])


def test_wait_tells_whether_it_was_stopped() -> None:
    """A pause that runs out is False; one that is cut short, however long, is True."""
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
    caplog: pytest.LogCaptureFixture, where: str, story: list[str], error: BaseException
) -> None:
    """Any exception, at any step: kept, logged once by its type, told; then teardown."""
    thread = Scripted(turns=[False], errors={where: error})
    thread.run()
    assert thread.error is error
    assert thread.crashes == [error]
    assert thread.story == story
    [record] = caplog.records
    assert record.levelno == logging.CRITICAL
    assert f"scripted: bug of this program: {type(error).__name__}" in record.getMessage()


def test_two_errors_are_both_told() -> None:
    """A teardown that fails after a failed turn hides nothing from on_crash."""
    first, second = ValueError("turn"), ValueError("teardown")
    thread = Scripted(errors={"turn": first, "teardown": second})
    thread.run()
    assert thread.crashes == [first, second]


def test_the_first_error_is_the_one_kept() -> None:
    """What is kept is the cause; what follows from it in the teardown is not."""
    first, second = ValueError("turn"), ValueError("teardown")
    thread = Scripted(errors={"turn": first, "teardown": second})
    thread.run()
    assert thread.error is first


def test_teardown_runs_even_if_on_crash_raises() -> None:
    """What a thread owns is closed in any case."""
    thread = Scripted(errors={"turn": ValueError("turn"), "on_crash": OSError("on_crash")})
    with pytest.raises(OSError, match="on_crash"):
        thread.run()
    assert thread.story == ["setup", "turn", "on_crash", "teardown"]


def test_a_thread_without_turns_is_a_bug() -> None:
    """Without turns of its own, a subclass crashes and does not end as if all was done."""
    crashes: list[BaseException] = []
    thread = StoppableThread(name="empty", on_crash=crashes.append)
    thread.run()
    assert [type(error) for error in crashes] == [NotImplementedError]
