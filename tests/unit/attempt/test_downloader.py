"""One attempt: what it asks of network and disk, and the facts of its result."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence

import pytest

from tests.support.attempts import Attempts
from tests.support.fake_network import CUT, V1, FakeReply, Request, full
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import AttemptLimits, ErrorKind, JobResult, SourceFacts

TEXT = b"hello, world! " * 10
GZIPPED = gzip.compress(TEXT, mtime=0)
GZIP = {"content_encoding": "gzip"}
FULL = AttemptError(ErrorKind.LOCAL, "disk full")


def test_a_success_step_by_step() -> None:
    """Written chunk by chunk, published, and the reply closed: nothing kept, or discarded."""
    attempts = Attempts(FakeReply(200, b"abc", b"de"))
    attempts.attempt()
    assert attempts.calls == ["open", "create", "write", "write", "publish", "close"]
    assert attempts.published == {"file.bin": b"abcde"}


def test_the_job_is_what_is_asked_for() -> None:
    """URL, headers and limits go to the transport, and the disk gets the job."""
    attempts = Attempts(full(V1), full(V1))
    headers, limits = (("X-Asked", "yes"),), AttemptLimits(timeout=7)
    attempts.attempt(url="http://h/a", headers=headers, limits=limits)
    assert attempts.network.requests == [Request("http://h/a", headers, (), limits)]
    [job] = attempts.disk.jobs
    assert (job.url, job.headers, job.limits) == ("http://h/a", headers, limits)


@pytest.mark.parametrize("status", [200, 201, 203, 204, 205, 226])
@pytest.mark.parametrize("is_length_known", [True, False])
def test_the_facts_of_a_success(status: int, is_length_known: bool) -> None:
    """Status, size, path, seconds, bytes, source, and whether the length was known."""
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
    attempts = Attempts(FakeReply(status, b"sorry"))
    result = attempts.attempt()
    assert (result.kind, result.http_status, result.path) == (kind, status, None)
    assert str(status) in result.message
    assert [call for call in attempts.calls if call != "close"] == ["open", "drain"]


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
    headers = {} if value is None else {"retry_after": value}
    assert Attempts(FakeReply(503, **headers)).attempt().retry_after == seconds


@pytest.mark.parametrize("chunks", [[], [b""], [b"abc"], [b"abc", b"de", b"f"]])
def test_bytes_are_counted_as_they_come(chunks: Sequence[bytes]) -> None:
    """Metrics are told each chunk's bytes, while the attempt goes on."""
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
        "a coding never heard of",
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
def test_a_failure_of_the_body(
    make_attempts: Callable[[], Attempts], kind: ErrorKind, received: int
) -> None:
    """It is the result; the part is let go of once, the reply closed."""
    attempts = make_attempts()
    result = attempts.attempt()
    assert (result.kind, result.path, result.http_status) == (kind, None, 200)
    assert result.message
    assert attempts.calls.count("keep") + attempts.calls.count("discard") == 1
    assert attempts.calls.count("publish") == ("publish" in attempts.failing)
    assert "close" in attempts.calls
    assert sum(attempts.counted) == received


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
    attempts = Attempts(FakeReply(200, b"abc"), failing=failing)
    [error] = failing.values()
    result = attempts.attempt()
    assert (result.kind, result.message) == (error.kind, error.message)
    assert result.http_status == status
    assert attempts.calls == journal
    assert sum(attempts.counted) == 0


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), OSError("unforeseen"), KeyboardInterrupt()]
)
@pytest.mark.parametrize("place", ["chunks", "publish"])
def test_what_is_not_foreseen_goes_up(error: BaseException, place: str) -> None:
    """It is no result; and after a bug nothing is kept of what was begun."""
    failing = {} if place == "chunks" else {place: error}
    reply = FakeReply(200, b"abc", *([error] if place == "chunks" else []))
    attempts = Attempts(reply, failing=failing)
    with pytest.raises(type(error)):
        attempts.attempt()
    assert sorted(attempts.calls[-2:]) == ["close", "discard"]
    assert attempts.counted == [3]
    assert attempts.part is None


@pytest.mark.parametrize("reply", [FakeReply(200, b"abc"), FakeReply(404)])
def test_between_attempts_there_is_no_progress(reply: FakeReply) -> None:
    """An attempt that has ended, well or not, is seen no more."""
    attempts = Attempts(reply)
    attempts.attempt()
    assert attempts.control.progress() is None


def test_a_failed_attempt_took_time_too() -> None:
    """The seconds of an attempt are counted whether it succeeds or not."""
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
def test_an_encoded_body_is_stored_decoded(coding: str, sent: bytes, step: int) -> None:
    """However it is cut into chunks: the size is the file's, the bytes counted the wire's."""
    pieces = [sent[start : start + step] for start in range(0, len(sent), step)]
    attempts = Attempts(FakeReply(200, *pieces, content_encoding=coding))
    assert attempts.attempt().size == len(TEXT)
    assert attempts.published == {"file.bin": TEXT}
    assert sum(attempts.counted) == len(sent)


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
    attempts = Attempts(FakeReply(200, GZIPPED, content_type=media_type, **GZIP))
    attempts.attempt(url=url, output=output)
    assert attempts.published == {output: GZIPPED}


def test_one_downloader_makes_many_attempts() -> None:
    """A failed attempt leaves nothing behind that spoils the next."""
    replies = [FakeReply(200, b"abc") for _ in range(2)]
    attempts = Attempts(*replies, failing={"publish": FULL})
    attempts.attempt()
    attempts.failing = {}
    assert attempts.attempt().size == 3
    assert attempts.counted == [3, 3]


def test_the_transport_is_closed_with_the_downloader() -> None:
    """The downloader owns its transport."""
    attempts = Attempts()
    attempts.downloader.close()
    assert attempts.calls == ["close"]
