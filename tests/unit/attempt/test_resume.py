"""What to ask for, and what the reply means: the whole of resuming, as tables."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from tests.support.attempts import Attempts
from tests.support.fake_network import CUT, V1, V2, FakeReply, chunked, cut, full, piece
from url_downloader.attempt.reply_facts import ContentRange, content_range
from url_downloader.attempt.resume import Plan, is_encoded, plan_for, range_headers
from url_downloader.shared.http_semantics import strong_validator
from url_downloader.shared.ports import SavedPart

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


def fields(**values: str) -> Fields:
    """Header fields as a reply has them, from `content_range="..."` and the like."""
    return CaseInsensitiveDict({name.replace("_", "-"): v for name, v in values.items()})


def span(text: str, **values: str) -> Fields:
    """The fields of a 206 with this Content-Range."""
    return fields(content_range=text, **values)


RIGHT = "bytes 4-9/10"

# What it is, what is here, the reply, and what follows from it.
REPLIES: list[Row] = [
    # 206 that goes on where the part ends.
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
    # 206 of another place or length.
    ("a byte too far", TAGGED, 206, span("bytes 5-9/10"), Plan.START_OVER),
    ("a byte too early", TAGGED, 206, span("bytes 3-9/10"), Plan.START_OVER),
    ("from the first byte", TAGGED, 206, span("bytes 0-9/10"), Plan.START_OVER),
    ("longer now", TAGGED, 206, span("bytes 4-10/11"), Plan.START_OVER),
    ("shorter now", TAGGED, 206, span("bytes 4-8/9"), Plan.START_OVER),
    ("end after total", TAGGED, 206, span("bytes 4-10/10"), Plan.START_OVER),
    ("end after saved total", TAGGED, 206, span("bytes 4-10/*"), Plan.START_OVER),
    ("end before start", TAGGED, 206, span("bytes 4-3/10"), Plan.START_OVER),
    ("end far before start", TAGGED, 206, span("bytes 4-0/10"), Plan.START_OVER),
    ("no total anywhere", OPEN_ENDED, 206, span("bytes 4-9/*"), Plan.START_OVER),
    ("total before end", OPEN_ENDED, 206, span("bytes 4-9/9"), Plan.START_OVER),
    ("part is whole", WHOLE, 206, span("bytes 10-10/11"), Plan.START_OVER),
    ("part is whole, last byte", WHOLE, 206, span("bytes 9-9/10"), Plan.START_OVER),
    # 206 of another version.
    ("changed ETag", TAGGED, 206, span(RIGHT, etag='"v2"'), Plan.START_OVER),
    ("weak ETag", TAGGED, 206, span(RIGHT, etag='W/"v1"'), Plan.START_OVER),
    ("ETag without quotes", TAGGED, 206, span(RIGHT, etag="v1"), Plan.START_OVER),
    ("ETag in other case", TAGGED, 206, span(RIGHT, etag='"V1"'), Plan.START_OVER),
    ("empty ETag", TAGGED, 206, span(RIGHT, etag=""), Plan.START_OVER),
    ("later now", DATED, 206, span(RIGHT, last_modified=LATER), Plan.START_OVER),
    ("older now", DATED, 206, span(RIGHT, last_modified="soon"), Plan.START_OVER),
    # 206 whose bytes are not the file's.
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
        "multipart, Content-Range all the same (RFC 9110 §15.3.7.2: it must not)",
        TAGGED,
        206,
        span(RIGHT, content_type="Multipart/ByteRanges; boundary=x"),
        Plan.START_OVER,
    ),
    # 206 whose length contradicts its range.
    ("too long", TAGGED, 206, span(RIGHT, content_length="7"), Plan.START_OVER),
    ("too short", TAGGED, 206, span(RIGHT, content_length="5"), Plan.START_OVER),
    ("nothing", TAGGED, 206, span(RIGHT, content_length="0"), Plan.START_OVER),
    ("the whole", TAGGED, 206, span(RIGHT, content_length="10"), Plan.START_OVER),
    # 200: the version has changed, or the server knows no ranges.
    ("all of it", TAGGED, 200, fields(), Plan.TAKE_ALL),
    ("all, same ETag", TAGGED, 200, fields(etag=ETAG, content_length="10"), Plan.TAKE_ALL),
    ("all of another", TAGGED, 200, fields(etag='"v2"'), Plan.TAKE_ALL),
    ("all, encoded", TAGGED, 200, fields(content_encoding="gzip"), Plan.TAKE_ALL),
    ("all, with a range", TAGGED, 200, span(RIGHT), Plan.TAKE_ALL),
    ("no ranges here", TAGGED, 200, fields(accept_ranges="none"), Plan.TAKE_ALL),
    ("no content", TAGGED, 204, fields(), Plan.TAKE_ALL),
    ("nothing here, 200", None, 200, fields(), Plan.TAKE_ALL),
    ("nothing here, 203", None, 203, fields(), Plan.TAKE_ALL),
    # 416: nothing is missing, or the version has changed.
    ("complete", WHOLE, 416, span("bytes */10"), Plan.IS_COMPLETE),
    ("complete, same ETag", WHOLE, 416, span("bytes */10", etag=ETAG), Plan.IS_COMPLETE),
    ("complete, blanks", WHOLE, 416, span(" bytes */10 "), Plan.IS_COMPLETE),
    ("complete, other ETag", WHOLE, 416, span("bytes */10", etag='"v2"'), Plan.START_OVER),
    ("other size", WHOLE, 416, span("bytes */9"), Plan.START_OVER),
    ("our size, other total", TAGGED, 416, span("bytes */4"), Plan.START_OVER),
    ("our total, other size", TAGGED, 416, span("bytes */10"), Plan.START_OVER),
    ("total not remembered", OPEN_ENDED, 416, span("bytes */4"), Plan.START_OVER),
    ("416, no Content-Range", WHOLE, 416, fields(), Plan.START_OVER),
    ("416, of no size", WHOLE, 416, span("bytes */*"), Plan.START_OVER),
    ("416, a 206's range", WHOLE, 416, span("bytes 0-9/10"), Plan.START_OVER),
    ("416, other unit", WHOLE, 416, span("items */10"), Plan.START_OVER),
    ("416, minus", WHOLE, 416, span("bytes */-10"), Plan.START_OVER),
    # What is no representation.
    ("206 nobody asked for", None, 206, span("bytes 0-9/10"), Plan.REFUSE),
    ("416 nobody asked for", None, 416, span("bytes */0"), Plan.REFUSE),
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
def test_what_a_reply_means(
    saved: SavedPart | None, status: int, *, headers: Fields, plan: Plan
) -> None:
    """One line of the table: the part that is here, the reply to its range, what to do."""
    assert plan_for(saved, status, headers=headers) is plan


BROKEN_RANGES = [
    "",
    "4-9/10",
    "bytes",
    "bytes 4-9",
    "bytes 4-/10",
    "bytes -9/10",
    "bytes */10",
    "bytes 4-9/",
    "bytes=4-9/10",
    "bytes:4-9/10",
    "bytes 4 - 9/10",
    "bytes 4-9 /10",
    "bytes\t4-9/10",
    "bytes +4-9/10",
    "bytes 4-9/-10",
    "bytes 0x4-0x9/10",
    "bytes 4.0-9.0/10",
    "bytes \u0664-9/10",
    "bytes \u00b2-9/10",
    "bytes 4-9/10, bytes 4-9/10",
    "bytes 4-9/10\nbytes 4-9/10",
    "items 4-9/10",
    f"bytes 4-9/{'1' * 5000}",
    f"bytes {'0' * 5000}4-9/10",
]


@pytest.mark.parametrize("text", BROKEN_RANGES)
def test_a_broken_content_range_is_none(text: str) -> None:
    """What is not of RFC 9110 §14.4's form names no bytes, and nothing is appended."""
    assert content_range(fields(content_range=text)) is None
    assert plan_for(TAGGED, 206, headers=span(text)) is Plan.START_OVER


def test_no_content_range_at_all() -> None:
    """A 206 that does not say what it brings brings nothing."""
    assert content_range(fields()) is None
    assert plan_for(TAGGED, 206, headers=fields(content_length="6")) is Plan.START_OVER


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 0-0/1", ContentRange(0, 1, 1)),
        ("bytes 4-9/10", ContentRange(4, 10, 10)),
        ("bytes 4-9/*", ContentRange(4, 10, None)),
        ("bytes 4294967296-9999999999/10000000000", ContentRange(1 << 32, 10**10, 10**10)),
    ],
)
def test_what_a_content_range_names(text: str, expected: ContentRange) -> None:
    """Its last position is inclusive, as a slice's end it is not."""
    assert content_range(fields(content_range=text)) == expected


@pytest.mark.parametrize(
    "length", ["", "six", "6, 6", "6, 7", "-6", "+6", "6.0", "0x6", "\u00b2", "9" * 5000]
)
def test_a_length_that_is_no_number_never_raises(length: str) -> None:
    """Who calls may not have checked the framing; what can't be read is a doubt at most."""
    headers = span(RIGHT, content_length=length)
    assert plan_for(TAGGED, 206, headers=headers) in (Plan.APPEND, Plan.START_OVER)


@pytest.mark.parametrize(
    ("saved", "asked"),
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
def test_what_is_asked_for(saved: SavedPart | None, asked: tuple[tuple[str, str], ...]) -> None:
    """All from the first missing byte on, of the saved version only; or simply everything."""
    assert range_headers(saved) == asked


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        # An entity tag.
        (fields(etag=ETAG), ETAG),
        (fields(etag=f"  {ETAG}  "), ETAG),
        (fields(etag='""'), '""'),
        (fields(etag='"\xe9"'), '"\xe9"'),
        (fields(etag='"a,b"'), '"a,b"'),
        (fields(etag=ETAG, last_modified=EARLIER, date=DATE), ETAG),
        (fields(etag=ETAG, last_modified=LATER, date=DATE), ETAG),
        # One that is weak or none; where there is a tag, a date won't do (§13.1.5).
        (fields(etag='W/"v1"'), None),
        (fields(etag='w/"v1"'), None),
        (fields(etag='W/"v1"', last_modified=EARLIER, date=DATE), None),
        (fields(etag="v1"), None),
        (fields(etag="'v1'"), None),
        (fields(etag='"v1'), None),
        (fields(etag='"'), None),
        (fields(etag='"a"b"'), None),
        (fields(etag='"a b"'), None),
        (fields(etag='"a", "b"'), None),
        (fields(etag='"a\x7f"'), None),
        (fields(etag='"a"\r\nX: y'), None),
        # Only a date.
        (fields(last_modified=EARLIER, date=DATE), EARLIER),
        (fields(etag="", last_modified=EARLIER, date=DATE), EARLIER),
        (fields(last_modified=f" {EARLIER} ", date=DATE), EARLIER),
        (
            fields(last_modified="Mon, 13 Nov 2023 22:13:20 GMT", date=DATE),
            "Mon, 13 Nov 2023 22:13:20 GMT",
        ),
        (fields(last_modified=DATE, date=DATE), None),
        (fields(last_modified=LATER, date=DATE), None),
        (fields(last_modified=EARLIER), None),
        (fields(last_modified=EARLIER, date="today"), None),
        (fields(last_modified="long ago", date=DATE), None),
        (fields(last_modified="", date=DATE), None),
        # Neither.
        (fields(date=DATE), None),
        (fields(), None),
    ],
)
def test_a_strong_validator(headers: Fields, validator: str | None) -> None:
    """A strong ETag or, without any, a Last-Modified a second or more before the Date."""
    assert strong_validator(headers) == validator


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
def test_whether_a_body_is_encoded(coding: str | None, expected: bool) -> None:
    """Any coding but identity makes the bytes others than the file's."""
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
def test_only_what_fits_is_appended(saved: SavedPart, status: int, headers: Fields) -> None:
    """Whatever comes, nothing raises; APPEND is a 206 that starts where the part ends.

    Its complete length is the remembered one, and it doesn't name another version.
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
def test_only_what_is_whole_is_complete(saved: SavedPart, headers: Fields) -> None:
    """A 416 completes a part only if size, remembered total and Content-Range are one."""
    if plan_for(saved, 416, headers=headers) is Plan.IS_COMPLETE:
        assert saved.size == saved.total
        assert headers["Content-Range"].strip() == f"bytes */{saved.total}"


@given(st.none() | PARTS, st.integers(100, 999), HEADERS)
def test_without_a_part_nothing_is_appended(
    saved: SavedPart | None, status: int, headers: Fields
) -> None:
    """APPEND, IS_COMPLETE and START_OVER are for replies to a range, so for a part."""
    plan = plan_for(saved, status, headers=headers)
    assert saved is not None or plan in (Plan.TAKE_ALL, Plan.REFUSE)
    assert status in (206, 416) or plan in (Plan.TAKE_ALL, Plan.REFUSE)


@given(HEADERS)
def test_a_validator_is_fit_for_a_request(headers: Fields) -> None:
    """Whatever the reply says, what goes into If-Range is one line and never weak."""
    validator = strong_validator(headers)
    if validator is not None:
        assert validator == validator.strip()
        assert validator.startswith('"') or validator == headers["Last-Modified"].strip()
        assert not set(validator) & set("\r\n\0")


def answers(version: bytes, at: int, *, count: int) -> dict[str, FakeReply]:
    """What servers may send to one who wants all from `at` on; some of them lie."""
    at = min(at, len(version) - 1)
    lying = chunked(piece(version, at), version[at:], bytes(count))
    short = piece(version, at, min(at + count, len(version)))
    torn = chunked(piece(version, at), version[at:][:count])
    torn.body += (CUT,)
    return {
        "right": piece(version, at) if at else full(version),
        "cut": torn if at else cut(version, 12),
        "short": short if at else full(version),
        "long": lying if at else cut(version, 20),
        "offset": piece(version, max(at - count, 0)),
        "ignored": full(version),
        "complete": FakeReply(416, content_range=f"bytes */{at}"),
        "refused": FakeReply(503),
    }


ACTS = st.sampled_from(sorted(answers(V1, 1, count=1)))


@given(
    st.lists(st.tuples(ACTS, st.integers(1, 20), st.sampled_from([V1, V1, V2])), max_size=12)
)
def test_never_a_splice(acts: list[tuple[str, int, bytes]]) -> None:
    """Whatever the server does between and in replies, the file is exactly one version."""
    attempts = Attempts()
    for act, count, version in acts:
        at = attempts.part.size if attempts.part else 0
        lasting = answers(version, 0, count=count)["cut"]
        attempts.network.replies = [answers(version, at, count=count)[act], lasting, lasting]
        attempts.attempt()
    assert set(attempts.published.values()) <= {V1, V2}
