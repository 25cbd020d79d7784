"""What an attempt needs from the network and the disk, as Protocols."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from url_downloader.shared.models import AttemptLimits, Checksum, DownloadJob

Address = tuple[Any, Any, int, str, Any]
"""What getaddrinfo says of one address."""

Fields = tuple[tuple[str, str], ...]
"""Header fields, (name, value) pairs."""


class Naming(Protocol):
    """Names that servers give to files, and the checksums that belong to names."""

    def name(self, job: DownloadJob, suggested: str | None) -> str: ...
    def checksum(self, job: DownloadJob, output: str) -> Checksum | None: ...


class Phase(enum.Enum):
    """Where an attempt stands."""

    CONNECTING = "connecting"
    WAITING = "waiting for a reply"
    REPLYING = "receiving"
    WORKING = "busy here"


class Progress(NamedTuple):
    """An attempt that is going on.

    Args:
        number: of this worker's attempts, from 1.
        job: what it is for.
        began: monotonic seconds.
        received: bytes of bodies so far.
        position: bytes of the file that are here, those of earlier attempts included; of one
            that is encoded, as it comes.
        total: bytes of the whole file, where that is known.
        phase: where it stands.
        since: monotonic seconds when it came there.
    """

    number: int
    job: DownloadJob
    began: float
    received: int = 0
    position: int = 0
    total: int | None = None
    phase: Phase = Phase.WAITING
    since: float = 0.0


class PendingLookUp(Protocol):
    """The addresses of a host, soon."""

    def wait(self, seconds: float) -> bool: ...
    def addresses(self) -> Sequence[Address]: ...


LookUp = Callable[[str, int], PendingLookUp]
"""Begins to look up a host for a TCP port; never blocks."""


class UnreadBytes(Protocol):
    """Bytes of a body that can go to a file unseen, but only before more of it is read."""

    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...
    def write_to(self, descriptor: int) -> None: ...


Chunk = bytes | UnreadBytes


class Reply(Protocol):
    """The head of a final reply, and its body still to come."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def url(self) -> str: ...
    @property
    def is_length_known(self) -> bool: ...
    def chunks(self) -> Iterator[Chunk]: ...
    def drain(self) -> None: ...
    def close(self) -> None: ...


class Transport(Protocol):
    """A worker's access to the network; used in the worker's thread."""

    def open(
        self, url: str, headers: Fields, *, conditions: Fields, limits: AttemptLimits
    ) -> Reply: ...
    def close(self) -> None: ...


class Decoder(Protocol):
    """Makes the bytes that are stored of those that came."""

    def feed(self, chunk: Chunk) -> Iterator[Chunk]: ...
    def finish(self) -> None: ...


class SavedPart(NamedTuple):
    """What is known of the bytes that are here.

    Args:
        validator: strong entity tag or Last-Modified date of the version they belong to.
        total: length in bytes of that version, where it is known.
        size: how many bytes are here, from the first on.
    """

    validator: str
    total: int | None
    size: int


class Part(Protocol):
    """Bytes on the disk that have no name of their own yet."""

    @property
    def size(self) -> int: ...
    @property
    def saved(self) -> SavedPart | None: ...
    def begin(self, validator: str | None, total: int | None) -> None: ...
    def write(self, data: Chunk) -> None: ...
    def read_into(self, update: Callable[[bytes], None]) -> None: ...
    def keep(self) -> bool: ...
    def discard(self) -> None: ...


class ExistingFile(Protocol):
    """A file that stands under a job's name already."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def modified(self) -> float: ...
    @property
    def etag(self) -> str | None: ...
    def read_into(self, update: Callable[[bytes], None]) -> None: ...


class Disk(Protocol):
    """The output directory: existing files, parts, and the names of finished files."""

    @property
    def has_leftovers(self) -> bool: ...
    def existing(self, output: str) -> ExistingFile | None: ...
    def reopen(self, job: DownloadJob) -> Part | None: ...
    def create(self, job: DownloadJob) -> Part: ...
    def publish(
        self, part: Part, output: str, *, modified: float | None, etag: str | None
    ) -> str: ...
