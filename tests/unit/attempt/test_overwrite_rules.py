"""Rules for existing files, -nc, -c and -N: kept, compared with the server's, or replaced."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.attempts import Attempts
from tests.support.digests import sha256
from tests.support.fake_disk import MTIME_NS, YOUNG, FakeFile
from tests.support.fake_network import TAGS, V1, V2, FakeReply, full
from url_downloader.config.settings import Existing
from url_downloader.naming.filenames import with_suffix
from url_downloader.naming.name_claims import NameClaims
from url_downloader.naming.server_names import ServerNames
from url_downloader.naming.url_keys import UrlKeys
from url_downloader.shared.file_facts import RECORDING_TIME, FileAge
from url_downloader.shared.ledger_entries import LedgerEntry, UrlHistory
from url_downloader.shared.models import (
    ErrorKind,
    JobResult,
    Outcome,
    SourceFacts,
)

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


# The ledger knows files of earlier runs.
KEYS = UrlKeys()
URL = "http://host/file.bin"


def recorded(
    *, name: str = "file.bin", is_taken_over: bool = False, **facts: Any
) -> UrlHistory:
    """Return the history of a URL whose file of 40 bytes an earlier run has recorded."""
    usual = {"size": 40, "mtime_ns": MTIME_NS}
    entry = LedgerEntry(1, KEYS.identity(URL), name, 1, True, 0, **(usual | facts))
    return UrlHistory(KEYS.identity(URL), 0, entry, is_taken_over)


@pytest.mark.parametrize(
    ("history", "there", "asked"),
    [
        (recorded(etag='"r"'), FakeFile(V1), {"If-None-Match": '"r"'}),
        (
            recorded(etag='"r"', modified=1_000_000_000),
            FakeFile(V1, etag='"x"'),
            {"If-None-Match": '"r"', "If-Modified-Since": "Sun, 09 Sep 2001 01:46:40 GMT"},
        ),
        (recorded(), FakeFile(V1), SINCE),
        (recorded(etag='"r"', mtime_ns=1), FakeFile(V1), SINCE),
        (recorded(etag='"r"', size=None), FakeFile(V1), SINCE),
        (recorded(etag='"r"', size=41), FakeFile(V1), {}),
        (recorded(etag='"r"', name="other"), FakeFile(V1), SINCE),
        (recorded(etag='"r"', is_taken_over=True), FakeFile(V1), {}),
        (UrlHistory(KEYS.identity(URL), 0), FakeFile(V1), SINCE),
    ],
)
def test_a_comparison_by_recorded_validators(
    history: UrlHistory, there: FakeFile, *, asked: dict[str, str]
) -> None:
    """-N asks by what was recorded if the file is still that one, else by the file's time."""
    attempts = Attempts(full(V2), there=there, existing=Existing.COMPARE)
    attempts.attempt(history=history)
    assert attempts.asked == [asked]


@pytest.mark.parametrize(
    ("there", "length", "outcome", "is_complete", "warns"),
    [
        (V1, 40, Outcome.SKIPPED, True, False),
        (V1, 41, Outcome.DOWNLOADED, True, False),
        (V1, 39, Outcome.SKIPPED, False, True),
        (V1, None, Outcome.SKIPPED, False, True),
        (b"", 0, Outcome.SKIPPED, True, False),
        (b"", 40, Outcome.DOWNLOADED, True, False),
        (b"", None, Outcome.DOWNLOADED, True, False),
        (None, 40, Outcome.DOWNLOADED, True, False),
    ],
)
def test_continue_with_an_unknown_file(
    there: bytes | None,
    length: int | None,
    outcome: Outcome,
    *,
    is_complete: bool,
    warns: bool,
    package_log: pytest.LogCaptureFixture,
) -> None:
    """-c asks for a file that no run has recorded, and keeps it by the stated length."""
    body = b"" if length == 0 else b"x" * (length or 40)
    reply = FakeReply(200, body)
    reply.length = length
    files = None if there is None else FakeFile(there)
    attempts = Attempts(reply, there=files, existing=Existing.CONTINUE)
    result = attempts.attempt()
    assert (result.kind, result.outcome, result.http_status) == (None, outcome, 200)
    assert (result.mtime_ns is not None) is is_complete
    is_kept = outcome is Outcome.SKIPPED
    assert attempts.published == ({} if is_kept else {"file.bin": body})
    assert attempts.counted == ([] if is_kept or not body else [len(body)])
    assert bool(package_log.records) is warns


def test_continue_with_an_encoded_body() -> None:
    """The length of an encoded body says nothing about the file, which is kept."""
    reply = FakeReply(200, b"x" * 40, content_encoding="gzip")
    attempts = Attempts(reply, there=FakeFile(V1), existing=Existing.CONTINUE)
    result = attempts.attempt()
    assert (result.outcome, result.mtime_ns) == (Outcome.SKIPPED, None)


def test_continue_with_the_file_of_another_url() -> None:
    """-c downloads a file whose name the user gave to this URL, whatever its length is."""
    attempts = Attempts(full(V1), there=FakeFile(V1), existing=Existing.CONTINUE)
    assert attempts.attempt(history=recorded(is_taken_over=True)).outcome is Outcome.DOWNLOADED


def test_no_clobber_says_nothing_of_completeness() -> None:
    """-nc keeps a file without a look at it, so its result does not say that it is complete."""
    result = Attempts(there=FakeFile(V1), existing=Existing.SKIP).attempt()
    assert (result.outcome, result.mtime_ns) == (Outcome.SKIPPED, None)


RULES = (Existing.REPLACE, Existing.SKIP, Existing.CONTINUE, Existing.COMPARE)


@pytest.mark.parametrize("existing", RULES)
@pytest.mark.parametrize("has_ledger", [True, False])
def test_a_name_that_another_run_has_used(existing: Existing, *, has_ledger: bool) -> None:
    """A file that has appeared is another URL's: with a ledger, this file gets another name.

    All attempts of the job get the same one. Without a ledger, -N asks for the file, -nc and
    -c keep it, and else it is replaced.
    """
    claims = NameClaims()
    claims.claim("file.bin", URL)
    attempts = Attempts(
        *[full(V1), full(V1)],
        there=FakeFile(V1, age=YOUNG),
        existing=existing,
        names=ServerNames(claims, {}),
        takes_server_names=False,
    )
    attempts.disk.appeared = {"file.bin"}
    history = UrlHistory(KEYS.identity(URL), 0) if has_ledger else None
    results = [attempts.attempt(history=history) for _ in range(2)]
    name = with_suffix("file.bin", URL) if has_ledger else None
    assert [result.output for result in results] == [name, name]
    is_kept = existing in (Existing.SKIP, Existing.CONTINUE) and not has_ledger
    assert attempts.published == ({} if is_kept else {name or "file.bin": V1})
    is_compared = existing is Existing.COMPARE and not has_ledger
    assert (SINCE in attempts.asked) is is_compared


@pytest.mark.parametrize("existing", [Existing.SKIP, Existing.CONTINUE])
@pytest.mark.parametrize("age", [None, FileAge(seconds=RECORDING_TIME, is_older=True)])
def test_a_file_of_no_other_run(existing: Existing, age: FileAge | None) -> None:
    """A file that is older than the run, and that no run has recorded, may be this URL's."""
    names = ServerNames(NameClaims(), {})
    there = FakeFile(V1, age=age)
    attempts = Attempts(full(V1), there=there, existing=existing, names=names)
    result = attempts.attempt(history=UrlHistory(KEYS.identity(URL), 0))
    assert (result.outcome, result.output) == (Outcome.SKIPPED, None)
