"""User's rules for the size and the media type of a file: --max-filesize and --expect-type."""

from __future__ import annotations

import gzip

import pytest

from tests.support.attempts import Attempts
from tests.support.fake_network import V1, FakeReply, chunked, cut, full, piece
from url_downloader.config.settings import TransferSettings
from url_downloader.shared.models import ErrorKind

GZIP = {"content_encoding": "gzip"}
STAR_40 = {"content_range": "bytes */40"}


@pytest.mark.parametrize(
    ("limit", "reply", "part", "is_read"),
    [
        (39, full(V1), b"", False),
        (39, piece(V1, 16), V1[:16], False),
        (39, chunked(full(V1), V1[:20], V1[20:]), b"", True),
        (39, chunked(piece(V1, 16, content_range="bytes 16-38/*"), V1[16:]), V1[:16], True),
        (39, FakeReply(200, gzip.compress(V1 * 9), **GZIP), b"", None),
        (39, FakeReply(200, *[gzip.compress(b"")] * 9, **GZIP), b"", True),
        (1, full(V1), V1[:16], False),
        (39, FakeReply(416, **STAR_40), V1, False),
    ],
)
def test_a_file_above_the_size_limit(
    limit: int, reply: FakeReply, *, part: bytes, is_read: bool | None
) -> None:
    """The attempt fails, before it reads the body if the reply states the size; no part stays.

    `is_read` is whether the body was read; None if either is right.
    """
    attempts = Attempts(reply, part=part, settings=TransferSettings(max_filesize=limit))
    result = attempts.attempt()
    assert (result.kind, attempts.published, attempts.part) == (ErrorKind.TOO_LARGE, {}, None)
    assert "--max-filesize" in result.message
    assert is_read in (None, reply.is_read)


@pytest.mark.parametrize("limit", [0, 40])
@pytest.mark.parametrize(("reply", "size"), [(full(V1), 0), (piece(V1, 16), 16)])
def test_a_file_of_the_size_limit(limit: int, reply: FakeReply, *, size: int) -> None:
    """A file may be as large as the limit; the limit 0 means no limit."""
    attempts = Attempts(reply, part=V1[:size], settings=TransferSettings(max_filesize=limit))
    assert attempts.attempt().kind is None


TYPES = TransferSettings(expected_types=("application/pdf", "image/*", "text/csv"))


@pytest.mark.parametrize("sent", ["application/pdf", "TEXT/CSV ; charset=x", "image/png"])
def test_an_expected_media_type(sent: str) -> None:
    """Case and parameters of a media type do not count; `image/*` is any image."""
    assert Attempts(full(V1, content_type=sent), settings=TYPES).attempt().kind is None


@pytest.mark.parametrize(
    "sent",
    ["text/html; x=image/png", "images/png", "a/image/png", "application/*", ""],
)
@pytest.mark.parametrize("part", [b"", V1[:16]])
def test_an_unexpected_media_type(sent: str, part: bytes) -> None:
    """Another media type, or none, fails before the body is read, and no part is kept."""
    reply = full(V1, content_type=sent)
    attempts = Attempts(reply, part=part, settings=TYPES)
    result = attempts.attempt()
    assert (result.kind, "--expect-type" in result.message) == (ErrorKind.WRONG_TYPE, True)
    assert (reply.is_read, attempts.published, attempts.part) == (False, {}, None)


def test_a_206_without_a_media_type() -> None:
    """A 206 to an If-Range may omit the type that the 200 had (RFC 9110 §15.3.7)."""
    csv = {"content_type": "text/csv"}
    attempts = Attempts(cut(V1, 16, **csv), piece(V1, 16), full(V1, **csv), settings=TYPES)
    assert [attempts.attempt().kind for _ in range(2)] == [ErrorKind.TRUNCATED, None]
    assert attempts.published == {"file.bin": V1}
