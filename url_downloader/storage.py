"""From bytes to a file under its own name: part file, then atomically published.

Knows no network and no job states. What the system refuses becomes an AttemptError.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from url_downloader.config import OutputSettings
from url_downloader.shared.errors import AttemptError, OutputError
from url_downloader.shared.models import DownloadJob, ErrorKind

PARTS_FOLDER = ".url-downloader"
"""Hidden folder in the output directory; no file of a list may take its name."""


class PartFile:
    """The bytes of one attempt, not yet under their own name.

    Args:
        path: of the part.
        target: where it is published.
        root: the directory that the target must not leave, links resolved.

    Threads: used by one.
    """

    def __init__(self, path: Path, target: Path, *, root: Path) -> None:
        self._path = path
        self._target = target
        self._root = root
        self.size = 0
        with _local_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb")

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            AttemptError: the disk doesn't take them.
        """
        with _local_errors(self._path):
            self._file.write(data)
        self.size += len(data)

    def publish(self) -> str:
        """Give the finished file its own name, in one step; returns its path.

        A link that stands there is replaced, not followed.

        Raises:
            AttemptError: the system refuses, or the name leads out of the directory.
        """
        with _local_errors(self._target):
            self._file.close()
            self._target.parent.mkdir(parents=True, exist_ok=True)
            if not self._target.parent.resolve().is_relative_to(self._root):
                message = f"{self._target} leads out of the output directory"
                raise AttemptError(ErrorKind.LOCAL, message)
            self._path.replace(self._target)
        return str(self._target)

    def discard(self) -> None:
        """Throw the bytes away."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink()


class OutputDirectory:
    """The directory that the files of a run go to.

    Args:
        settings: where it is.

    Threads: `part` from any thread.
    """

    def __init__(self, settings: OutputSettings) -> None:
        self._directory = settings.directory
        self._parts = settings.directory / PARTS_FOLDER
        self._root = settings.directory.resolve()

    def prepare(self) -> None:
        """Make the directory and see that files can be made in it.

        Raises:
            OutputError: they can't.
        """
        try:
            self._parts.mkdir(parents=True, exist_ok=True)
            probe = self._parts / f"probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise OutputError(
                f"{self._directory}: no files can be written there: {error.strerror}; choose"
                " another directory with --dir"
            ) from error

    def part(self, job: DownloadJob) -> PartFile:
        """A new, empty part for an attempt of this job.

        Raises:
            AttemptError: it can't be made.
        """
        key = hashlib.sha256(f"{job.url}\n{job.output}".encode()).hexdigest()[:32]
        path = self._parts / f"{key}.part"
        return PartFile(path, self._directory / job.output, root=self._root)

    def tidy(self) -> None:
        """Remove the hidden folder if it is empty."""
        with suppress(OSError):
            self._parts.rmdir()


@contextmanager
def _local_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise AttemptError(ErrorKind.LOCAL, f"{path}: {reason}") from error
