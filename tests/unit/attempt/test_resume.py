"""Rules for resuming: the range that is requested, and the plan that follows from the reply."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from tests.support.reply_fields import fields
from url_downloader.attempt.reply_facts import content_range
from url_downloader.attempt.resume import Plan, is_encoded, plan_for, range_headers
from url_downloader.shared.file_facts import SavedPart

ETAG = '"v1"'
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
EARLIER = "Tue, 14 Nov 2023 22:13:19 GMT"
LATER = "Tue, 14 Nov 2023 22:13:21 GMT"

TAGGED = SavedPart(validator=ETAG, total=10, size=4)
OPEN_ENDED = SavedPart(validator=ETAG, total=None, size=4)
DATED = SavedPart(validator=EARLIER, total=10, size=4)
WHOLE = SavedPart(validator=ETAG, total=10, size=10)

Fields = Mapping[str, str]
Row = tuple[str, SavedPart | None, int, Fields, Plan]


def span(text: str, **values: str) -> Fields:
    """Return the fields of a 206 with this Content-Range."""
    return fields(content_range=text, **values)


RIGHT = "bytes 4-9/10"

# Name of the case, saved part, status and header fields of the reply, and plan.
REPLIES: list[Row] = [
    # A 206 that continues at the end of the part.
    ("right", TAGGED, 206, span(RIGHT), Plan.APPEND),
    ("right, same ETag", TAGGED, 206, span(RIGHT, etag=ETAG), Plan.APPEND),
    ("right, blanks", TAGGED, 206, span(f"  {RIGHT} ", etag=f" {ETAG} "), Plan.APPEND),
    ("right length", TAGGED, 206, span(RIGHT, content_length="6"), Plan.APPEND),
    ("total *", TAGGED, 206, span("bytes 4-9/*"), Plan.APPEND),
    ("shorter than asked", TAGGED, 206, span("bytes 4-6/10", content_length="3"), Plan.APPEND),
    ("a byte", TAGGED, 206, span("bytes 4-4/10"), Plan.APPEND),
    ("shorter, total *", TAGGED, 206, span("bytes 4-6/*"), Plan.APPEND),
    ("total not known before", OPEN_ENDED, 206, span("bytes 4-9/77"), Plan.APPEND),
    ("identity", TAGGED, 206, span(RIGHT, content_encoding="Identity"), Plan.APPEND),
    ("no coding", TAGGED, 206, span(RIGHT, content_encoding=""), Plan.APPEND),
    ("another date", TAGGED, 206, span(RIGHT, last_modified=LATER), Plan.APPEND),
    ("same Last-Modified", DATED, 206, span(RIGHT, last_modified=EARLIER), Plan.APPEND),
    ("no Last-Modified", DATED, 206, span(RIGHT), Plan.APPEND),
    # A 206 of another offset or length.
    ("a byte too far", TAGGED, 206, span("bytes 5-9/10"), Plan.START_OVER),
    ("a byte too early", TAGGED, 206, span("bytes 3-9/10"), Plan.START_OVER),
    ("from the first byte", TAGGED, 206, span("bytes 0-9/10"), Plan.START_OVER),
    ("longer now", TAGGED, 206, span("bytes 4-10/11"), Plan.START_OVER),
    ("shorter now", TAGGED, 206, span("bytes 4-8/9"), Plan.START_OVER),
    ("no Content-Range", TAGGED, 206, fields(content_length="6"), Plan.START_OVER),
    ("no total, no star", TAGGED, 206, span("bytes 4-9"), Plan.START_OVER),
    ("other unit", TAGGED, 206, span("items 4-9/10"), Plan.START_OVER),
    ("huge total", TAGGED, 206, span(f"bytes 4-9/{'1' * 5000}"), Plan.START_OVER),
    ("end after total", TAGGED, 206, span("bytes 4-10/10"), Plan.START_OVER),
    ("end after saved total", TAGGED, 206, span("bytes 4-10/*"), Plan.START_OVER),
    ("end before start", TAGGED, 206, span("bytes 4-3/10"), Plan.START_OVER),
    ("end far before start", TAGGED, 206, span("bytes 4-0/10"), Plan.START_OVER),
    ("no total anywhere", OPEN_ENDED, 206, span("bytes 4-9/*"), Plan.START_OVER),
    ("total before end", OPEN_ENDED, 206, span("bytes 4-9/9"), Plan.START_OVER),
    ("part is whole", WHOLE, 206, span("bytes 10-10/11"), Plan.START_OVER),
    ("part is whole, last byte", WHOLE, 206, span("bytes 9-9/10"), Plan.START_OVER),
    # A 206 of another version.
    ("changed ETag", TAGGED, 206, span(RIGHT, etag='"v2"'), Plan.START_OVER),
    ("weak ETag", TAGGED, 206, span(RIGHT, etag='W/"v1"'), Plan.START_OVER),
    ("ETag without quotes", TAGGED, 206, span(RIGHT, etag="v1"), Plan.START_OVER),
    ("ETag in other case", TAGGED, 206, span(RIGHT, etag='"V1"'), Plan.START_OVER),
    ("empty ETag", TAGGED, 206, span(RIGHT, etag=""), Plan.START_OVER),
    ("later now", DATED, 206, span(RIGHT, last_modified=LATER), Plan.START_OVER),
    ("older now", DATED, 206, span(RIGHT, last_modified="soon"), Plan.START_OVER),
    # A 206 whose body is not bytes of the file.
    ("gzip", TAGGED, 206, span(RIGHT, content_encoding="gzip"), Plan.START_OVER),
    ("br", TAGGED, 206, span(RIGHT, content_encoding=" BR "), Plan.START_OVER),
    (
        "two codings",
        TAGGED,
        206,
        span(RIGHT, content_encoding="identity, gzip"),
        Plan.START_OVER,
    ),
    (
        "multipart",
        TAGGED,
        206,
        fields(content_type="multipart/byteranges; boundary=x"),
        Plan.START_OVER,
    ),
    (
        "multipart with Content-Range, which RFC 9110 §15.3.7.2 forbids",
        TAGGED,
        206,
        span(RIGHT, content_type="Multipart/ByteRanges; boundary=x"),
        Plan.START_OVER,
    ),
    # A 206 whose length contradicts its range.
    ("too long", TAGGED, 206, span(RIGHT, content_length="7"), Plan.START_OVER),
    ("too short", TAGGED, 206, span(RIGHT, content_length="5"), Plan.START_OVER),
    ("nothing", TAGGED, 206, span(RIGHT, content_length="0"), Plan.START_OVER),
    ("the whole", TAGGED, 206, span(RIGHT, content_length="10"), Plan.START_OVER),
    # A 200: the version has changed, or the server does not support ranges.
    ("all of it", TAGGED, 200, fields(), Plan.TAKE_ALL),
    ("all, same ETag", TAGGED, 200, fields(etag=ETAG, content_length="10"), Plan.TAKE_ALL),
    ("all of another", TAGGED, 200, fields(etag='"v2"'), Plan.TAKE_ALL),
    ("all, encoded", TAGGED, 200, fields(content_encoding="gzip"), Plan.TAKE_ALL),
    ("all, with a range", TAGGED, 200, span(RIGHT), Plan.TAKE_ALL),
    ("no ranges here", TAGGED, 200, fields(accept_ranges="none"), Plan.TAKE_ALL),
    ("no content", TAGGED, 204, fields(), Plan.TAKE_ALL),
    ("nothing here, 200", None, 200, fields(), Plan.TAKE_ALL),
    ("nothing here, 203", None, 203, fields(), Plan.TAKE_ALL),
    # A 416: the part is complete, or the version has changed.
    ("complete", WHOLE, 416, span("bytes */10"), Plan.IS_COMPLETE),
    ("complete, same ETag", WHOLE, 416, span("bytes */10", etag=ETAG), Plan.IS_COMPLETE),
    ("complete, blanks", WHOLE, 416, span(" bytes */10 "), Plan.IS_COMPLETE),
    ("complete, other ETag", WHOLE, 416, span("bytes */10", etag='"v2"'), Plan.START_OVER),
    ("other size", WHOLE, 416, span("bytes */9"), Plan.START_OVER),
    ("size of the part, other total", TAGGED, 416, span("bytes */4"), Plan.START_OVER),
    ("total of the part, other size", TAGGED, 416, span("bytes */10"), Plan.START_OVER),
    ("total not remembered", OPEN_ENDED, 416, span("bytes */4"), Plan.START_OVER),
    ("416, no Content-Range", WHOLE, 416, fields(), Plan.START_OVER),
    ("416, of no size", WHOLE, 416, span("bytes */*"), Plan.START_OVER),
    ("416, a 206's range", WHOLE, 416, span("bytes 0-9/10"), Plan.START_OVER),
    ("416, other unit", WHOLE, 416, span("items */10"), Plan.START_OVER),
    ("416, minus", WHOLE, 416, span("bytes */-10"), Plan.START_OVER),
    # A reply that does not carry the file.
    ("206 without a request for a range", None, 206, span("bytes 0-9/10"), Plan.REFUSE),
    ("416 without a request for a range", None, 416, span("bytes */0"), Plan.REFUSE),
    ("304", TAGGED, 304, fields(etag=ETAG), Plan.REFUSE),
    ("304, nothing here", None, 304, fields(), Plan.REFUSE),
    ("412", TAGGED, 412, fields(), Plan.REFUSE),
    ("404", TAGGED, 404, span(RIGHT), Plan.REFUSE),
    ("503", TAGGED, 503, span(RIGHT), Plan.REFUSE),
    ("300", TAGGED, 300, fields(), Plan.REFUSE),
    ("199", None, 199, fields(), Plan.REFUSE),
]


@pytest.mark.parametrize(
    ("saved", "status", "headers", "plan"),
    [pytest.param(*row[1:], id=row[0]) for row in REPLIES],
)
def test_the_plan_for_a_reply(
    saved: SavedPart | None, status: int, *, headers: Fields, plan: Plan
) -> None:
    """The reply to a request for the rest of a part leads to the plan of the table."""
    assert plan_for(saved, status, headers=headers) is plan


@pytest.mark.parametrize(
    "length", ["", "six", "6, 6", "6, 7", "-6", "+6", "6.0", "0x6", "\u00b2", "9" * 5000]
)
def test_a_malformed_content_length(length: str) -> None:
    """A Content-Length that is no number raises no exception."""
    headers = span(RIGHT, content_length=length)
    assert plan_for(TAGGED, 206, headers=headers) in (Plan.APPEND, Plan.START_OVER)


@pytest.mark.parametrize(
    ("saved", "requested"),
    [
        (None, ()),
        (TAGGED, (("Range", "bytes=4-"), ("If-Range", ETAG))),
        (DATED, (("Range", "bytes=4-"), ("If-Range", EARLIER))),
        (WHOLE, (("Range", "bytes=10-"), ("If-Range", ETAG))),
        (
            SavedPart(validator='"x"', total=None, size=1 << 40),
            (("Range", "bytes=1099511627776-"), ("If-Range", '"x"')),
        ),
    ],
)
def test_the_request_for_the_rest_of_a_part(
    saved: SavedPart | None, requested: tuple[tuple[str, str], ...]
) -> None:
    """All bytes from the first missing one on are requested, only of the saved version."""
    assert range_headers(saved) == requested


@pytest.mark.parametrize(
    ("coding", "expected"),
    [
        (None, False),
        ("", False),
        ("identity", False),
        (" IDENTITY ", False),
        ("gzip", True),
        ("x-unknown", True),
        ("none", False),
        ("utf-8, binary", False),
        ("aws-chunked, gzip", True),
        ("gzip, br", True),
        ("identity, gzip", True),
    ],
)
def test_is_encoded(coding: str | None, expected: bool) -> None:
    """A body is encoded if its field names a coding; identity and a charset are none."""
    headers = fields() if coding is None else fields(content_encoding=coding)
    assert is_encoded(headers) is expected


LATIN = st.text(st.characters(max_codepoint=255), max_size=40)
SMALL = st.integers(0, 12)
TOTALS = SMALL.map(str) | st.just("*")
RANGES = st.builds("bytes {}-{}/{}".format, SMALL, SMALL, TOTALS)
UNSATISFIED = st.builds("bytes */{}".format, TOTALS)
VALUES = {
    "Content-Range": RANGES | RANGES | UNSATISFIED | LATIN,
    "Content-Length": SMALL.map(str) | LATIN,
    "Content-Encoding": st.sampled_from(["", "identity", "gzip"]) | LATIN,
    "ETag": st.sampled_from([ETAG, '"v2"', 'W/"v1"']) | LATIN,
    "Last-Modified": st.sampled_from([EARLIER, DATE]) | LATIN,
    "Date": st.sampled_from([EARLIER, DATE, LATER]) | LATIN,
    "Content-Type": st.sampled_from(["text/html", "multipart/byteranges"]) | LATIN,
}
HEADERS = st.fixed_dictionaries({}, optional=VALUES).map(CaseInsensitiveDict)
PARTS = st.builds(
    SavedPart,
    validator=st.sampled_from([ETAG, EARLIER]),
    total=st.none() | st.integers(5, 12),
    size=st.integers(1, 5),
)


@given(PARTS, st.sampled_from([200, 206, 206, 206, 304, 404, 416]), HEADERS)
@example(TAGGED, 206, span(RIGHT, content_length="\xb2"))
def test_any_reply_that_is_appended(saved: SavedPart, status: int, headers: Fields) -> None:
    """No reply raises an exception. APPEND is for a 206 that begins at the end of the part.

    Its total equals that of the part, and its validator is that of the part or missing.
    """
    if plan_for(saved, status, headers=headers) is not Plan.APPEND:
        return
    found = content_range(headers)
    assert status == 206
    assert found is not None
    assert found.first == saved.size < found.end
    totals = {total for total in (found.total, saved.total) if total is not None}
    assert len(totals) == 1
    assert found.end <= totals.pop()
    assert not is_encoded(headers)
    name = "ETag" if saved.validator == ETAG else "Last-Modified"
    assert headers.get(name, saved.validator).strip() == saved.validator


@given(PARTS, HEADERS)
def test_any_416_that_completes_a_part(saved: SavedPart, headers: Fields) -> None:
    """A 416 completes a part only if its size, its total and the Content-Range are equal."""
    if plan_for(saved, 416, headers=headers) is Plan.IS_COMPLETE:
        assert saved.size == saved.total
        assert headers["Content-Range"].strip() == f"bytes */{saved.total}"


@given(st.none() | PARTS, st.integers(100, 999), HEADERS)
def test_any_reply_to_a_request_without_a_range(
    saved: SavedPart | None, status: int, headers: Fields
) -> None:
    """APPEND, IS_COMPLETE and START_OVER need a part, and a 206 or a 416."""
    plan = plan_for(saved, status, headers=headers)
    assert saved is not None or plan in (Plan.TAKE_ALL, Plan.REFUSE)
    assert status in (206, 416) or plan in (Plan.TAKE_ALL, Plan.REFUSE)
