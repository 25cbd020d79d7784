"""What a run would do, told without asking a server or touching the disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from url_downloader.shared.errors import OutputError
from url_downloader.shared.models import DownloadJob
from url_downloader.shared.text import path_text, printable


class DryRun:
    """Prints the URL and the path of each job, with a tab between them.

    Neither has a tab or a line end in it, unless the directory has.

    Args:
        directory: where the files would go.

    Attributes:
        jobs: how many there are.
        with_checksum: how many of them have one.
    """

    def __init__(self, directory: Path) -> None:
        self.jobs = 0
        self.with_checksum = 0
        self._prefix = os.fsencode(directory / "_")[:-1]
        self._is_read = True

    def go(
        self, jobs: Iterable[DownloadJob | None], *, should_stop: Callable[[], bool]
    ) -> None:
        """Print all jobs, unless told to stop; None means: no more for the moment.

        Raises:
            OutputError: standard output doesn't take them.
        """
        for job in jobs:
            if should_stop():
                break
            if job is None:
                self._write()
                continue
            self.jobs += 1
            self.with_checksum += job.checksum is not None
            path = self._prefix + job.output.encode()
            if sys.stdout.isatty():
                text = printable(path_text(os.fsdecode(path)))
                path = text.encode(sys.stdout.encoding, "backslashreplace")
            self._write(b"%b\t%b\n" % (job.shown_url.encode(), path))
        self._write()

    def _write(self, line: bytes = b"") -> None:
        """Write a line, or what has been kept of former ones."""
        if not self._is_read:
            return
        try:
            # File names are bytes; the terminal's encoding is nothing to them.
            sys.stdout.buffer.write(line)
            if not line:
                sys.stdout.buffer.flush()
        except BrokenPipeError:
            # Whoever read it has enough; the list is still checked to its end.
            self._is_read = False
        except OSError as error:
            self._is_read = False
            raise OutputError(f"standard output can't be written: {error.strerror}") from error
