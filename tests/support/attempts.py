"""Attempts of one downloader over a fake network and a fake disk."""

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
"""Wall-clock time of all attempts: Tue, 14 Nov 2023 22:13:20 GMT."""


class Attempts:
    """A downloader, and all that it asks of network and disk.

    Args:
        replies: Replies of the network, in their order.
        part: Bytes of V1 that an earlier run has left.
        there: The existing file `file.bin`, or several by name.
        existing: The rule for existing files.
        settings: What replies may bring.
        failing: Exceptions by the call that raises them: `open`, `create`, `write`, `publish`.
        context: Other fields of the TransferContext.

    Attributes:
        calls: Calls of network and disk, in their order, without the chunks of a reply.
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
        """The part that is kept."""
        return self.disk.part

    @property
    def published(self) -> Mapping[str, bytes]:
        """Contents of the published files by name."""
        return self.disk.published

    @property
    def ranges(self) -> list[int]:
        """The first byte that each request asks for."""
        return self.network.ranges

    @property
    def asked(self) -> Sequence[Mapping[str, str]]:
        """The conditions of each request."""
        return self.network.asked

    def attempt(self, **job: Unpack[JobFields]) -> JobResult:
        """Make one attempt; it leaves no part open."""
        usual: JobFields = {"url": "http://host/file.bin", "output": "file.bin"}
        result = self.downloader.attempt(make_job(**(usual | job)))
        assert self.part is None or not self.part.is_open
        return result

    def _note(self, call: str) -> None:
        if call == "chunk":
            # A chunk takes a second.
            self._clock += 1.0
            return
        self.calls.append(call)
        if call in self.failing:
            raise self.failing[call]
