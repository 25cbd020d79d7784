"""Rules for existing files, -nc, -c and -N: kept, compared with the server's, or replaced."""

from __future__ import annotations

import pytest

from tests.support.attempts import Attempts
from tests.support.digests import sha256
from tests.support.fake_disk import FakeFile
from tests.support.fake_network import TAGS, V1, V2, FakeReply, full
from url_downloader.config.settings import Existing
from url_downloader.naming.name_claims import NameClaims
from url_downloader.naming.server_names import ServerNames
from url_downloader.shared.models import ErrorKind, JobResult, Outcome, SourceFacts

NOVEMBER = "Tue, 14 Nov 2023 22:13:20 GMT"
SINCE = {"If-Modified-Since": NOVEMBER}


@pytest.mark.parametrize(
    ("existing", "there", "asked"),
    [
        (Existing.COMPARE, FakeFile(V1, etag='"v1"'), SINCE | {"If-None-Match": '"v1"'}),
        (Existing.COMPARE, FakeFile(V1, etag='W/"v1"'), SINCE | {"If-None-Match": 'W/"v1"'}),
        (Existing.COMPARE, FakeFile(V1), SINCE),
        (Existing.COMPARE, None, {}),
        (Existing.REPLACE, FakeFile(V1, etag='"v1"'), {}),
        (Existing.CONTINUE, FakeFile(b"", etag='"v1"'), {}),
    ],
)
def test_a_conditional_request(
    existing: Existing, there: FakeFile | None, *, asked: dict[str, str]
) -> None:
    """-N sends the file's time and tag: a 304 keeps the file, and a 200 replaces it.

    A 304 to a request without conditions is an error.
    """
    replies = [FakeReply(304, etag='"v1"'), full(V2)]
    attempts = Attempts(*replies, there=there, existing=existing)
    result = attempts.attempt()
    assert attempts.asked == [asked]
    if asked:
        assert (result.kind, result.outcome) == (None, Outcome.NOT_MODIFIED)
        assert (result.path, result.size) == ("dir/file.bin", 40)
    else:
        assert (result.kind, result.path) == (ErrorKind.UNEXPECTED_STATUS, None)
    assert attempts.published == {}
    assert attempts.attempt().outcome is Outcome.DOWNLOADED
    assert attempts.published == {"file.bin": V2}


def test_a_304_to_a_range_request() -> None:
    """With a part, -N requests the rest without these conditions; a 304 to it is an error."""
    there = FakeFile(V2, etag='"v2"')
    attempts = Attempts(FakeReply(304), part=V1[:16], there=there, existing=Existing.COMPARE)
    assert attempts.attempt().kind is ErrorKind.UNEXPECTED_STATUS
    assert attempts.ranges == [16]
    assert attempts.part is not None


@pytest.mark.parametrize(
    ("existing", "there", "is_skipped"),
    [
        (Existing.SKIP, FakeFile(V1), True),
        (Existing.SKIP, None, False),
        (Existing.CONTINUE, FakeFile(V1), True),
        (Existing.CONTINUE, FakeFile(b""), False),
        (Existing.CONTINUE, FakeFile(V2), False),
        (Existing.CONTINUE, None, False),
        (Existing.REPLACE, FakeFile(V1), False),
    ],
)
def test_an_existing_file_that_is_skipped(
    existing: Existing, there: FakeFile | None, *, is_skipped: bool
) -> None:
    """A skip sends no request; -c downloads an empty file, or one with a wrong checksum."""
    attempts = Attempts(*([] if is_skipped else [full(V1)]), there=there, existing=existing)
    result = attempts.attempt(checksum=sha256(V1))
    if is_skipped:
        assert there is not None
        source = SourceFacts(digests=(sha256(V1),))
        assert result == JobResult(
            path=there.path,
            size=there.size,
            outcome=Outcome.SKIPPED,
            source=source,
            mtime_ns=there.mtime_ns,
        )
    assert attempts.published == ({} if is_skipped else {"file.bin": V1})


@pytest.mark.parametrize("there", [FakeFile(V2), FakeFile(b"")])
def test_no_clobber_with_a_wrong_checksum(there: FakeFile) -> None:
    """-nc fails the job if the file does not have its checksum; no request is sent."""
    attempts = Attempts(there=there, existing=Existing.SKIP)
    result = attempts.attempt(checksum=sha256(V1))
    assert result.kind is ErrorKind.CHECKSUM
    assert "--no-clobber" in result.message
    assert attempts.published == {}


@pytest.mark.parametrize("there", [FakeFile(b""), FakeFile(V2)])
def test_no_clobber_without_a_checksum(there: FakeFile) -> None:
    """-nc keeps any file if no checksum is known, even an empty one."""
    result = Attempts(there=there, existing=Existing.SKIP).attempt()
    assert (result.outcome, result.size) == (Outcome.SKIPPED, there.size)


@pytest.mark.parametrize("after", [V1, V2])
def test_a_comparison_with_a_wrong_checksum(after: bytes) -> None:
    """-N sends no conditions if the file does not have its checksum: no 304 can keep it."""
    replies = [full(after) for _ in range(2)]
    attempts = Attempts(*replies, there=FakeFile(V2, etag='"v2"'), existing=Existing.COMPARE)
    result = attempts.attempt(checksum=sha256(V1))
    assert attempts.asked[0] == {}
    assert result.kind is (None if after is V1 else ErrorKind.CHECKSUM)


def test_a_304_for_a_right_checksum() -> None:
    """-N sends conditions if the file has its checksum; the result has the digest."""
    attempts = Attempts(
        FakeReply(304), there=FakeFile(V1, etag='"v1"'), existing=Existing.COMPARE
    )
    result = attempts.attempt(checksum=sha256(V1))
    assert set(attempts.asked[0]) == {"If-Modified-Since", "If-None-Match"}
    assert result.outcome is Outcome.NOT_MODIFIED
    assert result.source is not None
    assert result.source.digests == (sha256(V1),)


def test_the_source_of_a_304() -> None:
    """The result of a 304 names the URL and the version of the file."""
    attempts = Attempts(
        FakeReply(304, etag=TAGS[V1]), there=FakeFile(V1), existing=Existing.COMPARE
    )
    assert attempts.attempt().source == SourceFacts(url="http://mirror/file.bin", etag=TAGS[V1])


def test_no_clobber_with_a_server_name_and_a_wrong_checksum() -> None:
    """The failure is about the existing file: it has no HTTP status, and no retry follows."""
    attempts = Attempts(
        full(V1, content_disposition="filename=x"),
        there={"x": FakeFile(V2)},
        existing=Existing.SKIP,
        names=ServerNames(NameClaims(), {}),
    )
    result = attempts.attempt(checksum=sha256(V1))
    assert (result.kind, result.http_status) == (ErrorKind.CHECKSUM, None)
    assert attempts.published == {}
