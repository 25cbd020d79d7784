"""HTTP semantics: failures by status, Retry-After, and strong validators."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from tests.support.reply_fields import fields
from url_downloader.shared.http_semantics import (
    LONGEST_WAIT,
    retry_after_seconds,
    status_failure,
    strong_validator,
)
from url_downloader.shared.models import ErrorKind

NOV_6_1994 = 784111777.0
"""Sun, 06 Nov 1994 08:49:37 GMT, the date of all examples in RFC 9110 §5.6.7."""
DAY = 86400
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

ETAG = '"v1"'
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
EARLIER = "Tue, 14 Nov 2023 22:13:19 GMT"
LATER = "Tue, 14 Nov 2023 22:13:21 GMT"

# Up to the last year that two digits can name.
DATES = st.integers(DAY, 3_092_599_999).map(lambda s: datetime.fromtimestamp(s, UTC))
ANY_TEXT = st.text(st.characters(exclude_categories=()))
NEARLY_A_DATE = st.lists(
    st.sampled_from(["Sun", "Sunday", ",", "-", ":", "+", "0", "06", "Nov", "1994", "94", "\\"])
    | st.sampled_from(["08:49:37", "24:60:61", "GMT", "Z", "-0000", "+2500", "+99999999", "("])
).map(" ".join)
LATIN = st.text(st.characters(max_codepoint=255), max_size=40)
VALIDATORS = {
    "ETag": st.sampled_from([ETAG, '"v2"', 'W/"v1"']) | LATIN,
    "Last-Modified": st.sampled_from([EARLIER, DATE]) | LATIN,
    "Date": st.sampled_from([EARLIER, DATE, LATER]) | LATIN,
}
HEADERS = st.fixed_dictionaries({}, optional=VALIDATORS).map(CaseInsensitiveDict)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, ErrorKind.CLIENT_ERROR, "HTTP 400 Bad Request"),
        (404, ErrorKind.CLIENT_ERROR, "HTTP 404 Not Found"),
        (
            407,
            ErrorKind.PROXY_REFUSED,
            "HTTP 407 Proxy Authentication Required; put the",
        ),
        (408, ErrorKind.CLIENT_ERROR, "HTTP 408 Request Timeout"),
        (416, ErrorKind.CLIENT_ERROR, "HTTP 416 "),
        (
            429,
            ErrorKind.CLIENT_ERROR,
            "HTTP 429 Too Many Requests",
        ),
        (499, ErrorKind.CLIENT_ERROR, "HTTP 499"),
        (500, ErrorKind.SERVER_ERROR, "HTTP 500 Internal Server Error"),
        (503, ErrorKind.SERVER_ERROR, "HTTP 503 Service Unavailable"),
        (599, ErrorKind.SERVER_ERROR, "HTTP 599"),
        (206, ErrorKind.UNEXPECTED_STATUS, "HTTP 206 Partial Content, which was not asked for"),
        (304, ErrorKind.UNEXPECTED_STATUS, "HTTP 304 Not Modified, which was not asked for"),
        (300, ErrorKind.UNEXPECTED_STATUS, "HTTP 300 Multiple Choices"),
        (399, ErrorKind.UNEXPECTED_STATUS, "HTTP 399"),
        (600, ErrorKind.UNEXPECTED_STATUS, "HTTP 600"),
        (999, ErrorKind.UNEXPECTED_STATUS, "HTTP 999"),
    ],
)
def test_a_bad_status_says_what_it_is(status: int, kind: ErrorKind, words: str) -> None:
    """A failing status has a kind, and a reason with the standard's words."""
    found, reason = status_failure(status, {})
    assert found is kind
    assert reason.startswith(words)
    assert reason == reason.strip()


def test_an_unasked_206_shows_its_range() -> None:
    """The reason for a 206 that was not asked for shows its Content-Range."""
    _, reason = status_failure(206, {"content-range": "bytes 0-4/9"})
    assert "bytes 0-4/9" in reason


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("1", 1),
        ("007", 7),
        (" 5 ", 5),
        ("\t5", 5),
        # A thread can't wait for longer.
        ("9" * 300, LONGEST_WAIT),
        ("9" * 5000, LONGEST_WAIT),
        ("Sun, 06 Nov 9994 08:49:37 GMT", LONGEST_WAIT),
        # The same moment in the three forms of RFC 9110 §5.6.7.
        ("Sun, 06 Nov 1994 08:49:37 GMT", 90),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 90),
        ("Sun Nov  6 08:49:37 1994", 90),
        # The moment of receipt, and earlier ones.
        ("Sun, 06 Nov 1994 08:48:07 GMT", None),
        ("Sun, 06 Nov 1994 08:48:06 GMT", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Saturday, 05-Nov-94 08:49:37 GMT", None),
        ("Sat Nov  5 08:49:37 1994", None),
        ("0", None),
        ("000", None),
        *((rubbish, None) for rubbish in ("", " ", "-1", "-120", "+5", "1.5", "1e3", "0x10")),
        *((rubbish, None) for rubbish in ("5s", "5, 6", "5 6", "1_0", "soon", "nan", "inf")),
        *((rubbish, None) for rubbish in ("Infinity", "١٢", "²", "1\0", "\0", ",", "Sun,")),
        ("Sun, 31 Feb 1995 08:49:37 GMT", None),
        ("Sun, 06 Nov 1995 25:49:37 GMT", None),
        ("Sun, 06 Nov 99999 08:49:37 GMT", None),
        ("Sun, 06 Foo 1995 08:49:37 GMT", None),
        ("1995-11-06T08:49:37Z", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds and dates are understood; the past, negative numbers and rubbish are ignored."""
    assert retry_after_seconds(value, utc_now=NOV_6_1994 - 90) == seconds


def test_no_retry_after() -> None:
    """Without the field there is no wait."""
    assert retry_after_seconds(None, utc_now=0) is None


@given(st.integers(1, 10**9), st.text(" \t", max_size=3), st.floats(0, 4e9))
def test_any_number_of_seconds(seconds: int, blank: str, utc_now: float) -> None:
    """Delay-seconds are taken as they are, whatever the clock says."""
    assert retry_after_seconds(f"{blank}{seconds}{blank}", utc_now=utc_now) == seconds


@given(DATES, st.integers(-(10**6), 10**6))
def test_any_date(date: datetime, ahead: int) -> None:
    """All three forms of a date give the same seconds, counted from the receipt."""
    received = (date - timedelta(seconds=ahead)).timestamp()
    clock = f"{date:%H:%M:%S}"
    month, weekday = MONTHS[date.month - 1], WEEKDAYS[date.weekday()]
    forms = [
        email.utils.format_datetime(date, usegmt=True),
        time.asctime(date.timetuple()),
        f"{weekday}, {date:%d}-{month}-{date:%y} {clock} GMT",
    ]
    for form in forms:
        assert retry_after_seconds(form, utc_now=received) == (ahead if ahead > 0 else None)


@given(ANY_TEXT | NEARLY_A_DATE, st.floats(-4e9, 4e9))
def test_no_text_breaks_it(value: str, utc_now: float) -> None:
    """Any text that a server sends is ignored, or a wait above 0."""
    seconds = retry_after_seconds(value, utc_now=utc_now)
    assert seconds is None or seconds > 0


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
        # A weak tag, or none; where there is a tag, a date is no substitute (§13.1.5).
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
        # A date alone.
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
def test_a_strong_validator(headers: Mapping[str, str], validator: str | None) -> None:
    """A strong ETag or, without any, a Last-Modified a second or more before the Date."""
    assert strong_validator(headers) == validator


@given(HEADERS)
def test_a_validator_is_fit_for_a_request(headers: Mapping[str, str]) -> None:
    """The value for If-Range is one line and never weak, whatever the reply says."""
    validator = strong_validator(headers)
    if validator is not None:
        assert validator == validator.strip()
        assert validator.startswith('"') or validator == headers["Last-Modified"].strip()
        assert not set(validator) & set("\r\n\0")
