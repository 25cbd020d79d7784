"""Metadata of published files: the time of the last change, and the entity tag."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.output_directories import begun, prepared
from url_downloader.config.settings import Existing
from url_downloader.shared.file_facts import FileVersion
from url_downloader.storage.output_directory import PARTS_FOLDER


@pytest.mark.parametrize(
    ("modified", "keeps_mtime", "expected"),
    [
        (1e9, True, 1e9),
        (0.0, True, 0.0),
        (-86400.0, True, -86400.0),
        (1e9, False, None),
        (None, True, None),
        (1e300, True, None),
    ],
)
def test_the_time_of_a_file(
    tmp_path: Path, modified: float | None, *, keeps_mtime: bool, expected: float | None
) -> None:
    """A file has the time of Last-Modified if that is known, wanted, and possible for a file.

    Otherwise it has the time of its download.
    """
    output = prepared(tmp_path, keeps_mtime=keeps_mtime)
    started = (tmp_path / PARTS_FOLDER).stat().st_mtime
    part = begun(output)
    part.write(b"abc")
    file = output.publish(
        part, "file.bin", version=FileVersion(modified, None), replaces=True
    ).path
    found = Path(file).stat().st_mtime
    assert found == expected if expected is not None else found >= started


@pytest.fixture
def attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep extended attributes in memory, as the file system of the tests may have none."""
    values: dict[tuple[int, str], bytes] = {}

    def setxattr(descriptor: int, name: str, value: bytes) -> None:
        values[os.fstat(descriptor).st_ino, name] = value

    def getxattr(descriptor: int, name: str) -> bytes:
        return values[os.fstat(descriptor).st_ino, name]

    monkeypatch.setattr(os, "setxattr", setxattr, raising=False)
    monkeypatch.setattr(os, "getxattr", getxattr, raising=False)


@pytest.mark.usefixtures("attributes")
@pytest.mark.parametrize("is_changed", [False, True])
def test_the_entity_tag_of_a_file(directory: Path, *, is_changed: bool) -> None:
    """-N stores the entity tag with a file, and finds it again unless the file has changed."""
    output = prepared(directory, existing=Existing.COMPARE)
    part = begun(output)
    part.write(b"abc")
    path = Path(
        output.publish(part, "file.bin", version=FileVersion(1e9, '"v1"'), replaces=True).path
    )
    if is_changed:
        path.write_bytes(b"changed")
    existing = output.existing("file.bin")
    assert existing is not None
    assert existing.etag == (None if is_changed else '"v1"')
