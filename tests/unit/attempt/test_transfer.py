"""The bytes of an attempt: they are of one version of the file, or there is no file."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.support.attempts import Attempts
from tests.support.digests import repr_digest, sha256
from tests.support.fake_network import CUT, TAGS, V1, V2, FakeReply, chunked, cut, full, piece
from url_downloader.shared.models import Checksum, ErrorKind, Outcome, SourceFacts

DECEMBER = "Thu, 14 Dec 2023 22:13:20 GMT"
NOVEMBER = "Tue, 14 Nov 2023 22:13:20 GMT"
GZIP = {"content_encoding": "gzip"}
RESUMED, DOWNLOADED = Outcome.RESUMED, Outcome.DOWNLOADED
STAR_16, STAR_40 = {"content_range": "bytes */16"}, {"content_range": "bytes */40"}
STAR: dict[str, Any] = {"content_range": "bytes 16-19/*"}
MULTIPART = {"content_range": "", "content_type": "multipart/byteranges; boundary=x"}

# Replies to who has 16 bytes of V1, where the ranges asked for begin, and the file.
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
    ("less than it says", [chunked(piece(V1, 16), V1[16:30]), piece(V1, 30)], [16, 30], V1),
    ("changed", [full(V2)], [16], V2),
    ("ignores Range", [full(V1)], [16], V1),
    ("encoded 200", [FakeReply(200, gzip.compress(V2), **GZIP)], [16], V2),
    ("wrong offset", [piece(V1, 15), full(V1)], [16, 0], V1),
    ("from 0", [piece(V1, 0), full(V1)], [16, 0], V1),
    ("other total", [piece(V2, 16, etag='"v1"'), full(V2)], [16, 0], V2),
    ("changed ETag", [piece(V1, 16, etag='"v2"'), full(V2)], [16, 0], V2),
    ("weak ETag", [piece(V1, 16, etag='W/"v1"'), full(V2)], [16, 0], V2),
    ("encoded 206", [piece(V1, 16, None, **GZIP), full(V2)], [16, 0], V2),
    ("multipart", [piece(V1, 16, None, **MULTIPART), full(V2)], [16, 0], V2),
    ("length lies", [piece(V1, 16, content_length="9"), full(V2)], [16, 0], V2),
    ("416", [FakeReply(416), full(V2)], [16, 0], V2),
    ("416, total", [FakeReply(416, **STAR_40), full(V1)], [16, 0], V1),
    ("416, size", [FakeReply(416, **STAR_16), full(V2)], [16, 0], V2),
    ("shorter, 200", [piece(V1, 16, 30), full(V2)], [16, 30], V2),
    ("shorter, changed", [piece(V1, 16, 30), piece(V2, 30), full(V2)], [16, 30, 0], V2),
]


@pytest.mark.parametrize(
    ("replies", "ranges", "version"), [pytest.param(*row[1:], id=row[0]) for row in RESUMES]
)
def test_a_part_becomes_one_version(
    replies: Sequence[FakeReply], ranges: list[int], *, version: bytes
) -> None:
    """One line of the table; and every range is asked for with the validator of the part."""
    attempts = Attempts(*replies, part=V1[:16])
    result = attempts.attempt()
    outcome = DOWNLOADED if replies[-1].status == 200 else RESUMED
    assert (result.kind, result.outcome, result.size) == (None, outcome, len(version))
    assert attempts.published == {"file.bin": version}
    assert attempts.asked == [
        {"Range": f"bytes={first}-", "If-Range": '"v1"'} if first else {} for first in ranges
    ]
    assert attempts.part is None


def test_what_was_cut_is_continued() -> None:
    """Between the attempts of one run no byte comes twice, and each counts once."""
    attempts = Attempts(cut(V1, 16), FakeReply(503), piece(V1, 16, 30), piece(V1, 30))
    kinds = [attempts.attempt().kind for _ in range(3)]
    assert kinds == [ErrorKind.TRUNCATED, ErrorKind.SERVER_ERROR, None]
    assert attempts.ranges == [0, 16, 16, 30]
    assert attempts.published == {"file.bin": V1}
    assert attempts.counted == [16, 14, 10]


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
        (FakeReply(200, gzip.compress(V1)[:20], CUT, etag='"v1"', **GZIP), False),
    ],
)
def test_only_a_strong_validator_is_worth_it(first: FakeReply, is_continued: bool) -> None:
    """Without one, too short, or encoded: start over."""
    attempts = Attempts(first, full(V1))
    assert attempts.attempt().kind is ErrorKind.TRUNCATED
    assert attempts.attempt().kind is None
    assert attempts.ranges == [0, 16 if is_continued else 0]
    assert attempts.published == {"file.bin": V1}


def test_starting_afresh() -> None:
    """Told not to continue, nobody looks for a part."""
    attempts = Attempts(full(V2), part=V1[:16], is_resumed=False)
    assert (attempts.attempt().outcome, attempts.ranges) == (DOWNLOADED, [0])


@pytest.mark.parametrize(
    "body", [[], [b""], [V1[16:], b"!"], [V1[16:] * 2]], ids=["none", "empty", "more", "twice"]
)
def test_a_206_that_does_not_keep_its_word(body: list[bytes]) -> None:
    """It brings nothing or too much: MALFORMED, and the part is not trusted any longer."""
    attempts = Attempts(chunked(piece(V1, 16), *body), full(V1), part=V1[:16])
    result = attempts.attempt()
    assert (result.kind, result.http_status) == (ErrorKind.MALFORMED, 206)
    assert (attempts.part, attempts.published) == (None, {})
    assert attempts.attempt().outcome is DOWNLOADED
    assert attempts.ranges == [16, 0]


def test_a_file_in_crumbs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends a byte per request holds no attempt for ever; the part is kept."""
    monkeypatch.setattr("url_downloader.attempt.transfer.MAX_SMALL_RANGES", 5)
    crumbs = [piece(V1, at, at + 1) for at in range(16, 40)]
    attempts = Attempts(*crumbs, part=V1[:16])
    result = attempts.attempt()
    assert (result.kind, attempts.published) == (ErrorKind.MALFORMED, {})
    assert attempts.ranges == [16, 17, 18, 19, 20, 21]
    assert attempts.part is not None


def test_a_whole_part_is_published() -> None:
    """Nothing is missing: a 416 that says so is a success, and no byte is transferred."""
    attempts = Attempts(FakeReply(416, **STAR_40), part=V1)
    result = attempts.attempt(checksum=sha256(V1))
    assert (result.kind, result.outcome, result.size) == (None, RESUMED, 40)
    assert (result.path, attempts.published) == ("dir/file.bin", {"file.bin": V1})
    assert (attempts.ranges, attempts.counted) == ([40], [])


@pytest.mark.parametrize(
    "reply", [FakeReply(503), FakeReply(404), FakeReply(304), FakeReply(429)]
)
def test_a_part_survives_a_refusal(reply: FakeReply) -> None:
    """A reply that says nothing of the file leaves the part for the next attempt."""
    attempts = Attempts(reply, piece(V1, 16), part=V1[:16])
    assert attempts.attempt().kind is not None
    assert attempts.attempt().outcome is RESUMED
    assert attempts.published == {"file.bin": V1}


@pytest.mark.parametrize("length", ["abc", "0, 0", "-1", ""])
def test_a_length_that_nobody_needs(length: str) -> None:
    """A 204 has no use for a length (RFC 9110 §8.6): a broken one is no bug of ours."""
    result = Attempts(FakeReply(204, content_length=length)).attempt()
    assert result.kind in (None, ErrorKind.MALFORMED)


@pytest.mark.parametrize("replies", [[full(V2)], [piece(V1, 0), full(V2)]])
def test_bytes_of_an_earlier_run_do_not_count(replies: Sequence[FakeReply]) -> None:
    """They didn't come in this run; those that come instead of them do."""
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
def test_where_a_file_came_from(
    replies: Sequence[FakeReply], part: bytes, received: int, digests: Sequence[Checksum]
) -> None:
    """The result of a success names the version, and what it took in this attempt."""
    result = Attempts(*replies, part=part).attempt()
    modified = 1_700_000_000.0 if "last-modified" in replies[0].headers else None
    assert result.source == SourceFacts(
        url="http://mirror/file.bin", etag=TAGS[V1], modified=modified, digests=tuple(digests)
    )
    assert result.received == received


def test_a_failure_has_no_source() -> None:
    """Records of failures stay small; the bytes that came count all the same."""
    result = Attempts(cut(V1, 25)).attempt()
    assert (result.source, result.received) == (None, 25)


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
    replies: Sequence[FakeReply], part: bytes, places: Sequence[tuple[int, int | None]]
) -> None:
    """Others see how much of the file is here, and of how much, as each chunk comes."""
    attempts, seen = Attempts(*replies, part=part), []

    def watched(reply: FakeReply) -> Iterator[bytes]:
        for chunk in reply.body:
            progress = attempts.control.progress()
            assert progress is not None
            seen.append((progress.position, progress.total))
            assert isinstance(chunk, bytes)
            yield chunk

    for reply in replies:
        reply.chunks = functools.partial(watched, reply)  # type: ignore[method-assign]
    attempts.attempt()
    assert seen == places
