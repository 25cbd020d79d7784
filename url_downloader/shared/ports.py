"""Protocols through which an attempt reaches network, disk and names, and their values.

The package `attempt` uses them. `network`, `storage` and `naming` implement them. So none of
these packages imports another one.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from url_downloader.shared.file_facts import FileAge, FileVersion, PublishedFile, SavedPart
from url_downloader.shared.job_options import AttemptLimits, Checksum
from url_downloader.shared.models import DownloadJob

Fields = tuple[tuple[str, str], ...]
"""Header fields as (name, value) pairs."""


class Naming(Protocol):
    """Final names of files, which servers may suggest, and the checksums of files by name."""

    def name(self, job: DownloadJob, suggested: str | None) -> str:
        """Return the path of the job's file, relative to the output directory.

        Args:
            job: Job as it was listed.
            suggested: Safe path component that the server suggests; None if there is none.
        """

    def is_others(self, job: DownloadJob, output: str, *, age: FileAge) -> bool:
        """Tell whether the recent file with this path is another URL's, by another run.

        Args:
            job: Job as it was listed.
            output: Path of the file.
            age: Age of the file.
        """

    def other_name(self, job: DownloadJob, output: str) -> str:
        """Return another path for the job's file, because another URL's file has this one."""

    def checksum(self, job: DownloadJob, output: str) -> Checksum | None:
        """Return the checksum of the job, or else the one for `output`; None without either."""


class Phase(enum.Enum):
    """Phase of an attempt.

    In WORKING the program processes a head or a file, and waits for no server.
    """

    CONNECTING = "connecting"
    WAITING = "waiting for a reply"
    REPLYING = "receiving"
    WORKING = "busy here"


class Progress(NamedTuple):
    """Progress of the current attempt of a worker.

    Args:
        number: Number of the attempt among those of the worker, from 1.
        job: Job of the attempt.
        began: Start of the attempt, monotonic seconds.
        received: Bytes received so far: of the file, of other bodies, and of header blocks that
            arrive in pieces. They show that the server is not too slow.
        position: Bytes of the file present so far, with those of earlier attempts. For an
            encoded body, they are counted before decoding.
        total: Bytes of the whole file, if known.
        phase: Phase of the attempt.
        since: Start of the phase, monotonic seconds.
        throttled: Seconds of the phase in which the attempt waited for the rate limit, and not
            for the server.
    """

    number: int
    job: DownloadJob
    began: float
    received: int = 0
    position: int = 0
    total: int | None = None
    phase: Phase = Phase.WAITING
    since: float = 0.0
    throttled: float = 0.0


class UnreadBytes(Protocol):
    """Bytes of a body that the kernel holds, and that can go to a file without a copy.

    The caller must use them before it asks for the next bytes of the body.
    """

    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...
    def write_to(self, descriptor: int) -> None:
        """Write the bytes to a file; raise an OSError if they can't be written."""


Chunk = bytes | UnreadBytes
"""Some bytes of a body, in the order of arrival."""


class Reply(Protocol):
    """Final reply to a request, as an attempt sees it: its head, and its body in chunks.

    The package `network` implements it as HttpReply.
    """

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]:
        """Return the header fields; their names are in lower case."""

    @property
    def url(self) -> str:
        """Return the URL that answered, after redirects."""

    @property
    def length(self) -> int | None:
        """Return the length of the body in bytes; None if the head does not state it."""

    @property
    def is_length_known(self) -> bool:
        """Tell whether the framing shows where the body ends; if not, a cut one looks whole."""

    def chunks(self) -> Iterator[Chunk]:
        """Yield the body as it arrives. The caller uses each chunk before it asks for more.

        Raises:
            AttemptError: The body is incomplete, malformed or late, or the attempt was aborted.
        """

    def drain(self) -> None:
        """Discard a short body, so that the connection can be used again; then close."""

    def close(self) -> None:
        """Release the connection; a later request uses it if the body was read to its end."""


class Transport(Protocol):
    """Access to the network; used only in the worker's thread."""

    def open(
        self, url: str, headers: Fields, *, conditions: Fields, limits: AttemptLimits
    ) -> Reply:
        """Send a GET, follow redirects, and return the final reply.

        Args:
            url: URL to request.
            headers: Header fields of the job, which may contain credentials.
            conditions: Header fields with ranges and preconditions.
            limits: Limits of the attempt.

        Raises:
            AttemptError: No valid reply arrived, or a redirect can't be followed.
        """

    def close(self) -> None:
        """Release what the transport holds. The caller has closed its replies."""


class Decoder(Protocol):
    """Decoder for the content codings of a body.

    Both methods raise an AttemptError for bytes that can't be decoded.
    """

    def feed(self, chunk: Chunk) -> Iterator[Chunk]:
        """Yield the decoded bytes that `chunk` completes."""

    def finish(self) -> None:
        """Check that the body was complete."""


class Part(Protocol):
    """Unfinished file, under a name of its own until it is published.

    `begin`, `write` and `read_into` raise an AttemptError if the disk refuses.
    """

    @property
    def size(self) -> int: ...
    @property
    def saved(self) -> SavedPart | None:
        """Return the facts needed to resume the part; None if it can't be resumed."""

    def begin(self, validator: str | None, total: int | None) -> None:
        """Empty the part and begin with byte 0 of a version.

        Args:
            validator: Strong entity tag or Last-Modified date of the version; None if the part
                can't be resumed.
            total: Size of the whole file in bytes, if known.
        """

    def write(self, data: Chunk) -> None:
        """Append bytes."""

    def read_into(self, update: Callable[[bytes], None]) -> None:
        """Call `update` with all bytes of the part, in order."""

    def keep(self) -> bool:
        """Close the part; delete it unless a later attempt can resume it.

        Returns:
            Whether the part was kept.
        """

    def discard(self) -> None:
        """Close the part and delete it."""


class ExistingFile(Protocol):
    """File that already has the name that a job's file is to get."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def modified(self) -> float:
        """Return the time of the last modification, in seconds since the epoch."""

    @property
    def mtime_ns(self) -> int:
        """Return the same time in nanoseconds."""

    @property
    def etag(self) -> str | None: ...
    @property
    def age(self) -> FileAge | None:
        """Return the age of the file, if it may be that of another run; None otherwise."""

    def read_into(self, update: Callable[[bytes], None]) -> None:
        """Call `update` with all bytes of the file, in order."""


class Disk(Protocol):
    """Output directory: existing files, parts, and the publishing of files.

    Its methods raise an AttemptError if the disk refuses.
    """

    @property
    def has_leftovers(self) -> bool:
        """Tell whether there may be parts that an attempt, of any run, has saved."""

    def existing(self, output: str) -> ExistingFile | None:
        """Return the regular file with this name; None if there is none."""

    def reopen(self, job: DownloadJob) -> Part | None:
        """Return the part that an attempt, of any run, has saved; None if not resumable."""

    def create(self, job: DownloadJob) -> Part:
        """Create an empty part."""

    def publish(
        self, part: Part, output: str, *, version: FileVersion, replaces: bool
    ) -> PublishedFile:
        """Give a finished part its final name.

        Args:
            part: Part that this disk made.
            output: Path of the file, relative to the output directory.
            version: Version of the file.
            replaces: Whether to replace a file that may be that of another run.

        Raises:
            NameTakenError: Such a file exists, and `replaces` is not set.
        """
