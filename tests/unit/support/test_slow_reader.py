"""The slow reader of replies: verdicts that were worked out by hand from RFC 9112."""

from __future__ import annotations

import pytest

from tests.support.sample_replies import (
    BY_CLOSE,
    CUT_TRAILERS,
    MALFORMED,
    NOT_HTTP,
    OK,
    TOO_LARGE,
    UNFINISHED,
    WHOLE,
    WITHOUT_BODY,
)
from tests.support.slow_reader import Ending, Verdict, members, read_reply
from url_downloader.shared.models import ErrorKind

CLOSED, NOTIFIED, CUT, RESET = Ending.CLOSED, Ending.NOTIFIED, Ending.CUT, Ending.RESET


def short(value: object) -> str | None:
    """Return the end of data, and its length, to name a test."""
    return f"{value[-50:]!r}-{len(value)}" if isinstance(value, bytes) else None


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize(("data", "body", "is_reusable"), WHOLE, ids=short)
def test_a_reply_with_an_end(
    data: bytes, body: bytes, is_reusable: bool, ending: Ending
) -> None:
    """A reply that says where it ends is whole, however the connection ends after it."""
    verdict = read_reply(data, ending=ending)
    assert verdict[:5] == (None, 200, body, is_reusable, len(data))


@pytest.mark.parametrize(("data", "body"), [row[:2] for row in WHOLE], ids=short)
def test_bytes_after_a_reply(data: bytes, body: bytes) -> None:
    """Bytes after the end of a reply change nothing, but the connection is not used again."""
    verdict = read_reply(data + b"\0", ending=CLOSED)
    assert verdict[:5] == (None, 200, body, False, len(data))


@pytest.mark.parametrize(("status", "data"), WITHOUT_BODY)
def test_a_reply_without_a_body(status: int, data: bytes) -> None:
    """A 204 or a 304 ends with its head, whatever its framing fields say."""
    for ending in Ending:
        verdict = read_reply(data, ending=ending)
        assert verdict[:5] == (None, status, b"", True, len(data))
        verdict = read_reply(data + b"abcde", ending=ending)
        assert verdict[:5] == (None, status, b"", False, len(data))


@pytest.mark.parametrize("data", BY_CLOSE)
@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (CLOSED, None),
        (NOTIFIED, None),
        (CUT, ErrorKind.TRUNCATED),
        (RESET, ErrorKind.RESET),
    ],
)
def test_a_body_up_to_the_close(data: bytes, ending: Ending, kind: ErrorKind | None) -> None:
    """The close ends a body without framing; in TLS only a close_notify does."""
    verdict = read_reply(data, ending=ending)
    if kind is None:
        assert verdict[:5] == (None, 200, b"HTTP/1.1 200\r\n", False, len(data))
    else:
        assert verdict == Verdict(kind)


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("data", CUT_TRAILERS)
def test_a_trailer_that_is_cut(data: bytes, ending: Ending) -> None:
    """The body is whole after its last chunk, but the connection is not used again."""
    assert read_reply(data, ending=ending)[:4] == (None, 200, b"x", False)


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("data", UNFINISHED, ids=short)
def test_a_reply_that_is_cut(data: bytes, ending: Ending) -> None:
    """A reply that is cut before it is decided is truncated, or its connection was reset."""
    kind = ErrorKind.RESET if ending is RESET else ErrorKind.TRUNCATED
    assert read_reply(data, ending=ending) == Verdict(kind)


@pytest.mark.parametrize("ending", Ending)
def test_no_byte(ending: Ending) -> None:
    """A connection that ends before the first byte counts as reset."""
    assert read_reply(b"", ending=ending) == Verdict(ErrorKind.RESET)


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        *[(data, ErrorKind.NOT_HTTP) for data in NOT_HTTP],
        *[(data, ErrorKind.HEADERS_TOO_LARGE) for data in TOO_LARGE],
        *[(data, ErrorKind.MALFORMED) for data in MALFORMED],
    ],
    ids=short,
)
def test_a_reply_that_breaks_a_rule(data: bytes, kind: ErrorKind, ending: Ending) -> None:
    """A reply that breaks a rule has the kind of that rule, however the connection ends."""
    assert read_reply(data, ending=ending) == Verdict(kind)


@pytest.mark.parametrize("status", [205, 206, 301, 404, 503, 999])
def test_other_statuses(status: int) -> None:
    """A reply with another status is read like any other, a 205 too."""
    data = b"HTTP/1.1 %d x\r\nContent-Length: 4\r\n\r\nbusy" % status
    assert read_reply(data, ending=RESET)[:5] == (None, status, b"busy", True, len(data))


def test_fields() -> None:
    """Fields have their names in lower case; a value that is folded is one line."""
    head = (
        OK + b"X-A:b \r\n\t c\r\nY: \xe4\r\nx-a: d, E\r\nX-A: D, e\r\nContent-Length: 0\r\n\r\n"
    )
    fields = read_reply(head, ending=CLOSED).fields
    assert fields[:4] == (("x-a", "b c"), ("y", "\xe4"), ("x-a", "d, E"), ("x-a", "D, e"))
    assert members(fields, "x-a") == ["b c", "d", "e"]
    assert members(fields, "z") == []
