"""What an attempt needs from the network and the disk, as Protocols."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from url_downloader.resume import SavedPart
from url_downloader.shared.models import AttemptLimits, DownloadJob

Address = tuple[Any, Any, int, str, Any]
"""What getaddrinfo says of one address."""

Fields = tuple[tuple[str, str], ...]
"""Header fields, (name, value) pairs."""


Namer = Callable[[str, str], str]
"""Gives a file that a server names a free name, from (name, url)."""


class Phase(enum.Enum):
    """Where an attempt stands."""

    CONNECTING = "connecting"
    WAITING = "waiting for a reply"
    REPLYING = "receiving"
    WORKING = "busy here"


class PendingLookUp(Protocol):
    """The addresses of a host, soon."""

    def wait(self, seconds: float) -> bool: ...
    def addresses(self) -> Sequence[Address]: ...


LookUp = Callable[[str, int], PendingLookUp]
"""Begins to look up a host for a TCP port; never blocks."""


class Unread(Protocol):
    """Bytes of a body that can go to a file unseen, but only before more of it is read."""

    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...
    def write_to(self, descriptor: int) -> None: ...


Chunk = bytes | Unread


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
    """A worker's own way to the network, for its thread; the short methods are for any."""

    def begin_attempt(self, number: int) -> None: ...
    def phase(self) -> tuple[Phase, float]: ...
    def other_bytes(self) -> int: ...
    def expire(self, attempt: int, reason: str) -> None: ...

    def open(
        self, url: str, headers: Fields, *, conditions: Fields, limits: AttemptLimits
    ) -> Reply: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class Part(Protocol):
    """Bytes on the disk that have no name of their own yet."""

    @property
    def size(self) -> int: ...
    @property
    def saved(self) -> SavedPart | None: ...
    def begin(self, validator: str | None, total: int | None) -> None: ...
    def write(self, data: Chunk) -> None: ...
    def read_into(self, update: Callable[[bytes], None]) -> None: ...
    def publish(self, output: str, *, modified: float | None, etag: str | None) -> str: ...
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
    """Where parts come from, and what is there already."""

    @property
    def has_leftovers(self) -> bool: ...
    def existing(self, output: str) -> ExistingFile | None: ...
    def reopen(self, job: DownloadJob) -> Part | None: ...
    def create(self, job: DownloadJob) -> Part: ...
