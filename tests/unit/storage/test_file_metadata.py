"""Metadata of published files: the time of the last change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.output_directories import begun, prepared
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
    file = output.publish(part, "file.bin", modified=modified, etag=None)
    found = Path(file).stat().st_mtime
    assert found == expected if expected is not None else found >= started
