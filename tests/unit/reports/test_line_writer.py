"""Lines to full disks, slow readers and closed pipes."""

from __future__ import annotations

import errno
import functools
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from url_downloader.reports.line_writer import MAX_UNMADE, LineWriter


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Return the ends of a pipe: for reading, for writing."""
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def write(writer: LineWriter, line: bytes) -> None:
    """Queue a line."""
    writer.write(lambda: line)


def at_once() -> bool:
    """Give up at once."""
    return True


def never() -> bool:
    """Never give up."""
    return False


def test_a_slow_reader(pipe: tuple[int, int]) -> None:
    """The writer does not block, and the reader gets all bytes in order when it reads."""
    reader, descriptor = pipe
    writer = LineWriter(descriptor, name="x")
    lines = [b"%d" % number * 1000 + b"\n" for number in range(300)]
    for line in lines:
        write(writer, line)
    assert not writer.drain(gave_up=at_once)
    got, wanted = b"", b"".join(lines)
    while len(got) < len(wanted):
        got += os.read(reader, 1 << 16)
        writer.flush()
    assert got == wanted
    assert writer.drain(gave_up=never)


def test_a_closed_pipe(pipe: tuple[int, int], caplog: pytest.LogCaptureFixture) -> None:
    """A pipe that its reader has closed is one warning, and no failure."""
    reader, descriptor = pipe
    writer = LineWriter(descriptor, name="x")
    write(writer, b"1\n")
    os.close(reader)
    for _ in range(3):
        write(writer, b"2\n")
        writer.flush()
    assert writer.drain(gave_up=never)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_full_disk(caplog: pytest.LogCaptureFixture) -> None:
    """A full disk is one error, and the missing lines are counted; the writer does not wait."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    writer = LineWriter(descriptor, name="x")
    write(writer, b"1\n")
    write(writer, b"2\n")
    assert not writer.drain(gave_up=never)
    os.close(descriptor)
    assert [record.getMessage() for record in caplog.records] == [
        "x: can't be written: No space left on device",
        "x: 2 lines could not be written",
    ]


@pytest.mark.parametrize("flags", [0, os.O_APPEND])
def test_a_file_holds_whole_lines_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: int
) -> None:
    """A line that does not fit is removed again, and is written when there is room."""
    path, room, real = tmp_path / "lines", [5], os.write

    def write_some(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "full")
        taken = real(descriptor, data[: room[0]])
        room[0] -= taken
        return taken

    monkeypatch.setattr(os, "write", write_some)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags)
    writer = LineWriter(descriptor, name="x")
    write(writer, b"abc\n")
    write(writer, b"defg\n")
    writer.flush()
    assert path.read_bytes() == b"abc\n"
    assert not writer.drain(gave_up=never)
    room[0] = 100
    write(writer, b"h\n")
    writer.flush()
    assert path.read_bytes() == b"abc\ndefg\nh\n"
    assert writer.drain(gave_up=never)
    writer.close()
    write(writer, b"too late\n")
    os.close(descriptor)
    assert path.read_bytes() == b"abc\ndefg\nh\n"


def sizes_of_writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of bytes of each write."""
    sizes, real = list[int](), os.write

    def write_some(descriptor: int, data: bytes) -> int:
        sizes.append(len(data))
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write_some)
    return sizes


def test_lines_are_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`write` makes no line; `flush` makes and writes all lines in order, in one call."""
    sizes, path = sizes_of_writes(monkeypatch), tmp_path / "lines"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = LineWriter(descriptor, name="x")
    for number in range(4):
        write(writer, b"%d\n" % number)
    assert sizes == []
    writer.flush()
    writer.flush()
    assert sizes == [8]
    write(writer, b"4\n")
    writer.flush()
    os.close(descriptor)
    assert sizes == [8, 2]
    assert path.read_bytes() == b"0\n1\n2\n3\n4\n"


def test_too_many_unmade_lines(tmp_path: Path) -> None:
    """Without a `flush`, the thread that queues one line too many writes them."""
    path = tmp_path / "lines"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = LineWriter(descriptor, name="x")
    for _ in range(MAX_UNMADE):
        write(writer, b"x\n")
    assert path.stat().st_size == 0
    write(writer, b"x\n")
    os.close(descriptor)
    assert path.stat().st_size == 2 * (MAX_UNMADE + 1)


def test_many_threads(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each line of many threads is written once and whole."""
    path, threads, count = tmp_path / "lines", 8, 2000
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = LineWriter(descriptor, name="x")
    start = threading.Barrier(threads)

    def write_lines(first: int) -> None:
        start.wait()
        for number in range(first, first + count):
            write(writer, b"%d\n" % number)
            if number % 100 == 0:
                writer.flush()

    writers = [
        threading.Thread(target=write_lines, args=(index * count,)) for index in range(threads)
    ]
    request.addfinalizer(functools.partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-6)
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    assert writer.drain(gave_up=never)
    os.close(descriptor)
    assert sorted(map(int, path.read_bytes().split())) == list(range(threads * count))


def test_drain_waits_for_other_threads(tmp_path: Path) -> None:
    """`drain` waits for the lines that another thread is making."""
    path = tmp_path / "lines"
    with path.open("wb") as file:
        writer = LineWriter(file.fileno(), name="x")
        is_making, may_end = threading.Event(), threading.Event()

        def slow() -> bytes:
            is_making.set()
            may_end.wait(60)
            return b"slow\n"

        writer.write(slow)
        flusher = threading.Thread(target=writer.flush)
        flusher.start()
        assert is_making.wait(60)
        write(writer, b"quick\n")
        drainer = threading.Thread(target=functools.partial(writer.drain, gave_up=never))
        drainer.start()
        drainer.join(0.2)
        assert drainer.is_alive()
        may_end.set()
        for thread in (flusher, drainer):
            thread.join(60)
        assert path.read_bytes() == b"slow\nquick\n"
