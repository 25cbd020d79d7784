"""Sizes of files that another process may create, rename and remove at the same time."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def sizes_of(paths: Iterable[Path]) -> list[int]:
    """Return the sizes of the files that exist when they are looked at."""
    sizes = []
    for path in paths:
        with suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return sizes
