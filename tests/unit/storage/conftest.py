"""Fixtures for the tests of storage: an output directory, and a directory beside it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return the path of an output directory that does not exist yet."""
    return tmp_path / "downloads"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a directory beside the output directory, with the file `victim`."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "victim").write_bytes(b"precious")
    return folder
