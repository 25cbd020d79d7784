"""Transfers: resumed parts, published versions, counted bytes, and the source of a file."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.support.attempts import Attempts
from tests.support.digests import repr_digest, sha256
from tests.support.fake_network import CUT, TAGS, V1, V2, FakeReply, chunked, cut, full, piece
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.models import ErrorKind, Outcome, SourceFacts

DECEMBER = "Thu, 14 Dec 2023 22:13:20 GMT"
NOVEMBER = "Tue, 14 Nov 2023 22:13:20 GMT"
GZIP = {"content_encoding": "gzip"}
RESUMED, DOWNLOADED = Outcome.RESUMED, Outcome.DOWNLOADED
STAR_16, STAR_40 = {"content_range": "bytes */16"}, {"content_range": "bytes */40"}
STAR: dict[str, Any] = {"content_range": "bytes 16-19/*"}
MULTIPART = {"content_range": "", "content_type": "multipart/byteranges; boundary=x"}

# Name of the case, replies to an attempt that has a part with 16 bytes of V1, offsets that the
# requests ask for, and published version.
RESUMES: list[tuple[str, Sequence[FakeReply], list[int], bytes]] = [
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
    ("less than its range", [chunked(piece(V1, 16), V1[16:30]), piece(V1, 30)], [16, 30], V1),
    ("200, changed", [full(V2)], [16], V2),
    ("200, unchanged", [full(V1)], [16], V1),
    ("200, encoded", [FakeReply(200, gzip.compress(V2), **GZIP)], [16], V2),
    ("wrong offset", [piece(V1, 15), full(V1)], [16, 0], V1),
    ("from 0", [piece(V1, 0), full(V1)], [16, 0], V1),
    ("other total", [piece(V2, 16, etag='"v1"'), full(V2)], [16, 0], V2),
    ("changed ETag", [piece(V1, 16, etag='"v2"'), full(V2)], [16, 0], V2),
    ("weak ETag", [piece(V1, 16, etag='W/"v1"'), full(V2)], [16, 0], V2),
    ("encoded 206", [piece(V1, 16, None, **GZIP), full(V2)], [16, 0], V2),
    ("multipart", [piece(V1, 16, None, **MULTIPART), full(V2)], [16, 0], V2),
    ("wrong length", [piece(V1, 16, content_length="9"), full(V2)], [16, 0], V2),
    ("416", [FakeReply(416), full(V2)], [16, 0], V2),
    ("416, total", [FakeReply(416, **STAR_40), full(V1)], [16, 0], V1),
    ("416, size", [FakeReply(416, **STAR_16), full(V2)], [16, 0], V2),
    ("shorter, 200", [piece(V1, 16, 30), full(V2)], [16, 30], V2),
    ("shorter, changed", [piece(V1, 16, 30), piece(V2, 30), full(V2)], [16, 30, 0], V2),
]


@pytest.mark.parametrize(
    ("replies", "ranges", "version"), [pytest.param(*row[1:], id=row[0]) for row in RESUMES]
)
def test_a_resumed_part(
    replies: Sequence[FakeReply], ranges: list[int], *, version: bytes
) -> None:
    """The published file is one version, and each range is requested with If-Range."""
    attempts = Attempts(*replies, part=V1[:16])
    result = attempts.attempt()
    outcome = DOWNLOADED if replies[-1].status == 200 else RESUMED
    assert (result.kind, result.outcome, result.size) == (None, outcome, len(version))
    assert attempts.published == {"file.bin": version}
    assert attempts.asked == [
        {"Range": f"bytes={first}-", "If-Range": '"v1"'} if first else {} for first in ranges
    ]
    assert attempts.part is None


def test_attempts_that_resume_each_other() -> None:
    """In a run with several attempts, no byte is requested or counted twice."""
    attempts = Attempts(cut(V1, 16), FakeReply(503), piece(V1, 16, 30), piece(V1, 30))
    kinds = [attempts.attempt().kind for _ in range(3)]
    assert kinds == [ErrorKind.TRUNCATED, ErrorKind.SERVER_ERROR, None]
    assert attempts.ranges == [0, 16, 16, 30]
    assert attempts.published == {"file.bin": V1}
    assert attempts.counted == [16, 14, 10]


@pytest.mark.parametrize(
    ("first", "is_resumed"),
    [
        (cut(V1, 16), True),
        (cut(V1, 16, etag='W/"v1"'), False),
        (cut(V1, 16, etag=""), False),
        (cut(V1, 16, etag="", last_modified=NOVEMBER, date=NOVEMBER), False),
        (cut(V1, 16, etag="", last_modified=NOVEMBER, date=DECEMBER), True),
        (cut(V1, 16, etag='W/"v1"', last_modified=NOVEMBER), False),
        (cut(V1, 4), False),
        (FakeReply(200, gzip.compress(V1)[:20], CUT, etag='"v1"', **GZIP), False),
    ],
)
def test_the_validator_of_a_part(first: FakeReply, is_resumed: bool) -> None:
    """A part is resumed only with a strong validator, and if it is long and not encoded."""
    attempts = Attempts(first, full(V1))
    assert attempts.attempt().kind is ErrorKind.TRUNCATED
    assert attempts.attempt().kind is None
    assert attempts.ranges == [0, 16 if is_resumed else 0]
    assert attempts.published == {"file.bin": V1}


def test_a_run_that_does_not_resume() -> None:
    """If parts are not to be resumed, the attempt requests the whole file."""
    attempts = Attempts(full(V2), part=V1[:16], is_resumed=False)
    assert (attempts.attempt().outcome, attempts.ranges) == (DOWNLOADED, [0])


@pytest.mark.parametrize(
    "body", [[], [b""], [V1[16:], b"!"], [V1[16:] * 2]], ids=["none", "empty", "more", "twice"]
)
def test_a_206_with_a_wrong_number_of_bytes(body: list[bytes]) -> None:
    """A 206 without a byte, or with too many, is malformed; the part is discarded."""
    attempts = Attempts(chunked(piece(V1, 16), *body), full(V1), part=V1[:16])
    result = attempts.attempt()
    assert (result.kind, result.http_status) == (ErrorKind.MALFORMED, 206)
    assert (attempts.part, attempts.published) == (None, {})
    assert attempts.attempt().outcome is DOWNLOADED
    assert attempts.ranges == [16, 0]


def test_a_file_in_many_small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt ends if a server sends a byte per request; the part is kept."""
    monkeypatch.setattr("url_downloader.attempt.transfer.MAX_SMALL_RANGES", 5)
    ranges = [piece(V1, at, at + 1) for at in range(16, 40)]
    attempts = Attempts(*ranges, part=V1[:16])
    result = attempts.attempt()
    assert (result.kind, attempts.published) == (ErrorKind.MALFORMED, {})
    assert attempts.ranges == [16, 17, 18, 19, 20, 21]
    assert attempts.part is not None


def test_a_part_that_is_complete() -> None:
    """A 416 that states the part's size completes the file; no byte is downloaded."""
    attempts = Attempts(FakeReply(416, **STAR_40), part=V1)
    result = attempts.attempt(checksum=sha256(V1))
    assert (result.kind, result.outcome, result.size) == (None, RESUMED, 40)
    assert (result.path, attempts.published) == ("dir/file.bin", {"file.bin": V1})
    assert (attempts.ranges, attempts.counted) == ([40], [])


@pytest.mark.parametrize(
    "reply", [FakeReply(503), FakeReply(404), FakeReply(304), FakeReply(429)]
)
def test_a_part_after_a_refusal(reply: FakeReply) -> None:
    """After a reply that does not carry the file, the next attempt resumes the part."""
    attempts = Attempts(reply, piece(V1, 16), part=V1[:16])
    assert attempts.attempt().kind is not None
    assert attempts.attempt().outcome is RESUMED
    assert attempts.published == {"file.bin": V1}


@pytest.mark.parametrize("replies", [[full(V2)], [piece(V1, 0), full(V2)]])
def test_the_count_without_bytes_of_an_earlier_run(replies: Sequence[FakeReply]) -> None:
    """Bytes of an earlier run are not counted; the bytes that replace them are."""
    attempts = Attempts(*replies, part=V1[:16])
    attempts.attempt()
    assert sum(attempts.counted) == len(V2)


@pytest.mark.parametrize(
    ("replies", "part", "received", "digests"),
    [
        ([full(V1, last_modified="Tue, 14 Nov 2023 22:13:20 GMT")], b"", 40, ()),
        ([piece(V1, 16, 30), piece(V1, 30)], V1[:16], 24, ()),
        ([full(V1, repr_digest=repr_digest(V1))], b"", 40, (sha256(V1),)),
    ],
)
def test_the_source_of_a_file(
    replies: Sequence[FakeReply], part: bytes, received: int, digests: Sequence[Checksum]
) -> None:
    """The result has the URL, the version, the verified digests and the received bytes."""
    result = Attempts(*replies, part=part).attempt()
    modified = 1_700_000_000.0 if "last-modified" in replies[0].headers else None
    assert result.source == SourceFacts(
        url="http://mirror/file.bin", etag=TAGS[V1], modified=modified, digests=tuple(digests)
    )
    assert result.received == received


def test_the_source_of_a_failure() -> None:
    """A failure has no source, so that records stay small; its received bytes count."""
    result = Attempts(cut(V1, 25)).attempt()
    assert (result.source, result.received) == (None, 25)


@pytest.mark.parametrize(
    ("replies", "part", "positions"),
    [
        ([full(V1)], b"", [(0, 40), (11, 40)]),
        ([chunked(full(V1), V1[:9], V1[9:])], b"", [(0, None), (9, None)]),
        ([piece(V1, 16, 30), piece(V1, 30)], V1[:16], [(16, 40), (30, 40)]),
        ([piece(V1, 16, content_range="bytes 16-39/*")], V1[:16], [(16, 40)]),
        ([piece(V1, 15), full(V1)], V1[:16], [(0, 40), (11, 40)]),
    ],
)
def test_the_progress_of_a_transfer(
    replies: Sequence[FakeReply], part: bytes, positions: Sequence[tuple[int, int | None]]
) -> None:
    """Other threads see the offset of each chunk in the file, and the size of the file."""
    attempts, seen = Attempts(*replies, part=part), []

    def observed_chunks(reply: FakeReply) -> Iterator[bytes]:
        for chunk in reply.body:
            progress = attempts.control.progress()
            assert progress is not None
            seen.append((progress.position, progress.total))
            assert isinstance(chunk, bytes)
            yield chunk

    for reply in replies:
        reply.chunks = functools.partial(observed_chunks, reply)  # type: ignore[method-assign]
    attempts.attempt()
    assert seen == positions
