"""The output directory: what is there, parts in a hidden folder, files under their names.

Knows no network and no job states. What the system refuses becomes an AttemptError.
"""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from url_downloader.config import Existing, OutputSettings
from url_downloader.free_space import FreeSpace
from url_downloader.local_errors import LocalErrors
from url_downloader.part_file import BLOCK, PartFile, open_part, remove_leftover
from url_downloader.part_note import is_note, note_path
from url_downloader.shared.errors import AttemptError, OutputError
from url_downloader.shared.models import DownloadJob, ErrorKind
from url_downloader.turn import TURN

T = TypeVar("T")

PARTS_FOLDER = ".url-downloader"
"""Hidden folder in the output directory; no file of a list may take its name."""
_TRIES = 100
_ETAG_ATTRIBUTE = "user.url_downloader.etag"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingFile:
    """What stands under a job's name already.

    Args:
        path: of it.
        size: bytes.
        modified: seconds since the epoch.
        etag: of the reply that it came with, if it is unchanged since.
    """

    path: str
    size: int
    modified: float
    etag: str | None

    def read_into(self, update: Callable[[bytes], None]) -> None:
        """Hand all its bytes, in order, to `update`.

        Raises:
            AttemptError: the disk doesn't give them.
        """
        with LocalErrors(Path(self.path)), Path(self.path).open("rb") as file:
            while data := file.read(BLOCK):
                update(data)


class OutputDirectory:
    """The directory that the files of a run go to: prepared and tidied by a `with` block.

    Args:
        settings: where it is, and how files are published.

    Threads: all methods from any thread; a PartFile is used by one.
    """

    def __init__(self, settings: OutputSettings) -> None:
        self._settings = settings
        self._directory = settings.directory
        self._prefix = str(settings.directory / "_")[:-1]
        self._parts = settings.directory / PARTS_FOLDER
        self._space = FreeSpace(settings.directory, min_free=settings.min_free)
        self._root = self._directory
        self._has_leftovers = False
        # A part is looked for, and then made.
        self._part_path = functools.lru_cache(maxsize=1024)(self._path_of_part)

    def __enter__(self) -> Self:
        self.prepare()
        return self

    def __exit__(self, *_: object) -> None:
        self.tidy()

    def prepare(self) -> None:
        """Make the directory and see that files can be made in it.

        Raises:
            OutputError: they can't.
        """
        try:
            probe = self._parts / f"probe-{os.getpid()}"
            self._in_parts_folder(probe.touch)
            # Another run of this process may probe at the same time.
            probe.unlink(missing_ok=True)
            self._has_leftovers = self._in_parts_folder(
                lambda: any(map(is_note, self._parts.iterdir()))
            )
            self._root = Path(os.path.realpath(self._directory))
        except OSError as error:
            raise OutputError(
                f"{self._directory}: no files can be written there: {error.strerror}; choose"
                " another directory with --dir"
            ) from error

    @property
    def has_leftovers(self) -> bool:
        """Whether parts that can be resumed were there before the run."""
        return self._has_leftovers

    def existing(self, output: str) -> ExistingFile | None:
        """The regular file of this name, if there is one. Links are not followed."""
        path = self._directory / output
        try:
            status = path.stat(follow_symlinks=False)
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        etag = _saved_etag(path, status)
        return ExistingFile(
            path=str(path), size=status.st_size, modified=status.st_mtime, etag=etag
        )

    def reopen(self, job: DownloadJob) -> PartFile | None:
        """The part of an earlier attempt, of this run or another, that can be resumed."""
        path = self._part_path(job.url)
        with LocalErrors(path):
            if not os.path.exists(note_path(path)):
                return None
            part = self._open_part(path, job)
        if part.saved is not None:
            return part
        part.discard()
        return None

    def create(self, job: DownloadJob) -> PartFile:
        """A part for this job, to be begun from byte 0.

        Raises:
            AttemptError: it can't be made.
        """
        path = self._part_path(job.url)
        with LocalErrors(path):
            return self._in_parts_folder(lambda: self._open_part(path, job))

    def tidy(self) -> None:
        """Remove what nobody can use again, and the hidden folder if it is empty."""
        with suppress(OSError):
            for name in {path.stem for path in self._parts.iterdir()}:
                remove_leftover(f"{self._parts}/{name}.part")
            self._parts.rmdir()

    def _publish(
        self, part: PartFile, output: str, *, modified: float | None, etag: str | None
    ) -> str:
        """Give the part its name. A link that stands there is replaced, not followed."""
        target = self._prefix + output
        settings = self._settings
        part.finish(
            modified=modified if settings.keeps_mtime else None, is_synced=settings.is_synced
        )
        with LocalErrors(target):
            if "/" in output:
                self._make_folder(Path(target).parent)
            os.replace(part.path, target)
            if settings.is_synced:
                _sync_folder(Path(target).parent)
        part.close_published()
        if etag is not None and settings.existing is Existing.COMPARE:
            _save_etag(Path(target), etag)
        return target

    def _make_folder(self, folder: Path) -> None:
        """Make a folder that is in the output directory, whatever links are on the way."""
        if not Path(os.path.realpath(folder)).is_relative_to(self._root):
            message = f"{folder} leads out of the output directory"
            raise AttemptError(ErrorKind.LOCAL, message)
        folder.mkdir(parents=True, exist_ok=True)

    def _in_parts_folder(self, make: Callable[[], T]) -> T:
        """What `make` makes in the hidden folder, which other runs may remove at any moment."""
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):
                return make()
            with suppress(FileExistsError):
                self._parts.mkdir(parents=True, exist_ok=True)
        self._parts.mkdir(parents=True, exist_ok=True)
        return make()

    def _open_part(self, path: str, job: DownloadJob) -> PartFile:
        return open_part(path, job.url, on_publish=self._publish, space=self._space)

    def _path_of_part(self, url: str) -> str:
        return f"{self._parts}/{hashlib.sha256(url.encode()).hexdigest()[:32]}.part"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with TURN.given():
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _save_etag(path: Path, etag: str) -> None:
    """Keep an entity tag with the file, where the system has a place for it."""
    if not hasattr(os, "setxattr"):
        return
    with suppress(OSError):
        status = path.stat()
        value = f"{status.st_size} {status.st_mtime_ns} {etag}"
        os.setxattr(path, _ETAG_ATTRIBUTE, value.encode("latin-1"))


def _saved_etag(path: Path, status: os.stat_result) -> str | None:
    if not hasattr(os, "getxattr"):
        return None
    try:
        value = os.getxattr(path, _ETAG_ATTRIBUTE, follow_symlinks=False).decode("latin-1")
    except OSError:
        return None
    unchanged = f"{status.st_size} {status.st_mtime_ns} "
    return value.removeprefix(unchanged) if value.startswith(unchanged) else None
