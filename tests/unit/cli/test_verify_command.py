"""The command `verify`: its summary, its progress, and its arguments."""

from __future__ import annotations

import io
import sys
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest

from url_downloader.cli.verify_command import Progress, run_verify, summary_lines
from url_downloader.ledger.verification import Verification


class Terminal(io.StringIO):
    """Stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def summary(checksums: int = 0, **counts: int) -> list[str]:
    """Return the summary of a comparison with these numbers."""
    with closing(connect(":memory:")) as connection:
        done = Verification(connection, b"", checksums={})
        for name, count in counts.items():
            setattr(done, name, count)
        return [*summary_lines(done, checksums=checksums)]


def test_summary() -> None:
    """The summary says what was compared, how, and what was not."""
    assert summary() == ["0 files compared, 0 differ"]
    assert summary(files=1, differing=1) == ["1 file compared, 1 differs"]
    assert summary(
        files=9, differing=2, without_digest=3, incomplete=4, with_checksum=5, checksums=7
    ) == [
        "9 files compared, 2 differ",
        "3 by size and time only: no digest is known",
        "4 not compared: not known to be complete",
        "2 of 7 checksums are for files that the ledger does not have",
    ]


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is written again when it is due, and removed without a trace."""
    terminal = Terminal()
    # Not in a fixture: pytest replaces the stream once more after the fixtures.
    monkeypatch.setattr(sys, "stderr", terminal)
    times = iter([1.0, 1.05, 2.0, 2.01])
    progress = Progress(now=lambda: next(times))
    for files, size in ((10, 2048), (11, 2048), (9, 5)):
        progress.show(files, size)
    first, second = "files compared: 10, 2.0 KiB read", "files compared: 9, 5 B read"
    assert terminal.getvalue() == f"\r{first}\r{second.ljust(len(first))}"
    progress.erase()
    progress.erase()
    assert terminal.getvalue().endswith(f" \r{' ' * len(second)}\r")
    # The line comes back at once after other text.
    progress.show(12, 5)
    assert terminal.getvalue().endswith("\rfiles compared: 12, 5 B read")


def test_progress_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe or a file there is no progress."""
    progress = Progress()
    progress.show(1, 1)
    progress.erase()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("words", [["x"], ["--ledger"], ["--no-ledger"], ["--check", "x"]])
def test_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown arguments are a usage error."""
    with pytest.raises(SystemExit) as caught:
        run_verify(words)
    assert caught.value.code == 2
    assert "url-downloader verify: error: " in capsys.readouterr().err


def test_checksums_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of another format than that of sha256sum is named in the message."""
    sums = tmp_path / "sums"
    sums.write_text("nonsense\n")
    assert run_verify(["--checksums", str(sums)]) == 3
    assert f"{sums}: the checksums can't be read: line 1" in capsys.readouterr().err
