"""Sizes of files that another process makes, renames and removes meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def sizes_of(paths: Iterable[Path]) -> list[int]:
    """Bytes of each that is still there when it is looked at."""
    sizes = []
    for path in paths:
        with suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return sizes
