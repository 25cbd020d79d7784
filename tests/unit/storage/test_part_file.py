"""Parts on a real disk: they are resumed byte for byte, or removed if they are unreliable."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.support.output_directories import (
    ETAG,
    JOB,
    MIB,
    V1,
    V2,
    begun,
    content,
    hidden_files,
    keep_part,
    known_part,
    prepared,
    publish,
    refuse,
    reopened,
    store,
    visible_files,
)
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.file_facts import SavedPart
from url_downloader.shared.models import ErrorKind
from url_downloader.storage.output_directory import PARTS_FOLDER, OutputDirectory
from url_downloader.storage.part_file import PartFile

KINDS = {
    errno.EDQUOT: ErrorKind.DISK_FULL,
    errno.ENOSPC: ErrorKind.DISK_FULL,
    errno.EIO: ErrorKind.LOCAL,
}


@pytest.mark.parametrize("total", [len(V1), None])
@pytest.mark.parametrize("size", [MIB, MIB + 1, len(V1)])
def test_a_part_that_is_resumed(directory: Path, size: int, *, total: int | None) -> None:
    """A later run finds all bytes of a part that was kept, and continues at its end."""
    part = reopened(directory)
    assert part.saved is None
    part.begin(ETAG, total)
    for start in range(0, size, 100_000):
        part.write(V1[start : min(start + 100_000, size)])
    assert part.keep()
    again = reopened(directory)
    assert again.saved == SavedPart(validator=ETAG, total=total, size=size)
    assert content(again) == V1[:size]
    again.write(V1[size:])
    assert again.size == len(V1)
    target = publish(prepared(directory), again)
    assert target.read_bytes() == V1
    assert target == directory / "file.bin"
    assert hidden_files(directory) == []


def test_a_part_that_is_read_between_writes(directory: Path) -> None:
    """Reading the part does not change the offset at which the next bytes are written."""
    part = reopened(directory)
    part.begin(None, None)
    for chunk in (b"abc", b"de", b"f"):
        part.write(chunk)
        assert content(part).endswith(chunk)
    assert content(part) == b"abcdef"
    part.discard()


def test_a_discarded_part(directory: Path) -> None:
    """discard() removes a part, and has no effect if it is called again; the next is empty."""
    output = prepared(directory)
    part = begun(output)
    part.write(b"bad")
    part.discard()
    part.discard()
    assert (visible_files(directory), hidden_files(directory)) == ([], [])
    assert store(output, data=b"good").read_bytes() == b"good"


def test_a_discarded_part_with_a_note(directory: Path) -> None:
    """discard() removes the note as well."""
    keep_part(directory)
    part = reopened(directory)
    part.discard()
    assert hidden_files(directory) == []


def test_two_runs_with_the_same_url(directory: Path) -> None:
    """The second run gets a part of its own, without a note; both runs publish right files."""
    path = known_part(directory)
    first = reopened(directory)
    first.begin(ETAG, len(V1))
    first.write(V1[:MIB])
    second = reopened(directory)
    assert second.path != str(path)
    assert second.saved is None
    second.begin('"v2"', len(V2))
    for part, rest in ((first, V1[MIB:]), (second, V2)):
        part.write(rest)
    assert {each.suffix for each in hidden_files(directory)} == {".part", ".json"}
    assert [each.stem for each in path.parent.glob("*.json")] == [path.stem]
    output = prepared(directory)
    assert publish(output, first, "a").read_bytes() == V1
    assert publish(output, second, "b").read_bytes() == V2
    assert hidden_files(directory) == []


def test_a_part_whose_name_another_run_has_locked(directory: Path) -> None:
    """A part without the URL's name is not kept; the part that has the name is unchanged."""
    keep_part(directory)
    first, second = reopened(directory), reopened(directory)
    assert (first.size, second.size) == (MIB + 5, 0)
    second.begin('"v2"', None)
    second.write(V2)
    assert not second.keep()
    third = reopened(directory)
    third.discard()
    assert first.keep()
    last = reopened(directory)
    assert (last.path, last.size) == (str(known_part(directory)), MIB + 5)
    assert content(last) == V1[: MIB + 5]
    last.discard()


def test_a_part_after_an_io_error(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After EIO it is unknown which bytes are lost: part and note are removed."""
    output = prepared(directory)
    part = output.create(JOB)
    part.begin('"one"', 4 << 20)
    part.write(bytes(2 << 20))
    with monkeypatch.context() as patched:
        refuse(patched, "write", errno.EIO, of=lambda *_: True)
        with pytest.raises(AttemptError) as caught:
            part.write(b"more")
    assert caught.value.kind is ErrorKind.LOCAL
    assert not part.keep()
    assert hidden_files(directory) == []


def fail_at_close(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Have the close of each duplicate of a descriptor fail with this error number."""
    duplicates: list[int] = []
    real_dup, real_close = os.dup, os.close

    def dup(descriptor: int) -> int:
        duplicates.append(real_dup(descriptor))
        return duplicates[-1]

    def close(descriptor: int) -> None:
        real_close(descriptor)
        if descriptor in duplicates:
            duplicates.remove(descriptor)
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "dup", dup)
    monkeypatch.setattr(os, "close", close)


@pytest.mark.parametrize("number", KINDS)
@pytest.mark.parametrize("size", [10, 3 << 20])
def test_an_error_at_the_close(
    directory: Path, size: int, monkeypatch: pytest.MonkeyPatch, *, number: int
) -> None:
    """If a network disk reports an error at the close, the file is not published or kept.

    The disk reports the error once, when `publish` closes a duplicate of the descriptor.
    """
    output = prepared(directory)
    store(output, data=b"old")
    part = output.create(JOB)
    part.begin('"one"', size)
    part.write(bytes(size))
    with monkeypatch.context() as patched:
        fail_at_close(patched, number)
        with pytest.raises(AttemptError) as caught:
            publish(output, part)
    assert not part.keep()
    assert caught.value.kind is KINDS[number]
    assert (directory / "file.bin").read_bytes() == b"old"
    assert hidden_files(directory) == []


@pytest.mark.parametrize("number", KINDS)
def test_an_error_at_the_close_of_a_kept_part(
    directory: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """If a network disk reports an error at the close, a part with a note is not kept."""
    part = prepared(directory).create(JOB)
    part.begin('"one"', None)
    part.write(bytes(3 << 20))
    with monkeypatch.context() as patched:
        fail_at_close(patched, number)
        assert not part.keep()
    assert hidden_files(directory) == []


def part_with_note(output: OutputDirectory, validator: str, data: bytes) -> PartFile:
    """Return a part that has these bytes and a note."""
    part = output.create(JOB)
    part.begin(validator, len(data))
    part.write(data)
    return part


@pytest.mark.parametrize("is_published", [True, False])
def test_a_note_that_can_t_be_removed(
    directory: Path, monkeypatch: pytest.MonkeyPatch, *, is_published: bool
) -> None:
    """The file is published or discarded; the note that remains is not used for other bytes."""
    output, data = prepared(directory), bytes(range(256)) * 8192
    part = part_with_note(output, '"one"', data)
    with monkeypatch.context() as patched:
        refuse(patched, "unlink", errno.EIO, of=lambda name: str(name).endswith(".json"))
        if is_published:
            assert publish(output, part).read_bytes() == data
        else:
            part.discard()
    assert [path.suffix for path in hidden_files(directory)] == [".json"]
    again = prepared(directory)
    assert again.has_leftovers
    assert again.reopen(JOB) is None
    assert part_with_note(again, '"two"', data[::-1]).keep()
    resumed = again.reopen(JOB)
    assert resumed is not None
    assert resumed.saved == SavedPart('"two"', len(data), len(data))
    resumed.discard()
    again.tidy()
    assert not (directory / PARTS_FOLDER).exists()
