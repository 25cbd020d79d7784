"""Attempts of a downloader that has a fake network and a fake disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from tests.support.fake_disk import FakeDisk, FakeFile, FakePart
from tests.support.fake_network import TAGS, V1, FakeNetwork, FakeReply
from tests.support.jobs import JobFields, make_job
from url_downloader.attempt.downloader import Downloader
from url_downloader.attempt.transfer_context import TransferContext
from url_downloader.config.settings import Existing, TransferSettings
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.models import JobResult

NOON = 1_700_000_000.0
"""Seconds since the epoch; wall-clock time of all attempts: Tue, 14 Nov 2023 22:13:20 GMT."""


class Attempts:
    """A downloader, and a record of its calls of network and disk.

    The clock advances by a second with each chunk of a body.

    Args:
        replies: Replies of the network, in order.
        part: Bytes of V1 that an earlier run has left as a part.
        there: Existing file `file.bin`, or several existing files by name.
        existing: Rule for existing files.
        settings: Rules for replies and files.
        failing: Exceptions by the call that raises them: `open`, `create`, `write`, `publish`.
        context: Other fields of the TransferContext.

    Attributes:
        calls: Calls of network and disk in order, without the chunks of a reply.
        counted: Sizes of the chunks that were counted as received.
    """

    def __init__(
        self,
        *replies: FakeReply,
        part: bytes = b"",
        there: FakeFile | Mapping[str, FakeFile] | None = None,
        existing: Existing = Existing.REPLACE,
        settings: TransferSettings | None = None,
        failing: Mapping[str, BaseException] | None = None,
        **context: Any,
    ) -> None:
        self.calls: list[str] = []
        self.counted: list[int] = []
        self.failing = failing or {}
        files = {"file.bin": there} if isinstance(there, FakeFile) else there or {}
        self.network = FakeNetwork(*replies, note=self._note)
        self.disk = FakeDisk(note=self._note, files=files)
        if part:
            self.disk.part = FakePart(self.disk, bytearray(part), TAGS[V1], len(V1), False)
        self.control = AttemptControl(on_bytes=self.counted.append)
        self._clock = 100.0
        known: dict[str, Any] = {"is_resumed": True, "names": None} | context
        self.downloader = Downloader(
            TransferContext(
                transport=self.network,
                disk=self.disk,
                control=self.control,
                settings=settings or TransferSettings(),
                existing=existing,
                utc_now=lambda: NOON,
                **known,
            ),
            now=lambda: self._clock,
        )

    @property
    def part(self) -> FakePart | None:
        """Return the part that is kept; None if there is none."""
        return self.disk.part

    @property
    def published(self) -> Mapping[str, bytes]:
        """Return the contents of the published files by name."""
        return self.disk.published

    @property
    def ranges(self) -> list[int]:
        """Return the offset of the first byte that each request asks for."""
        return self.network.ranges

    @property
    def asked(self) -> Sequence[Mapping[str, str]]:
        """Return the conditions of each request."""
        return self.network.asked

    def attempt(self, **fields: Unpack[JobFields]) -> JobResult:
        """Make one attempt of a job with these fields, and check that it closes its part."""
        usual: JobFields = {"url": "http://host/file.bin", "output": "file.bin"}
        result = self.downloader.attempt(make_job(**(usual | fields)))
        assert self.part is None or not self.part.is_open
        return result

    def _note(self, call: str) -> None:
        if call == "chunk":
            self._clock += 1.0
            return
        self.calls.append(call)
        if call in self.failing:
            raise self.failing[call]
