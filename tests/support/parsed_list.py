"""Lists of URLs that a parser has read, for tests of what it made of them."""

from __future__ import annotations

from collections.abc import Iterable

from url_downloader.input_parser import InputParser
from url_downloader.inputs.job_maker import JobRules
from url_downloader.naming.name_claims import NameClaims
from url_downloader.shared.errors import Rejection
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import DownloadJob


class ParsedList:
    """A parser that has read a list to its end, with its jobs and its messages.

    Args:
        lines: Lines of the list; None stands for a pause.
        stream: The same as an iterable, in place of `lines`.

    Attributes:
        stream: All that the parser yielded, None included.
        jobs: The jobs of the list.
        rejections: The lines that led to no job.
        notes: The other messages.
    """

    def __init__(
        self, *lines: bytes | None, stream: Iterable[bytes | None] | None = None
    ) -> None:
        self.rejections: list[Rejection] = []
        self.notes: list[str] = []
        self.parser = InputParser(
            source="list.txt",
            rules=JobRules(claims=NameClaims(reserved=[".parts"])),
            limits=AttemptLimits(),
            max_retries=4,
            on_rejected=self.rejections.append,
            on_note=self.notes.append,
        )
        self.stream = list(self.parser.parse(lines if stream is None else stream))
        self.jobs = [job for job in self.stream if isinstance(job, DownloadJob)]

    @property
    def reasons(self) -> list[str]:
        """The rejections as they are shown."""
        return [str(rejection) for rejection in self.rejections]

    @property
    def outputs(self) -> list[str]:
        """The paths of the jobs' files."""
        return [job.output for job in self.jobs]


def parsed(text: str) -> ParsedList:
    """Return the list that is this text."""
    return ParsedList(*text.encode().split(b"\n"))
