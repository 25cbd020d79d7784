"""Attempts against a scripted server and a disk in memory: the file is one version, or none."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from requests.structures import CaseInsensitiveDict

from url_downloader.attempt.downloader import Downloader
from url_downloader.attempt.transfer_context import TransferContext
from url_downloader.config.settings import Existing, TransferSettings
from url_downloader.naming.name_claims import NameClaims
from url_downloader.naming.server_names import ServerNames
from url_downloader.shared import ports
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import (
    AttemptLimits,
    Checksum,
    DownloadJob,
    ErrorKind,
    JobResult,
    Outcome,
    SourceFacts,
)
from url_downloader.shared.ports import Chunk, Fields, SavedPart

V1 = bytes(range(40))
V2 = bytes(range(100, 145))
TAGS = {V1: '"v1"', V2: '"v2"'}
WORTH = 8
"""Bytes from which on the disk in memory keeps a part."""
DECEMBER = "Thu, 14 Dec 2023 22:13:20 GMT"
NOVEMBER = "Tue, 14 Nov 2023 22:13:20 GMT"
CUT = AttemptError(ErrorKind.TRUNCATED, "cut short")


def sha256(data: bytes) -> Checksum:
    """The checksum that `data` has."""
    return Checksum("sha-256", hashlib.sha256(data).hexdigest())


def repr_digest(data: bytes, name: str = "sha-256") -> str:
    """The Repr-Digest field of `data`."""
    digest = base64.b64encode(hashlib.new(name.replace("-", ""), data).digest())
    return f"{name}=:{digest.decode()}:"


class Reply:
    """A reply of a script; an exception in its body is raised in its turn."""

    is_length_known = True
    url = "http://user:secret@mirror/file.bin"

    def __init__(self, status: int, *body: bytes | BaseException, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.status = status
        self.headers = CaseInsensitiveDict[str](named)
        self.body = body
        self.is_read = False

    def chunks(self) -> Iterator[bytes]:
        self.is_read = True
        for chunk in self.body:
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk

    def drain(self) -> None: ...
    def close(self) -> None: ...


def full(version: bytes, **headers: str) -> Reply:
    """All of a version, in two chunks."""
    fields = {"etag": TAGS[version], "content_length": str(len(version))} | headers
    return Reply(200, version[:11], version[11:], **fields)


def cut(version: bytes, size: int, **headers: str) -> Reply:
    """All of a version, but the connection is lost after `size` bytes."""
    reply = full(version, **headers)
    reply.body = (version[:size], CUT)
    return reply


def piece(version: bytes, first: int, end: int | None = None, **headers: str) -> Reply:
    """Bytes `first` up to `end` of a version, as a server with ranges sends them."""
    end = len(version) if end is None else end
    place = f"bytes {first}-{end - 1}/{len(version)}"
    fields = {"etag": TAGS[version], "content_range": place, "content_length": str(end - first)}
    return Reply(206, version[first:end], **(fields | headers))


def chunked(reply: Reply, *body: bytes) -> Reply:
    """The same without a length, and with any body."""
    del reply.headers["content-length"]
    reply.body = body
    return reply


@dataclass
class Part:
    """A part in memory, with real bytes and a model of its note."""

    bench: Bench
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
        self.data += bytes(data)

    def read_into(self, update: Callable[[bytes], None]) -> None:
        self.bench.read_back.append(self.size)
        update(bytes(self.data))

    def publish(self, output: str) -> None:
        self._close(is_kept=False)
        self.bench.published[output] = bytes(self.data)

    def keep(self) -> bool:
        is_kept = self.saved is not None and self.size >= WORTH
        self._close(is_kept=is_kept)
        return is_kept

    def discard(self) -> None:
        self._close(is_kept=False)

    def _close(self, *, is_kept: bool) -> None:
        assert self.is_open, "a part comes to one end only"
        self.is_open = False
        self.bench.part = self if is_kept else None


@dataclass
class File:
    """A file that is there already."""

    data: bytes
    path: str = "dir/file.bin"
    modified: float = 1_700_000_000.0
    etag: str | None = None

    @property
    def size(self) -> int:
        return len(self.data)

    def read_into(self, update: Callable[[bytes], None]) -> None:
        update(self.data)


class Bench:
    """Transport and disk in one.

    Args:
        replies: in their order.
        part: bytes of V1 that an earlier run has left.
        there: the file that is there already; or several, by name.
        existing, settings, context: what the downloader is told to do.
    """

    def __init__(
        self,
        *replies: Reply,
        part: bytes = b"",
        there: File | dict[str, File] | None = None,
        existing: Existing = Existing.REPLACE,
        settings: TransferSettings | None = None,
        **context: Any,
    ) -> None:
        self.replies = list(replies)
        self.part = Part(self, bytearray(part), TAGS[V1], len(V1), False) if part else None
        self.there = there
        self.asked: list[dict[str, str]] = []
        self.published: dict[str, bytes] = {}
        self.read_back: list[int] = []
        self.counted: list[int] = []
        known: dict[str, Any] = {"is_resumed": True, "names": None} | context
        settings = settings or TransferSettings()
        self.control = AttemptControl(on_bytes=self.counted.append)
        known |= {"control": self.control, "settings": settings, "existing": existing}
        context_ = TransferContext(transport=self, disk=self, **known)
        self._downloader = Downloader(context_, now=lambda: 0.0)

    @property
    def ranges(self) -> list[int]:
        """Where the range of each request begins, 0 for all."""
        return [int(fields.get("Range", "bytes=0-")[6:-1]) for fields in self.asked]

    def attempt(self, **job: Any) -> JobResult:
        """One attempt; it may leave no part open."""
        fields: dict[str, Any] = {"url": "http://host/file.bin", "output": "file.bin"} | job
        result = self._downloader.attempt(DownloadJob(job_id=1, max_retries=0, **fields))
        assert self.part is None or not self.part.is_open
        return result

    def open(
        self, url: str, headers: Fields, *, conditions: Fields, limits: AttemptLimits
    ) -> Reply:
        self.asked.append(dict(conditions))
        assert self.replies, "nobody expected this request"
        return self.replies.pop(0)

    def close(self) -> None: ...

    def existing(self, output: str) -> File | None:
        return self.there.get(output) if isinstance(self.there, dict) else self.there

    @property
    def has_leftovers(self) -> bool:
        return self.part is not None

    def reopen(self, job: DownloadJob) -> Part | None:
        if self.part is not None:
            assert not self.part.is_open
            self.part.is_open = True
        return self.part

    def create(self, job: DownloadJob) -> Part:
        assert self.part is None or not self.part.is_open
        self.part = Part(self)
        return self.part

    def publish(
        self, part: ports.Part, output: str, *, modified: float | None, etag: str | None
    ) -> str:
        assert isinstance(part, Part)
        part.publish(output)
        return f"dir/{output}"


GZIP = {"content_encoding": "gzip"}
RESUMED, DOWNLOADED = Outcome.RESUMED, Outcome.DOWNLOADED
STAR_16, STAR_40 = {"content_range": "bytes */16"}, {"content_range": "bytes */40"}
STAR: dict[str, Any] = {"content_range": "bytes 16-19/*"}
MULTIPART = {"content_range": "", "content_type": "multipart/byteranges; boundary=x"}

# Replies to who has 16 bytes of V1, where the ranges asked for begin, and the file.
RESUMES: list[tuple[str, Sequence[Reply], list[int], bytes]] = [
    ("right", [piece(V1, 16)], [16], V1),
    ("total *", [piece(V1, 16, content_range="bytes 16-39/*")], [16], V1),
    ("chunked", [chunked(piece(V1, 16), V1[16:])], [16], V1),
    (
        "shorter, twice",
        [piece(V1, 16, 17), piece(V1, 17, 39), piece(V1, 39)],
        [16, 17, 39],
        V1,
    ),
    ("shorter, total *", [piece(V1, 16, 20, **STAR), piece(V1, 20)], [16, 20], V1),
    ("less than it says", [chunked(piece(V1, 16), V1[16:30]), piece(V1, 30)], [16, 30], V1),
    ("changed", [full(V2)], [16], V2),
    ("ignores Range", [full(V1)], [16], V1),
    ("encoded 200", [Reply(200, gzip.compress(V2), **GZIP)], [16], V2),
    ("wrong offset", [piece(V1, 15), full(V1)], [16, 0], V1),
    ("from 0", [piece(V1, 0), full(V1)], [16, 0], V1),
    ("other total", [piece(V2, 16, etag='"v1"'), full(V2)], [16, 0], V2),
    ("changed ETag", [piece(V1, 16, etag='"v2"'), full(V2)], [16, 0], V2),
    ("weak ETag", [piece(V1, 16, etag='W/"v1"'), full(V2)], [16, 0], V2),
    ("encoded 206", [piece(V1, 16, None, **GZIP), full(V2)], [16, 0], V2),
    ("multipart", [piece(V1, 16, None, **MULTIPART), full(V2)], [16, 0], V2),
    ("length lies", [piece(V1, 16, content_length="9"), full(V2)], [16, 0], V2),
    ("416", [Reply(416), full(V2)], [16, 0], V2),
    ("416, total", [Reply(416, **STAR_40), full(V1)], [16, 0], V1),
    ("416, size", [Reply(416, **STAR_16), full(V2)], [16, 0], V2),
    ("shorter, 200", [piece(V1, 16, 30), full(V2)], [16, 30], V2),
    ("shorter, changed", [piece(V1, 16, 30), piece(V2, 30), full(V2)], [16, 30, 0], V2),
]


@pytest.mark.parametrize(
    ("replies", "ranges", "version"), [pytest.param(*row[1:], id=row[0]) for row in RESUMES]
)
def test_a_part_becomes_one_version(
    replies: Sequence[Reply], ranges: list[int], *, version: bytes
) -> None:
    """One line of the table; and every range is asked for with the validator of the part."""
    bench = Bench(*replies, part=V1[:16])
    result = bench.attempt()
    outcome = DOWNLOADED if replies[-1].status == 200 else RESUMED
    assert (result.kind, result.outcome, result.size) == (None, outcome, len(version))
    assert bench.published == {"file.bin": version}
    assert bench.asked == [
        {"Range": f"bytes={first}-", "If-Range": '"v1"'} if first else {} for first in ranges
    ]
    assert bench.part is None


def test_what_was_cut_is_continued() -> None:
    """Between the attempts of one run no byte comes twice, and each counts once."""
    bench = Bench(cut(V1, 16), Reply(503), piece(V1, 16, 30), piece(V1, 30))
    kinds = [bench.attempt().kind for _ in range(3)]
    assert kinds == [ErrorKind.TRUNCATED, ErrorKind.SERVER_ERROR, None]
    assert bench.ranges == [0, 16, 16, 30]
    assert bench.published == {"file.bin": V1}
    assert bench.counted == [16, 14, 10]


@pytest.mark.parametrize(
    ("first", "is_continued"),
    [
        (cut(V1, 16), True),
        (cut(V1, 16, etag='W/"v1"'), False),
        (cut(V1, 16, etag=""), False),
        (cut(V1, 16, etag="", last_modified=NOVEMBER, date=NOVEMBER), False),
        (cut(V1, 16, etag="", last_modified=NOVEMBER, date=DECEMBER), True),
        (cut(V1, 16, etag='W/"v1"', last_modified=NOVEMBER), False),
        (cut(V1, 4), False),
        (Reply(200, gzip.compress(V1)[:20], CUT, etag='"v1"', **GZIP), False),
    ],
)
def test_only_a_strong_validator_is_worth_it(first: Reply, is_continued: bool) -> None:
    """Without one, too short, or encoded: start over."""
    bench = Bench(first, full(V1))
    assert bench.attempt().kind is ErrorKind.TRUNCATED
    assert bench.attempt().kind is None
    assert bench.ranges == [0, 16 if is_continued else 0]
    assert bench.published == {"file.bin": V1}


def test_starting_afresh() -> None:
    """Told not to continue, nobody looks for a part."""
    bench = Bench(full(V2), part=V1[:16], is_resumed=False)
    assert (bench.attempt().outcome, bench.ranges) == (DOWNLOADED, [0])


@pytest.mark.parametrize(
    "body", [[], [b""], [V1[16:], b"!"], [V1[16:] * 2]], ids=["none", "empty", "more", "twice"]
)
def test_a_206_that_does_not_keep_its_word(body: list[bytes]) -> None:
    """It brings nothing or too much: MALFORMED, and the part is not trusted any longer."""
    bench = Bench(chunked(piece(V1, 16), *body), full(V1), part=V1[:16])
    result = bench.attempt()
    assert (result.kind, result.http_status) == (ErrorKind.MALFORMED, 206)
    assert (bench.part, bench.published) == (None, {})
    assert bench.attempt().outcome is DOWNLOADED
    assert bench.ranges == [16, 0]


def test_a_file_in_crumbs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends a byte per request holds no attempt for ever; the part is kept."""
    monkeypatch.setattr("url_downloader.attempt.transfer.MAX_SMALL_RANGES", 5)
    crumbs = [piece(V1, at, at + 1) for at in range(16, 40)]
    bench = Bench(*crumbs, part=V1[:16])
    result = bench.attempt()
    assert (result.kind, bench.published) == (ErrorKind.MALFORMED, {})
    assert bench.ranges == [16, 17, 18, 19, 20, 21]
    assert bench.part is not None


def test_a_whole_part_is_published() -> None:
    """Nothing is missing: a 416 that says so is a success, and no byte is transferred."""
    bench = Bench(Reply(416, **STAR_40), part=V1)
    result = bench.attempt(checksum=sha256(V1))
    assert (result.kind, result.outcome, result.size) == (None, RESUMED, 40)
    assert (result.path, bench.published) == ("dir/file.bin", {"file.bin": V1})
    assert (bench.ranges, bench.counted) == ([40], [])


@pytest.mark.parametrize("reply", [Reply(503), Reply(404), Reply(304), Reply(429)])
def test_a_part_survives_a_refusal(reply: Reply) -> None:
    """A reply that says nothing of the file leaves the part for the next attempt."""
    bench = Bench(reply, piece(V1, 16), part=V1[:16])
    assert bench.attempt().kind is not None
    assert bench.attempt().outcome is RESUMED
    assert bench.published == {"file.bin": V1}


@pytest.mark.parametrize("length", ["abc", "0, 0", "-1", ""])
def test_a_length_that_nobody_needs(length: str) -> None:
    """A 204 has no use for a length (RFC 9110 §8.6): a broken one is no bug of ours."""
    result = Bench(Reply(204, content_length=length)).attempt()
    assert result.kind in (None, ErrorKind.MALFORMED)


@pytest.mark.parametrize("replies", [[full(V2)], [piece(V1, 0), full(V2)]])
def test_bytes_of_an_earlier_run_do_not_count(replies: Sequence[Reply]) -> None:
    """They didn't come in this run; those that come instead of them do."""
    bench = Bench(*replies, part=V1[:16])
    bench.attempt()
    assert sum(bench.counted) == len(V2)


@pytest.mark.parametrize(
    ("limit", "reply", "part", "is_read"),
    [
        (39, full(V1), b"", False),
        (39, piece(V1, 16), V1[:16], False),
        (39, chunked(full(V1), V1[:20], V1[20:]), b"", True),
        (39, chunked(piece(V1, 16, content_range="bytes 16-38/*"), V1[16:]), V1[:16], True),
        (39, Reply(200, gzip.compress(V1 * 9), **GZIP), b"", None),
        (1, full(V1), V1[:16], False),
        (39, Reply(416, **STAR_40), V1, False),
    ],
)
def test_a_file_that_is_too_large(
    limit: int, reply: Reply, *, part: bytes, is_read: bool | None
) -> None:
    """It fails as soon as it is seen, before its body where a length tells; no part stays."""
    bench = Bench(reply, part=part, settings=TransferSettings(max_filesize=limit))
    result = bench.attempt()
    assert (result.kind, bench.published, bench.part) == (ErrorKind.TOO_LARGE, {}, None)
    assert "--max-filesize" in result.message
    assert is_read in (None, reply.is_read)


@pytest.mark.parametrize("limit", [0, 40])
@pytest.mark.parametrize(("reply", "size"), [(full(V1), 0), (piece(V1, 16), 16)])
def test_a_file_that_is_just_right(limit: int, reply: Reply, *, size: int) -> None:
    """The limit itself is within; 0 is none."""
    bench = Bench(reply, part=V1[:size], settings=TransferSettings(max_filesize=limit))
    assert bench.attempt().kind is None


TYPES = TransferSettings(expected_types=("application/pdf", "image/*", "text/csv"))


@pytest.mark.parametrize("sent", ["application/pdf", "TEXT/CSV ; charset=x", "image/png"])
def test_a_type_that_is_expected(sent: str) -> None:
    """Any of them, in either case, whatever its parameters; `image/*` is all images."""
    assert Bench(full(V1, content_type=sent), settings=TYPES).attempt().kind is None


@pytest.mark.parametrize(
    "sent",
    ["text/html; x=image/png", "images/png", "a/image/png", "application/*", ""],
)
@pytest.mark.parametrize("part", [b"", V1[:16]])
def test_a_type_that_is_not_expected(sent: str, part: bytes) -> None:
    """Another type, or none, is WRONG_TYPE: before the body is read, and nothing is kept."""
    reply = full(V1, content_type=sent)
    bench = Bench(reply, part=part, settings=TYPES)
    result = bench.attempt()
    assert (result.kind, "--expect-type" in result.message) == (ErrorKind.WRONG_TYPE, True)
    assert (reply.is_read, bench.published, bench.part) == (False, {}, None)


def test_a_206_need_not_repeat_the_type() -> None:
    """With If-Range a 206 leaves out what the 200 said (RFC 9110 §15.3.7): no wrong type."""
    csv = {"content_type": "text/csv"}
    bench = Bench(cut(V1, 16, **csv), piece(V1, 16), full(V1, **csv), settings=TYPES)
    assert [bench.attempt().kind for _ in range(2)] == [ErrorKind.TRUNCATED, None]
    assert bench.published == {"file.bin": V1}


SINCE = {"If-Modified-Since": NOVEMBER}


@pytest.mark.parametrize(
    ("existing", "there", "asked"),
    [
        (Existing.COMPARE, File(V1, etag='"v1"'), SINCE | {"If-None-Match": '"v1"'}),
        (Existing.COMPARE, File(V1, etag='W/"v1"'), SINCE | {"If-None-Match": 'W/"v1"'}),
        (Existing.COMPARE, File(V1), SINCE),
        (Existing.COMPARE, None, {}),
        (Existing.REPLACE, File(V1, etag='"v1"'), {}),
        (Existing.SKIP_FILLED, File(b"", etag='"v1"'), {}),
    ],
)
def test_only_if_it_has_changed(
    existing: Existing, there: File | None, *, asked: dict[str, str]
) -> None:
    """What is asked, what a 304 to it means, and that a 200 replaces the file."""
    replies = [Reply(304, etag='"v1"'), full(V2)]
    bench = Bench(*replies, there=there, existing=existing)
    result = bench.attempt()
    assert bench.asked == [asked]
    if asked:
        assert (result.kind, result.outcome) == (None, Outcome.NOT_MODIFIED)
        assert (result.path, result.size) == ("dir/file.bin", 40)
    else:
        assert (result.kind, result.path) == (ErrorKind.UNEXPECTED_STATUS, None)
    assert bench.published == {}
    assert bench.attempt().outcome is DOWNLOADED
    assert bench.published == {"file.bin": V2}


def test_a_304_to_a_range_is_an_error() -> None:
    """Who has a part asks for the rest of it; whether the old file is good is not asked."""
    there = File(V2, etag='"v2"')
    bench = Bench(Reply(304), part=V1[:16], there=there, existing=Existing.COMPARE)
    assert bench.attempt().kind is ErrorKind.UNEXPECTED_STATUS
    assert bench.ranges == [16]
    assert bench.part is not None


@pytest.mark.parametrize(
    ("existing", "there", "is_skipped"),
    [
        (Existing.SKIP, File(V1), True),
        (Existing.SKIP, None, False),
        (Existing.SKIP_FILLED, File(V1), True),
        (Existing.SKIP_FILLED, File(b""), False),
        (Existing.SKIP_FILLED, File(V2), False),
        (Existing.SKIP_FILLED, None, False),
        (Existing.REPLACE, File(V1), False),
    ],
)
def test_a_file_that_is_left_alone(
    existing: Existing, there: File | None, *, is_skipped: bool
) -> None:
    """A skip asks no server; what is empty, or has a wrong checksum, is not finished."""
    bench = Bench(*([] if is_skipped else [full(V1)]), there=there, existing=existing)
    result = bench.attempt(checksum=sha256(V1))
    if is_skipped:
        assert there is not None
        source = SourceFacts(digests=(sha256(V1),))
        assert result == JobResult(
            path=there.path, size=there.size, outcome=Outcome.SKIPPED, source=source
        )
    assert bench.published == ({} if is_skipped else {"file.bin": V1})


@pytest.mark.parametrize(
    ("url", "final_url", "disposition"),
    [
        ("http://h/a.tar.gz?x", "http://h/b", ""),
        ("http://h/a", "http://h/store/b.tar.gz?sig=1", ""),
        ("http://h/a", "http://h/b", "attachment; filename=b.tar.gz"),
    ],
)
def test_what_is_called_compressed_is_stored_as_it_came(
    url: str, final_url: str, disposition: str
) -> None:
    """The URL, the one that answers after redirects, or the server's name: one is enough."""
    packed = gzip.compress(V1)
    reply = Reply(200, packed, content_encoding="gzip", content_disposition=disposition)
    reply.url = final_url
    bench = Bench(reply, names=ServerNames(NameClaims(), {}))
    assert bench.attempt(url=url, checksum=sha256(packed)).kind is None
    assert list(bench.published.values()) == [packed]


def test_a_word_that_is_no_coding_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """The body is stored, and can be resumed; one warning is enough for a run."""
    words = ["none", "utf-8", "none"]
    replies = [full(V1, content_encoding=word) for word in words]
    bench = Bench(cut(V1, 20, content_encoding="none"), piece(V1, 20), *replies)
    logger = logging.getLogger("url_downloader")
    with mock.patch.object(logger, "propagate", new=True):
        assert bench.attempt().kind is ErrorKind.TRUNCATED
        assert [bench.attempt().size for _ in range(4)] == [len(V1)] * 4
    assert bench.ranges[1] == 20
    assert [r.message for r in caplog.records if r.levelno == logging.WARNING] == [
        "Content-Encoding none names no coding: ignored"
    ]


@pytest.mark.parametrize("there", [File(V2), File(b"")])
def test_no_clobber_keeps_to_checksums(there: File) -> None:
    """A file that is to be left but has not its checksum is a failure; no server is asked."""
    bench = Bench(there=there, existing=Existing.SKIP)
    result = bench.attempt(checksum=sha256(V1))
    assert result.kind is ErrorKind.CHECKSUM
    assert "--no-clobber" in result.message
    assert bench.published == {}


@pytest.mark.parametrize("there", [File(b""), File(V2)])
def test_no_clobber_leaves_whatever_is_there(there: File) -> None:
    """Where no checksum is known, any file is left, also an empty one."""
    result = Bench(there=there, existing=Existing.SKIP).attempt()
    assert (result.outcome, result.size) == (Outcome.SKIPPED, there.size)


@pytest.mark.parametrize("after", [V1, V2])
def test_a_304_does_not_vouch_for_a_wrong_checksum(after: bytes) -> None:
    """-N asks without conditions for a file that has not its checksum."""
    replies = [full(after) for _ in range(2)]
    bench = Bench(*replies, there=File(V2, etag='"v2"'), existing=Existing.COMPARE)
    result = bench.attempt(checksum=sha256(V1))
    assert bench.asked[0] == {}
    assert result.kind is (None if after is V1 else ErrorKind.CHECKSUM)


def test_a_304_for_a_right_checksum() -> None:
    """-N asks with conditions for a file that has its checksum; the result has the digest."""
    bench = Bench(Reply(304), there=File(V1, etag='"v1"'), existing=Existing.COMPARE)
    result = bench.attempt(checksum=sha256(V1))
    assert set(bench.asked[0]) == {"If-Modified-Since", "If-None-Match"}
    assert result.outcome is Outcome.NOT_MODIFIED
    assert result.source is not None
    assert result.source.digests == (sha256(V1),)


@pytest.mark.parametrize(
    ("replies", "part", "received", "digests"),
    [
        ([full(V1, last_modified="Tue, 14 Nov 2023 22:13:20 GMT")], b"", 40, ()),
        ([piece(V1, 16, 30), piece(V1, 30)], V1[:16], 24, ()),
        ([full(V1, repr_digest=repr_digest(V1))], b"", 40, (sha256(V1),)),
    ],
)
def test_where_a_file_came_from(
    replies: Sequence[Reply], part: bytes, received: int, digests: Sequence[Checksum]
) -> None:
    """The result of a success names the version, and what it took in this attempt."""
    result = Bench(*replies, part=part).attempt()
    modified = 1_700_000_000.0 if "last-modified" in replies[0].headers else None
    assert result.source == SourceFacts(
        url="http://mirror/file.bin", etag=TAGS[V1], modified=modified, digests=tuple(digests)
    )
    assert result.received == received


def test_a_failure_has_no_source() -> None:
    """Records of failures stay small; the bytes that came count all the same."""
    result = Bench(cut(V1, 25)).attempt()
    assert (result.source, result.received) == (None, 25)


def test_the_source_of_what_has_not_changed() -> None:
    """A 304 says which version is here."""
    bench = Bench(Reply(304, etag=TAGS[V1]), there=File(V1), existing=Existing.COMPARE)
    assert bench.attempt().source == SourceFacts(url="http://mirror/file.bin", etag=TAGS[V1])


@pytest.mark.parametrize(
    ("replies", "part", "places"),
    [
        ([full(V1)], b"", [(0, 40), (11, 40)]),
        ([chunked(full(V1), V1[:9], V1[9:])], b"", [(0, None), (9, None)]),
        ([piece(V1, 16, 30), piece(V1, 30)], V1[:16], [(16, 40), (30, 40)]),
        ([piece(V1, 16, content_range="bytes 16-39/*")], V1[:16], [(16, 40)]),
        ([piece(V1, 15), full(V1)], V1[:16], [(0, 40), (11, 40)]),
    ],
)
def test_how_far_a_file_is(
    replies: Sequence[Reply], part: bytes, places: Sequence[tuple[int, int | None]]
) -> None:
    """Others see how much of the file is here, and of how much, as each chunk comes."""
    bench, seen = Bench(*replies, part=part), []

    def watched(reply: Reply) -> Iterator[bytes]:
        for chunk in reply.body:
            progress = bench.control.progress()
            assert progress is not None
            seen.append((progress.position, progress.total))
            assert isinstance(chunk, bytes)
            yield chunk

    for reply in replies:
        reply.chunks = functools.partial(watched, reply)  # type: ignore[method-assign]
    bench.attempt()
    assert seen == places
