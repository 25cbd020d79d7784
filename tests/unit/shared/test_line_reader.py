"""Lines of a list, read from a descriptor as they arrive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.shared.line_reader import GAP, MAX_LINE, read_lines

PATIENCE = 0.001


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """Yield the reading and the writing end of a pipe."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "wb"):
        yield reader, writer


def lines_of(data: bytes, *, max_line: int = MAX_LINE) -> list[bytes | None]:
    """Return the lines of `data`, read from a pipe that is closed after it."""
    reader, writer = os.pipe()
    try:
        with os.fdopen(writer, "wb") as stream:
            stream.write(data)
        return list(read_lines(reader, idle_seconds=PATIENCE, max_line=max_line))
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"\n\na\n\n", [b"", b"", b"a", b""]),
        (b"a\rb\r", [b"a\rb"]),
        (b"12345678\n1", [b"12345678", b"1"]),
        (b"12345678\r\n1", [b"12345678", b"1"]),
        (b"123456789\n1", [b"123456789", b"1"]),
        (b"123456789\r\n", [b"123456789"]),
        (b"12345678\rx\n", [b"12345678\r"]),
        (b"1234567890123\n12\n", [b"123456789", b"12"]),
        (b"1234567890123", [b"123456789"]),
    ],
)
def test_lines_come_without_their_ends(data: bytes, lines: list[bytes]) -> None:
    """LF, CRLF and the end of the data end a line; one of over 8 bytes is cut after 9."""
    assert lines_of(data, max_line=8) == lines


@given(st.lists(st.binary(max_size=20).map(lambda line: line.translate(None, b"\r\n"))))
def test_any_lines_are_read(lines: list[bytes]) -> None:
    """The lines that are written are the lines that are read."""
    assert lines_of(b"".join(line + b"\n" for line in lines)) == lines


def test_a_long_file_is_read_in_full(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Lines across blocks come whole; a huge line is cut, and its reader is not blocked."""
    path = tmp_path_factory.mktemp("list") / "list.txt"
    lines = [b"%d" % n for n in range(100_000)]
    path.write_bytes(b"\n".join([*lines, b"x" * 1_000_000, *lines]))
    with path.open("rb") as file:
        read = list(read_lines(file.fileno()))
    assert [line for line in read if line is not None] == [
        *lines,
        b"x" * (MAX_LINE + 1),
        *lines,
    ]
    assert read[-len(lines) - 2 : -len(lines)] == [None, None], (
        "None comes while the huge line goes on"
    )


def test_a_line_comes_before_the_next_is_written() -> None:
    """A line comes as soon as its end is there; a pause gives GAP, then None repeatedly."""
    with pipe() as (reader, writer):
        lines = read_lines(reader, idle_seconds=PATIENCE)
        assert next(lines) is None
        os.write(writer, b"one\ntw")
        assert next(lines) == b"one"
        assert next(lines) is GAP
        assert [next(lines), next(lines)] == [None, None]
        os.write(writer, b"o\n")
        assert next(lines) == b"two"
