"""Attempts: their calls of network and disk, their results, and their failures."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence

import pytest

from tests.support.attempts import Attempts
from tests.support.fake_disk import MTIME_NS
from tests.support.fake_network import CUT, V1, FakeReply, Request, full
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import ErrorKind, JobResult, SourceFacts

TEXT = b"hello, world! " * 10
GZIPPED = gzip.compress(TEXT, mtime=0)
GZIP = {"content_encoding": "gzip"}
FULL = AttemptError(ErrorKind.LOCAL, "disk full")


def test_the_calls_of_a_successful_attempt() -> None:
    """The attempt writes each chunk, publishes the file, and closes the reply."""
    attempts = Attempts(FakeReply(200, b"abc", b"de"))
    attempts.attempt()
    assert attempts.calls == ["open", "create", "write", "write", "publish", "close"]
    assert attempts.published == {"file.bin": b"abcde"}


def test_the_request_for_a_job() -> None:
    """The transport gets the job's URL, headers and limits; the disk gets the job."""
    attempts = Attempts(full(V1), full(V1))
    headers, limits = (("X-Asked", "yes"),), AttemptLimits(timeout=7)
    attempts.attempt(url="http://h/a", headers=headers, limits=limits)
    assert attempts.network.requests == [Request("http://h/a", headers, (), limits)]
    [job] = attempts.disk.jobs
    assert (job.url, job.headers, job.limits) == ("http://h/a", headers, limits)


@pytest.mark.parametrize("status", [200, 201, 203, 204, 205, 226])
@pytest.mark.parametrize("is_length_known", [True, False])
def test_the_result_of_a_success(status: int, is_length_known: bool) -> None:
    """The result has status, size, path, seconds, received bytes, source and known length."""
    reply = FakeReply(status, b"abc", b"de")
    reply.is_length_known = is_length_known
    assert Attempts(reply).attempt() == JobResult(
        http_status=status,
        size=5,
        path="dir/file.bin",
        seconds=2.0,
        received=5,
        is_length_known=is_length_known,
        source=SourceFacts(url="http://mirror/file.bin"),
        mtime_ns=MTIME_NS,
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
def test_a_status_that_means_failure(status: int, kind: ErrorKind) -> None:
    """The attempt fails with the status; the body is drained, and no part is made."""
    attempts = Attempts(FakeReply(status, b"sorry"))
    result = attempts.attempt()
    assert (result.kind, result.http_status, result.path) == (kind, status, None)
    assert str(status) in result.message
    assert [call for call in attempts.calls if call != "close"] == ["open", "drain"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),  # NOON is a minute earlier
        ("Tue, 14 Nov 2023 22:12:20 GMT", None),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_of_a_reply(value: str | None, seconds: float | None) -> None:
    """The result has the seconds that the server asks to wait, counted from the reply."""
    headers = {} if value is None else {"retry_after": value}
    assert Attempts(FakeReply(503, **headers)).attempt().retry_after == seconds


@pytest.mark.parametrize("chunks", [[], [b""], [b"abc"], [b"abc", b"de", b"f"]])
def test_the_count_of_received_bytes(chunks: Sequence[bytes]) -> None:
    """The bytes of each chunk are counted when it arrives."""
    attempts = Attempts(FakeReply(200, *chunks))
    assert attempts.attempt().kind is None
    assert [count for count in attempts.counted if count] == [len(c) for c in chunks if c]


ABC = FakeReply(200, b"abc")
FAILURES: list[tuple[str, Callable[[], Attempts], ErrorKind, int]] = [
    ("cut at once", lambda: Attempts(FakeReply(200, CUT)), ErrorKind.TRUNCATED, 0),
    ("cut later", lambda: Attempts(FakeReply(200, b"abc", b"de", CUT)), ErrorKind.TRUNCATED, 5),
    (
        "publish",
        lambda: Attempts(ABC, failing={"publish": FULL}),
        ErrorKind.LOCAL,
        3,
    ),
    (
        "write",
        lambda: Attempts(ABC, failing={"write": FULL}),
        ErrorKind.LOCAL,
        3,
    ),
    (
        "no gzip",
        lambda: Attempts(FakeReply(200, TEXT, **GZIP)),
        ErrorKind.ENCODING,
        len(TEXT),
    ),
    (
        "half a gzip",
        lambda: Attempts(FakeReply(200, GZIPPED[:-9], **GZIP)),
        ErrorKind.ENCODING,
        len(GZIPPED) - 9,
    ),
    (
        "unknown coding",
        lambda: Attempts(FakeReply(200, TEXT, content_encoding="rot13")),
        ErrorKind.CODING,
        0,
    ),
]


@pytest.mark.parametrize(
    ("make_attempts", "kind", "received"),
    [failure[1:] for failure in FAILURES],
    ids=[failure[0] for failure in FAILURES],
)
def test_a_failure_after_the_head(
    make_attempts: Callable[[], Attempts], kind: ErrorKind, received: int
) -> None:
    """The error is the result; the part is kept or discarded once, and the reply is closed."""
    attempts = make_attempts()
    result = attempts.attempt()
    assert (result.kind, result.path, result.http_status) == (kind, None, 200)
    assert result.message
    assert attempts.calls.count("keep") + attempts.calls.count("discard") == 1
    assert attempts.calls.count("publish") == ("publish" in attempts.failing)
    assert "close" in attempts.calls
    assert sum(attempts.counted) == received


@pytest.mark.parametrize(
    ("failing", "calls", "status"),
    [
        ({"open": CUT}, ["open"], None),
        ({"create": FULL}, ["open", "create", "close"], 200),
    ],
)
def test_a_failure_without_a_part(
    failing: Mapping[str, AttemptError], calls: list[str], status: int | None
) -> None:
    """The error is the result; nothing is kept or discarded."""
    attempts = Attempts(FakeReply(200, b"abc"), failing=failing)
    [error] = failing.values()
    result = attempts.attempt()
    assert (result.kind, result.message) == (error.kind, error.message)
    assert result.http_status == status
    assert attempts.calls == calls
    assert sum(attempts.counted) == 0


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), OSError("unforeseen"), KeyboardInterrupt()]
)
@pytest.mark.parametrize("place", ["chunks", "publish"])
def test_an_unexpected_exception(error: BaseException, place: str) -> None:
    """An exception other than AttemptError is raised to the caller; no part is kept."""
    failing = {} if place == "chunks" else {place: error}
    reply = FakeReply(200, b"abc", *([error] if place == "chunks" else []))
    attempts = Attempts(reply, failing=failing)
    with pytest.raises(type(error)):
        attempts.attempt()
    assert sorted(attempts.calls[-2:]) == ["close", "discard"]
    assert attempts.counted == [3]
    assert attempts.part is None


@pytest.mark.parametrize("reply", [FakeReply(200, b"abc"), FakeReply(404)])
def test_the_progress_after_an_attempt(reply: FakeReply) -> None:
    """An attempt that has ended, with success or failure, has no progress."""
    attempts = Attempts(reply)
    attempts.attempt()
    assert attempts.control.progress() is None


def test_the_seconds_of_a_failed_attempt() -> None:
    """The result of a failure has the seconds that the attempt took."""
    assert Attempts(FakeReply(200, b"a", b"b", b"c", CUT)).attempt().seconds == 3.0


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
def test_a_body_in_a_content_coding(coding: str, sent: bytes, step: int) -> None:
    """The body is stored decoded; its size is the file's, but encoded bytes are counted."""
    pieces = [sent[start : start + step] for start in range(0, len(sent), step)]
    attempts = Attempts(FakeReply(200, *pieces, content_encoding=coding))
    assert attempts.attempt().size == len(TEXT)
    assert attempts.published == {"file.bin": TEXT}
    assert sum(attempts.counted) == len(sent)


def test_an_attempt_after_a_failed_one() -> None:
    """A failed attempt has no effect on the next attempt of the same downloader."""
    replies = [FakeReply(200, b"abc") for _ in range(2)]
    attempts = Attempts(*replies, failing={"publish": FULL})
    attempts.attempt()
    attempts.failing = {}
    assert attempts.attempt().size == 3
    assert attempts.counted == [3, 3]


def test_the_close_of_a_downloader() -> None:
    """A downloader that is closed closes its transport."""
    attempts = Attempts()
    attempts.downloader.close()
    assert attempts.calls == ["close"]
