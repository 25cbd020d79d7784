"""A fake disk: parts, published files and existing files in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from url_downloader.shared import ports
from url_downloader.shared.errors import NameTakenError
from url_downloader.shared.file_facts import (
    RECORDING_TIME,
    FileAge,
    FileVersion,
    PublishedFile,
    SavedPart,
)
from url_downloader.shared.models import DownloadJob
from url_downloader.shared.ports import Chunk

MTIME_NS = 1_700_000_000_000_000_000
"""Time of all files, in nanoseconds since the epoch."""
WORTH_KEEPING = 8
"""Bytes; smallest size of a part that is kept for a later attempt."""


YOUNG = FileAge(seconds=RECORDING_TIME, is_older=False)
"""Age of a file that has appeared since the run began, and that no run will record now."""


@dataclass
class FakePart:
    """A part in memory.

    Args:
        disk: Disk that the part is on.
        data: Bytes of the part.
        validator: Validator of their version; None if it has none.
        total: Size of the whole file in bytes; None if it is unknown.
        is_open: Whether the part can be written to.
    """

    disk: FakeDisk
    data: bytearray = field(default_factory=bytearray)
    validator: str | None = None
    total: int | None = None
    is_open: bool = True

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def saved(self) -> SavedPart | None:
        if self.validator is None or not self.data:
            return None
        return SavedPart(validator=self.validator, total=self.total, size=self.size)

    def begin(self, validator: str | None, total: int | None) -> None:
        self.data, self.validator, self.total = bytearray(), validator, total

    def write(self, data: Chunk) -> None:
        assert self.is_open
        self.disk.note("write")
        self.data += bytes(data)

    def read_into(self, update: Callable[[bytes], None]) -> None:
        self.disk.read_back.append(self.size)
        update(bytes(self.data))

    def keep(self) -> bool:
        self.disk.note("keep")
        is_kept = self.saved is not None and self.size >= WORTH_KEEPING
        self.close(is_kept=is_kept)
        return is_kept

    def discard(self) -> None:
        self.disk.note("discard")
        self.close(is_kept=False)

    def close(self, *, is_kept: bool) -> None:
        """Close the part, and check that it was open."""
        assert self.is_open, "the part was closed before"
        self.is_open = False
        self.disk.part = self if is_kept else None


@dataclass
class FakeFile:
    """A file that exists before the attempt.

    Args:
        data: Bytes of the file.
        path: Path of the file, for messages.
        modified: Time of its last change, in seconds since the epoch.
        etag: Entity tag that is stored with it; None if there is none.
        mtime_ns: Time of its last change, in nanoseconds since the epoch.
        age: Age of the file, if it may be that of another run.
    """

    data: bytes
    path: str = "dir/file.bin"
    modified: float = 1_700_000_000.0
    etag: str | None = None
    mtime_ns: int = MTIME_NS
    age: FileAge | None = None

    @property
    def size(self) -> int:
        return len(self.data)

    def read_into(self, update: Callable[[bytes], None]) -> None:
        update(self.data)


class FakeDisk:
    """An output directory in memory, with at most one part.

    Args:
        note: Function that is called with the name of each call, such as `create`; it may
            raise.
        files: Existing files by name.

    Attributes:
        part: Part that is open or kept; None if there is none.
        jobs: Jobs that parts were made or reopened for, in order.
        published: Contents of the published files by name.
        appeared: Names of files that have appeared since the run began.
        read_back: Sizes of the part when its bytes were read again, in order.
    """

    def __init__(self, *, note: Callable[[str], None], files: Mapping[str, FakeFile]) -> None:
        self.note = note
        self.part: FakePart | None = None
        self.jobs: list[DownloadJob] = []
        self.published: dict[str, bytes] = {}
        self.read_back: list[int] = []
        self.appeared: set[str] = set()
        self._files = files

    @property
    def has_leftovers(self) -> bool:
        return self.part is not None

    def existing(self, output: str) -> FakeFile | None:
        return self._files.get(output)

    def reopen(self, job: DownloadJob) -> FakePart | None:
        self.jobs.append(job)
        if self.part is not None:
            assert not self.part.is_open
            self.part.is_open = True
        return self.part

    def create(self, job: DownloadJob) -> FakePart:
        self.jobs.append(job)
        self.note("create")
        assert self.part is None or not self.part.is_open
        self.part = FakePart(self)
        return self.part

    def publish(
        self, part: ports.Part, output: str, *, version: FileVersion, replaces: bool
    ) -> PublishedFile:
        assert isinstance(part, FakePart)
        self.note("publish")
        if output in self.appeared and not replaces:
            raise NameTakenError(output, YOUNG)
        part.close(is_kept=False)
        self.published[output] = bytes(part.data)
        return PublishedFile(f"dir/{output}", MTIME_NS)
