"""The files that a run itself reads and writes: no download takes their names."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_OPTIONS = (
    *("list", "report", "failed_out", "log_file", "metrics_file", "lock"),
    *("checksums", "cookies", "netrc", "ca_cert", "cert", "key"),
)
"""Arguments that name a file."""
_STREAM = Path("-")


def own_files(arguments: argparse.Namespace, directory: Path) -> Iterator[str]:
    """Yield the paths, relative to the output directory, of the run's files that are in it.

    Args:
        arguments: of the command line.
        directory: the output directory; need not exist.
    """
    named = [getattr(arguments, option) for option in _OPTIONS]
    for path in (*named, *arguments.included):
        if path and Path(path) != _STREAM:
            yield from _below(directory, Path(path))


def _below(directory: Path, path: Path) -> Iterator[str]:
    """Yield the path of a link of this name, and of the file, as far as they are in there."""
    with suppress(OSError, ValueError):
        root = Path(os.path.realpath(directory))
        # The last part of a name may be a link, which is not to be replaced either.
        link = Path(os.path.realpath(path.parent)) / path.name
        for found in {link, Path(os.path.realpath(path))}:
            if found.is_relative_to(root):
                yield str(found.relative_to(root))
