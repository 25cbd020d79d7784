"""Kills of a run at any moment: they leave a usable part with its note, or nothing usable."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.support.output_directories import JOB, MIB, V1, V2, VERSIONS, content, prepared
from url_downloader.shared.file_facts import FileVersion
from url_downloader.storage import (
    output_directory,
    part_file,
    part_note,
    parts_folder,
    publishing,
)
from url_downloader.storage.output_directory import PARTS_FOLDER, OutputDirectory

TRACED = tuple(
    str(module.__file__)
    for module in (publishing, part_file, part_note, parts_folder, output_directory)
)
"""Files of the code that changes parts and notes."""


class KillRecorder:
    """Recorder of the states that a SIGKILL would leave in a folder.

    It copies the folder after each line of the traced code that has changed it. As in a kill,
    the copies lack the bytes that are still in a buffer of the process.

    Args:
        folder: Folder to record.
        copies: Folder that the copies go to.

    Attributes:
        found: Paths of the copies, in order.
    """

    def __init__(self, folder: Path, copies: Path) -> None:
        self._folder = folder
        self._copies = copies
        self._last: object = None
        self.found: list[Path] = []

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the states during the `with` block."""
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)
        self._copy_if_changed()

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        return self._on_line if frame.f_code.co_filename.startswith(TRACED) else None

    def _on_line(self, frame: FrameType, event: str, argument: object) -> Any:
        sys.settrace(None)
        self._copy_if_changed()
        sys.settrace(self._trace)
        return self._on_line

    def _copy_if_changed(self) -> None:
        states = [(each, each.lstat()) for each in sorted(self._folder.rglob("*"))]
        now = [(each, s.st_ino, s.st_size, s.st_mtime_ns) for each, s in states]
        if now != self._last:
            self._last = now
            self.found.append(self._copies / f"{len(self.found)}")
            shutil.copytree(self._folder, self.found[-1])


def download(output: OutputDirectory, tag: str, *, until: int | None = None) -> None:
    """Store a version as an attempt does, and resume a part of the same version.

    Args:
        output: Output directory.
        tag: Validator of the version.
        until: Size of the part at which the attempt is aborted; None = the file is published.
    """
    version = VERSIONS[tag]
    part = output.reopen(JOB)
    if part is None or part.saved is None or part.saved.validator != tag:
        part = part or output.create(JOB)
        part.begin(tag, len(version))
    end = len(version) if until is None else until
    for start in range(part.size, end, 300_000):
        part.write(version[start : min(start + 300_000, end)])
    if until is None:
        output.publish(part, JOB.output, version=FileVersion(1e9, None), replaces=True)
    else:
        part.keep()


@pytest.fixture
def killed_runs(tmp_path: Path) -> list[Path]:
    """Return the states after kills at any moment of runs that resume, change and publish."""
    folder = tmp_path / "run"
    output = prepared(folder)
    recorder = KillRecorder(folder, tmp_path / "copies")
    with recorder.recording():
        download(output, '"v1"', until=500_000)
        download(output, '"v1"', until=MIB + 77)
        download(output, '"v2"', until=MIB + 99)
        download(output, '"v2"', until=MIB + 300_000)
        download(output, '"v1"')
        output.tidy()
        output.prepare()
        download(output, '"v2"')
    assert len(recorder.found) > 30
    return recorder.found


def test_a_run_after_a_kill(killed_runs: list[Path]) -> None:
    """A part that is resumed after a kill has bytes of its note's version alone.

    A published file is complete. The next run publishes the right file and leaves no other.
    """
    kept = 0
    for folder in killed_runs:
        target = folder / JOB.output
        assert not target.exists() or target.read_bytes() in (V1, V2)
        output = prepared(folder)
        part = output.reopen(JOB)
        if part is not None:
            kept += 1
            assert part.saved is not None
            version = VERSIONS[part.saved.validator]
            assert part.saved.total == len(version)
            assert content(part) == version[: part.size]
            assert part.keep()
        download(output, '"v2"')
        assert target.read_bytes() == V2
        output.tidy()
        assert [each.name for each in folder.iterdir()] == [JOB.output]
    assert kept > 5


def test_leftovers_of_killed_runs(killed_runs: list[Path]) -> None:
    """A later run removes all files that a kill has left, except parts that have a note."""
    left = set()
    for folder in killed_runs:
        prepared(folder).tidy()
        left.add(" ".join(sorted(each.suffix for each in (folder / PARTS_FOLDER).glob("*"))))
    assert left == {"", ".json .part"}
