"""Checksums in a transfer: those that the user gives, and Repr-Digest of the server."""

from __future__ import annotations

import gzip

import pytest

from tests.support.attempts import Attempts
from tests.support.digests import repr_digest, sha256
from tests.support.fake_network import V1, V2, FakeReply, cut, full, piece
from url_downloader.shared.models import ErrorKind, Outcome


@pytest.mark.parametrize(
    ("second", "kind", "published"),
    [
        (full(V1), None, {"file.bin": V1}),
        (full(V2), ErrorKind.CHECKSUM, {}),
        (cut(V1, 16), ErrorKind.TRUNCATED, {}),
        (FakeReply(404), ErrorKind.CLIENT_ERROR, {}),
    ],
)
@pytest.mark.parametrize("part", [b"", V1[:15] + b"!"])
def test_a_wrong_checksum(
    second: FakeReply, kind: ErrorKind | None, *, published: dict[str, bytes], part: bytes
) -> None:
    """After a wrong checksum, the whole file is requested: at once if a part was wrong.

    Otherwise, the next attempt requests it. A file with a wrong checksum is never published.
    """
    attempts = Attempts(piece(V1, 16) if part else full(V2), second, part=part)
    count = 1 if part else 2
    results = [attempts.attempt(checksum=sha256(V1)) for _ in range(count)]
    assert [result.kind for result in results] == [ErrorKind.CHECKSUM, kind][-count:]
    assert attempts.published == published
    assert attempts.ranges == [len(part), 0]
    if kind is ErrorKind.CHECKSUM:
        assert attempts.part is None


def test_a_whole_part_with_a_wrong_checksum() -> None:
    """A part that the server calls complete is downloaded anew if its checksum is wrong."""
    attempts = Attempts(
        FakeReply(416, content_range="bytes */40"), full(V1), part=bytes(len(V1))
    )
    result = attempts.attempt(checksum=sha256(V1))
    assert (result.kind, result.outcome) == (None, Outcome.DOWNLOADED)
    assert attempts.published == {"file.bin": V1}


def test_the_checksum_of_a_resumed_file() -> None:
    """The bytes of the part are read from the disk once; only the rest is downloaded."""
    attempts = Attempts(cut(V1, 16), piece(V1, 16, 30), piece(V1, 30))
    results = [attempts.attempt(checksum=sha256(V1)) for _ in range(2)]
    assert [result.kind for result in results] == [ErrorKind.TRUNCATED, None]
    assert results[-1].outcome is Outcome.RESUMED
    assert (attempts.published, sum(attempts.counted)) == ({"file.bin": V1}, len(V1))
    assert attempts.disk.read_back == [16]


def test_a_resumed_file_without_a_checksum() -> None:
    """Without a checksum, the part is not read from the disk."""
    attempts = Attempts(piece(V1, 16), part=V1[:16])
    assert attempts.attempt().kind is None
    assert attempts.disk.read_back == []


@pytest.mark.parametrize(
    ("reply", "part", "is_right"),
    [
        (full(V1, repr_digest=repr_digest(V1)), b"", True),
        (full(V1, repr_digest=repr_digest(V1, "sha-512")), b"", True),
        (full(V1, repr_digest=repr_digest(V2)), b"", False),
        (full(V1, repr_digest=f"{repr_digest(V1)}, {repr_digest(V2, 'sha-512')}"), b"", False),
        (full(V1, repr_digest="md5=:AAAAAAAAAAAAAAAAAAAAAA==:, what=:AAAA:"), b"", True),
        (full(V1, repr_digest="sha-256=:AAAA:"), b"", True),
        (
            FakeReply(
                200,
                gzip.compress(V1),
                repr_digest=repr_digest(V2),
                content_encoding="gzip",
            ),
            b"",
            True,
        ),
        (piece(V1, 16, repr_digest=repr_digest(V1)), V1[:16], True),
        (piece(V1, 16, repr_digest=repr_digest(V1[16:])), V1[:16], False),
    ],
)
def test_repr_digest(reply: FakeReply, part: bytes, *, is_right: bool) -> None:
    """The file must have the digest of Repr-Digest, unless the digest can't be verified."""
    attempts = Attempts(reply, FakeReply(404), part=part)
    assert (attempts.attempt().kind is None) is is_right
    assert attempts.published == ({"file.bin": V1} if is_right else {})


def test_repr_digest_of_a_416() -> None:
    """In a 416, Repr-Digest covers the error's own body (RFC 9530, B), not the file."""
    headers = {"content_range": "bytes */40", "repr_digest": repr_digest(b"too far")}
    attempts = Attempts(FakeReply(416, b"too far", **headers), part=V1)
    assert attempts.attempt().kind is None
    assert attempts.published == {"file.bin": V1}
