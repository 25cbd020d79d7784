"""Existing files that the rules -nc, -c and -N look up by a job's name."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.support.output_directories import prepared, refuse, store, visible_files
from url_downloader.config.settings import Existing
from url_downloader.shared.errors import AttemptError


@pytest.mark.parametrize("existing", list(Existing))
@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE])
def test_a_file_that_can_t_be_examined(
    directory: Path, existing: Existing, monkeypatch: pytest.MonkeyPatch, *, number: int
) -> None:
    """The file does not count as missing, as it must not be replaced; -N may replace it."""
    output = prepared(directory, existing=existing)
    refuse(monkeypatch, "stat", number, of=lambda name: name == b"file.bin")
    if existing is Existing.COMPARE:
        assert output.existing("file.bin") is None
        return
    with pytest.raises(AttemptError) as caught:
        output.existing("file.bin")
    assert str(directory / "file.bin") in str(caught.value)


@pytest.mark.parametrize(
    "name", ["missing", "no/folder", "file/below", "n" * 256, "loop/file", "folder", "link"]
)
def test_a_name_without_a_regular_file(directory: Path, name: str) -> None:
    """A folder, a link or a missing file is None, and the look-up makes no folder."""
    output = prepared(directory)
    (directory / "file").write_bytes(b"here")
    (directory / "folder").mkdir()
    (directory / "loop").symlink_to("loop")
    (directory / "link").symlink_to("file")
    before = visible_files(directory)
    assert output.existing(name) is None
    assert visible_files(directory) == before


@pytest.mark.parametrize("kind", ["FIFO", "link"])
def test_a_file_that_is_replaced_before_it_is_read(
    directory: Path, outside: Path, kind: str
) -> None:
    """A FIFO that replaces the file does not block; a link that replaces it is not followed."""
    output = prepared(directory)
    path = store(output)
    existing = output.existing("file.bin")
    assert existing is not None
    path.unlink()
    data = bytearray()
    if kind == "FIFO":
        os.mkfifo(path)
        existing.read_into(data.extend)
    else:
        path.symlink_to(outside / "victim")
        with pytest.raises(AttemptError):
            existing.read_into(data.extend)
    assert data == b""
