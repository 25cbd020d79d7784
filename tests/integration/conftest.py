"""Fixtures for the tests of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hardship import SmallDisk, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Yield a file system of 4 MiB, which a test may resize."""
    with small_disk(tmp_path / "disk", "size=4m") as mounted:
        yield mounted
