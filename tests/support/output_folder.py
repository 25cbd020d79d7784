"""The files that runs leave in an output directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.support.sizes import sizes_of
from tests.support.waiting import wait_until

HIDDEN = ".url-downloader"
"""The name of the folder for parts and their notes."""


def files_of(target: Path) -> dict[str, bytes]:
    """Return the contents of the finished files by name; none without the directory."""
    if not target.exists():
        return {}
    return {path.name: path.read_bytes() for path in target.iterdir() if path.is_file()}


def assert_holds(target: Path, files: Mapping[str, bytes]) -> None:
    """Check that the directory has these files and nothing else, also no hidden folder."""
    assert sorted(path.name for path in target.iterdir()) == sorted(files)
    assert files_of(target) == files


def part_sizes(target: Path) -> list[int]:
    """Return the sizes of the parts; each must have a valid note, and nothing else be there."""
    paths = sorted((target / HIDDEN).glob("*")) if (target / HIDDEN).exists() else []
    found = [path for path in paths if path.suffix == ".part"]
    assert [path.with_suffix(".json") for path in found] == [
        path for path in paths if path.suffix != ".part"
    ]
    for path in found:
        json.loads(path.with_suffix(".json").read_bytes())
    return [path.stat().st_size for path in found]


def bytes_in_parts(target: Path) -> int:
    """Return the number of bytes in parts, also during a run."""
    return sum(sizes_of((target / HIDDEN).glob("*.part")))


def wait_for_parts(target: Path, size: int) -> None:
    """Return once there are so many bytes in parts."""
    wait_until(lambda: bytes_in_parts(target) >= size, what=f"{size} bytes in parts")
