"""One attempt, with a transport and a disk that only write down what is asked of them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from requests.structures import CaseInsensitiveDict

from url_downloader.attempt.downloader import Downloader
from url_downloader.attempt.transfer_context import TransferContext
from url_downloader.config.settings import Existing, TransferSettings
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import (
    AttemptLimits,
    DownloadJob,
    ErrorKind,
    JobResult,
    SourceFacts,
)
from url_downloader.shared.ports import Chunk, Fields, Part, SavedPart

TEXT = b"hello, world! " * 10
GZIPPED = gzip.compress(TEXT, mtime=0)
NOON = 1_700_000_000.0
CUT = AttemptError(ErrorKind.TRUNCATED, "cut short")
FULL = AttemptError(ErrorKind.LOCAL, "disk full")


def make_job(url: str = "http://host/file.bin", output: str = "file.bin") -> DownloadJob:
    """A job with something in each field that an attempt needs."""
    return DownloadJob(
        job_id=1,
        url=url,
        output=output,
        max_retries=4,
        headers=(("X-Asked", "yes"),),
    )


class Bench:
    """Transport, reply and disk in one, with a journal of the calls.

    Args:
        status, headers, is_length_known: of the reply.
        chunks: of its body; an exception among them is raised in its turn.
        failing: call (`open`, `create`, `write`, `publish`) to what it raises.
    """

    def __init__(
        self,
        *chunks: bytes | BaseException,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        is_length_known: bool = True,
        failing: Mapping[str, BaseException] | None = None,
    ) -> None:
        self.url = "http://host/file.bin"
        self.status = status
        self.headers: Mapping[str, str] = CaseInsensitiveDict(headers or {})
        self.is_length_known = is_length_known
        self.journal: list[str] = []
        self.opened: list[tuple[str, Fields, AttemptLimits]] = []
        self.jobs: list[DownloadJob] = []
        self.counted: list[int] = []
        self.clock = 100.0
        self.failing = failing or {}
        self.part = FakePart(self._enter)
        self._chunks = chunks
        context = TransferContext(
            transport=self,
            disk=self,
            settings=TransferSettings(),
            is_resumed=True,
            existing=Existing.REPLACE,
            names=None,
            control=AttemptControl(on_bytes=self.counted.append),
            utc_now=lambda: NOON,
        )
        self.downloader = Downloader(context, now=lambda: self.clock)

    @property
    def received(self) -> int:
        """The bytes that were counted as they came."""
        return sum(self.counted)

    def attempt(self, job: DownloadJob | None = None) -> JobResult:
        return self.downloader.attempt(job or make_job())

    # Transport and Reply:

    def open(
        self, url: str, headers: Fields, *, conditions: Fields, limits: AttemptLimits
    ) -> Bench:
        assert conditions == ()
        self.opened.append((url, headers, limits))
        self._enter("open")
        return self

    def chunks(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, BaseException):
                raise chunk
            self.clock += 1.0
            yield chunk

    def drain(self) -> None:
        self._enter("drain")

    def close(self) -> None:
        self._enter("close")

    # Disk:

    def existing(self, output: str) -> None:
        raise AssertionError(f"nobody asked whether {output} is there")

    has_leftovers = True

    def reopen(self, job: DownloadJob) -> None:
        self.jobs.append(job)

    def create(self, job: DownloadJob) -> FakePart:
        self.jobs.append(job)
        self._enter("create")
        return self.part

    def publish(
        self, part: Part, output: str, *, modified: float | None, etag: str | None
    ) -> str:
        assert part is self.part
        self._enter("publish")
        return f"downloads/{output}"

    def _enter(self, call: str) -> None:
        self.journal.append(call)
        if call in self.failing:
            raise self.failing[call]


class FakePart:
    """A part whose calls go into its bench's journal."""

    def __init__(self, enter: Callable[[str], None]) -> None:
        self.stored = b""
        self.saved: SavedPart | None = None
        self._enter = enter

    @property
    def size(self) -> int:
        return len(self.stored)

    def begin(self, validator: str | None, total: int | None) -> None:
        self.stored = b""

    def write(self, data: Chunk) -> None:
        self._enter("write")
        self.stored += bytes(data)

    def read_into(self, update: Callable[[bytes], None]) -> None:
        update(self.stored)

    def keep(self) -> bool:
        self._enter("keep")
        return False

    def discard(self) -> None:
        self._enter("discard")


def test_a_success_step_by_step() -> None:
    """Written chunk by chunk, published, and the reply closed: nothing kept, or discarded."""
    bench = Bench(b"abc", b"de")
    bench.attempt()
    assert bench.journal == ["open", "create", "write", "write", "publish", "close"]
    assert bench.part.stored == b"abcde"


def test_the_job_is_what_is_asked_for() -> None:
    """URL, headers and limits go to the transport, and the disk gets the job."""
    bench = Bench()
    job = make_job()
    bench.attempt(job)
    assert bench.opened == [(job.url, job.headers, job.limits)]
    assert bench.jobs == [job, job]


@pytest.mark.parametrize("status", [200, 201, 203, 204, 205, 226])
@pytest.mark.parametrize("is_length_known", [True, False])
def test_the_facts_of_a_success(status: int, is_length_known: bool) -> None:
    """Status, size, path, seconds, bytes, source, and whether the length was known."""
    bench = Bench(b"abc", b"de", status=status, is_length_known=is_length_known)
    assert bench.attempt() == JobResult(
        http_status=status,
        size=5,
        path="downloads/file.bin",
        seconds=2.0,
        received=5,
        is_length_known=is_length_known,
        source=SourceFacts(url="http://host/file.bin"),
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (206, ErrorKind.UNEXPECTED_STATUS),
        (300, ErrorKind.UNEXPECTED_STATUS),
        (304, ErrorKind.UNEXPECTED_STATUS),
        (400, ErrorKind.CLIENT_ERROR),
        (404, ErrorKind.CLIENT_ERROR),
        (429, ErrorKind.CLIENT_ERROR),
        (499, ErrorKind.CLIENT_ERROR),
        (500, ErrorKind.SERVER_ERROR),
        (503, ErrorKind.SERVER_ERROR),
        (599, ErrorKind.SERVER_ERROR),
        (600, ErrorKind.UNEXPECTED_STATUS),
        (999, ErrorKind.UNEXPECTED_STATUS),
    ],
)
def test_a_status_that_is_no_success(status: int, kind: ErrorKind) -> None:
    """Its body is drained, never stored; no part is even begun."""
    bench = Bench(b"sorry", status=status)
    result = bench.attempt()
    assert (result.kind, result.http_status, result.path) == (kind, status, None)
    assert str(status) in result.message
    assert [call for call in bench.journal if call != "close"] == ["open", "drain"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),  # a minute after NOON
        ("Tue, 14 Nov 2023 22:12:20 GMT", None),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_is_a_fact(value: str | None, seconds: float | None) -> None:
    """How long the server asks to wait is in the result, counted from the reply."""
    headers = {} if value is None else {"retry-after": value}
    assert Bench(status=503, headers=headers).attempt().retry_after == seconds


@pytest.mark.parametrize("chunks", [[], [b""], [b"abc"], [b"abc", b"de", b"f"]])
def test_bytes_are_counted_as_they_come(chunks: Sequence[bytes]) -> None:
    """Metrics are told each chunk's bytes, while the attempt goes on."""
    bench = Bench(*chunks)
    assert bench.attempt().kind is None
    assert [count for count in bench.counted if count] == [len(c) for c in chunks if c]


FAILURES: list[tuple[str, Callable[[], Bench], ErrorKind, int]] = [
    ("cut at once", lambda: Bench(CUT), ErrorKind.TRUNCATED, 0),
    ("cut later", lambda: Bench(b"abc", b"de", CUT), ErrorKind.TRUNCATED, 5),
    ("publish", lambda: Bench(b"abc", failing={"publish": FULL}), ErrorKind.LOCAL, 3),
    ("write", lambda: Bench(b"abc", failing={"write": FULL}), ErrorKind.LOCAL, 3),
    (
        "no gzip",
        lambda: Bench(TEXT, headers={"Content-Encoding": "gzip"}),
        ErrorKind.ENCODING,
        len(TEXT),
    ),
    (
        "half a gzip",
        lambda: Bench(GZIPPED[:-9], headers={"Content-Encoding": "gzip"}),
        ErrorKind.ENCODING,
        len(GZIPPED) - 9,
    ),
    (
        "a coding never heard of",
        lambda: Bench(TEXT, headers={"Content-Encoding": "rot13"}),
        ErrorKind.CODING,
        0,
    ),
]


@pytest.mark.parametrize(
    ("make_bench", "kind", "received"),
    [failure[1:] for failure in FAILURES],
    ids=[failure[0] for failure in FAILURES],
)
def test_a_failure_of_the_body(
    make_bench: Callable[[], Bench], kind: ErrorKind, received: int
) -> None:
    """It is the result; the part is let go of once, the reply closed."""
    bench = make_bench()
    result = bench.attempt()
    assert (result.kind, result.path, result.http_status) == (kind, None, 200)
    assert result.message
    assert bench.journal.count("keep") + bench.journal.count("discard") == 1
    assert bench.journal.count("publish") == ("publish" in bench.failing)
    assert "close" in bench.journal
    assert bench.received == received


@pytest.mark.parametrize(
    ("failing", "journal", "status"),
    [
        ({"open": CUT}, ["open"], None),
        ({"create": FULL}, ["open", "create", "close"], 200),
    ],
)
def test_a_failure_before_the_body(
    failing: Mapping[str, AttemptError], journal: list[str], status: int | None
) -> None:
    """Without a reply, or without a part, there is nothing to let go of."""
    bench = Bench(b"abc", failing=failing)
    [error] = failing.values()
    result = bench.attempt()
    assert (result.kind, result.message) == (error.kind, error.message)
    assert result.http_status == status
    assert bench.journal == journal
    assert sum(bench.counted) == 0


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), OSError("unforeseen"), KeyboardInterrupt()]
)
@pytest.mark.parametrize("place", ["chunks", "publish"])
def test_what_is_not_foreseen_goes_up(error: BaseException, place: str) -> None:
    """It is no result; and after a bug nothing is kept of what was begun."""
    failing = {} if place == "chunks" else {place: error}
    bench = Bench(b"abc", *([error] if place == "chunks" else []), failing=failing)
    with pytest.raises(type(error)):
        bench.attempt()
    assert sorted(bench.journal[-2:]) == ["close", "discard"]
    assert bench.received == 3


def test_a_failed_attempt_took_time_too() -> None:
    """The seconds of an attempt are counted whether it succeeds or not."""
    assert Bench(b"a", b"b", b"c", CUT).attempt().seconds == 3.0


@pytest.mark.parametrize(
    ("coding", "sent"),
    [
        ("gzip", GZIPPED),
        ("x-gzip", GZIPPED),
        ("GZip", GZIPPED),
        ("deflate", zlib.compress(TEXT)),
        ("identity", TEXT),
        ("", TEXT),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_an_encoded_body_is_stored_decoded(coding: str, sent: bytes, step: int) -> None:
    """However it is cut into chunks: the size is the file's, the bytes counted the wire's."""
    pieces = [sent[start : start + step] for start in range(0, len(sent), step)]
    bench = Bench(*pieces, headers={"content-encoding": coding})
    assert bench.attempt().size == len(TEXT)
    assert bench.part.stored == TEXT
    assert sum(bench.counted) == len(sent)


@pytest.mark.parametrize(
    ("url", "output", "media_type"),
    [
        ("http://h/a.tar.gz?x=1", "b", ""),
        ("http://h/a", "b.tgz", ""),
        ("http://h/a", "b", "application/gzip; charset=x"),
    ],
)
def test_a_compressed_file_is_stored_as_it_came(url: str, output: str, media_type: str) -> None:
    """Where the thing asked for is itself compressed, its coding stays on."""
    headers = {"Content-Encoding": "gzip", "Content-Type": media_type}
    bench = Bench(GZIPPED, headers=headers)
    bench.attempt(make_job(url, output))
    assert bench.part.stored == GZIPPED


def test_one_downloader_makes_many_attempts() -> None:
    """A failed attempt leaves nothing behind that spoils the next."""
    bench = Bench(b"abc", failing={"publish": FULL})
    bench.attempt()
    bench.failing = {}
    assert bench.attempt().size == 3
    assert bench.counted == [3, 3]


def test_the_transport_is_closed_with_the_downloader() -> None:
    """The downloader owns its transport."""
    bench = Bench()
    bench.downloader.close()
    assert bench.journal == ["close"]
