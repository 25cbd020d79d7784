"""What failures mean, and when to try again: classification, backoff, Retry-After."""

from __future__ import annotations

import email.utils
import math
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.config.settings import RetrySettings
from url_downloader.engine.retry_policy import (
    MAX_EXCUSED,
    Decision,
    Done,
    GiveUp,
    RetryIn,
    backoff_bound,
    decide,
)
from url_downloader.shared.http_semantics import (
    LONGEST_WAIT,
    retry_after_seconds,
    status_failure,
)
from url_downloader.shared.models import DownloadJob, ErrorKind, JobRecord, JobResult, JobStatus

NOV_6_1994 = 784111777.0
"""Sun, 06 Nov 1994 08:49:37 GMT, the date of all examples in RFC 9110 §5.6.7."""
DAY = 86400.0
MENDABLE = {
    ErrorKind.DNS,
    ErrorKind.CONNECT,
    ErrorKind.TLS,
    ErrorKind.PROXY,
    ErrorKind.TIMEOUT,
    ErrorKind.RESET,
    ErrorKind.TRUNCATED,
    ErrorKind.MALFORMED,
    ErrorKind.NOT_HTTP,
    ErrorKind.PREMATURE_REPLY,
    ErrorKind.HEADERS_TOO_LARGE,
    ErrorKind.ENCODING,
    ErrorKind.SERVER_ERROR,
}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

SECONDS = st.floats(0, DAY)
LUCK = st.floats(0, 1)
# Up to the last year that two digits tell.
DATES = st.integers(int(DAY), 3_092_599_999).map(lambda s: datetime.fromtimestamp(s, UTC))
ANY_TEXT = st.text(st.characters(exclude_categories=()))
NEARLY_A_DATE = st.lists(
    st.sampled_from(["Sun", "Sunday", ",", "-", ":", "+", "0", "06", "Nov", "1994", "94", "\\"])
    | st.sampled_from(["08:49:37", "24:60:61", "GMT", "Z", "-0000", "+2500", "+99999999", "("])
).map(" ".join)


def running(
    attempts: int,
    *,
    max_retries: int,
    excused: int = 0,
    previous: JobResult | None = None,
) -> JobRecord:
    """The record of a job in this attempt, after one that ended with `previous`."""
    job = DownloadJob(job_id=1, url="http://h/", output="a", max_retries=max_retries)
    return JobRecord(
        job=job,
        status=JobStatus.RUNNING,
        attempts=attempts,
        created_at=0.0,
        since=0.0,
        excused=excused,
        result=previous,
    )


def outcome(
    result: JobResult,
    policy: RetrySettings | None = None,
    *,
    attempts: int = 1,
    max_retries: int = 4,
    previous: JobResult | None = None,
    luck: float = 1.0,
) -> Decision:
    """What is decided; luck 0 draws the least of what may be drawn, 1 the most."""
    return decide(
        policy or RetrySettings(),
        running(attempts, max_retries=max_retries, previous=previous),
        result=result,
        jitter=lambda low, high: low + (high - low) * luck,
    )


def failure_by(status: int) -> JobResult:
    """The result of an attempt that got this status and came to nothing by it."""
    failure = status_failure(status, {})
    assert failure is not None
    return JobResult(kind=failure[0], message=failure[1], http_status=status)


def delay_of(decision: Decision) -> float:
    """How long is waited before the next attempt, which there must be."""
    assert isinstance(decision, RetryIn)
    return decision.delay


@pytest.mark.parametrize("kind", ErrorKind)
def test_kinds(kind: ErrorKind) -> None:
    """What another attempt may mend is retried; all else, a 4xx too, has failed for good."""
    result = JobResult(kind=kind, http_status=404 if kind is ErrorKind.CLIENT_ERROR else None)
    is_retried = kind in MENDABLE or result.is_excused
    expected = RetryIn(1.0) if is_retried else GiveUp(result)
    assert outcome(result) == expected


def test_want_of_descriptors_is_not_the_jobs_fault() -> None:
    """It is retried whatever number of retries is left, but not for ever."""
    result = JobResult(kind=ErrorKind.NO_DESCRIPTORS)
    policy, jitter = RetrySettings(), lambda low, high: high
    ends = [
        decide(
            policy,
            running(9 + n, max_retries=0, excused=n),
            result=result,
            jitter=jitter,
        )
        for n in (0, 1, MAX_EXCUSED - 1, MAX_EXCUSED)
    ]
    assert ends == [RetryIn(1.0), RetryIn(2.0), RetryIn(60.0), GiveUp(result)]


CORRUPT = JobResult(kind=ErrorKind.CHECKSUM, http_status=200)


@pytest.mark.parametrize(
    ("result", "previous", "attempts", "is_retried"),
    [
        (CORRUPT, None, 1, True),
        (CORRUPT, JobResult(kind=ErrorKind.SERVER_ERROR, http_status=503), 2, True),
        (CORRUPT, CORRUPT, 2, False),
        (CORRUPT, None, 5, False),
        (JobResult(kind=ErrorKind.CHECKSUM), None, 1, False),
    ],
)
def test_a_wrong_checksum(
    result: JobResult, previous: JobResult | None, *, attempts: int, is_retried: bool
) -> None:
    """A corrupt download is tried again once; a file that was not downloaded now is not."""
    expected = RetryIn(min(60.0, 2.0 ** (attempts - 1))) if is_retried else GiveUp(result)
    assert outcome(result, attempts=attempts, previous=previous) == expected


def test_success() -> None:
    """No error kind means done, whatever attempt it was, whatever the server asked."""
    for attempts in (1, 5, 99):
        result = JobResult(http_status=200, retry_after=5.0)
        assert outcome(result, attempts=attempts) == Done()


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
            "HTTP 429 Too Many Requests (--retry-on 429 would try again)",
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
    """A status that is no success has a kind and a reason with the standard's words."""
    result = failure_by(status)
    assert result.kind is kind
    assert result.message.startswith(words)
    assert result.message == result.message.strip()


@pytest.mark.parametrize(
    ("status", "is_retried"),
    [(s, False) for s in (300, 304, 399, 400, 401, 403, 404, 408, 410, 425, 429, 499)]
    + [(s, True) for s in (500, 501, 502, 503, 504, 505, 521, 599)]
    + [(s, False) for s in (206, 600, 999)],
)
def test_statuses(status: int, is_retried: bool) -> None:
    """Every 5xx is retried, no 4xx is, and nothing beyond these is."""
    assert isinstance(outcome(failure_by(status)), RetryIn if is_retried else GiveUp)


def test_an_unasked_206_shows_its_range() -> None:
    """The reason has what the server says of the part it sent."""
    failure = status_failure(206, {"Content-Range": "bytes 0-4/9"})
    assert failure is not None
    assert "bytes 0-4/9" in failure[1]


@pytest.mark.parametrize("status", range(400, 500))
def test_retry_on(status: int) -> None:
    """Listed codes are retried; the others of their class are not."""
    policy = RetrySettings(retry_on=frozenset({408, 425, 429}))
    is_listed = status in {408, 425, 429}
    assert isinstance(outcome(failure_by(status), policy), RetryIn if is_listed else GiveUp)


@pytest.mark.parametrize("retry_on", [{429}, {407}, {403, 407}])
def test_retry_on_what_a_proxy_says(retry_on: set[int]) -> None:
    """A proxy's 407 is retried where it is listed, and only there."""
    result = JobResult(kind=ErrorKind.PROXY_REFUSED, http_status=407)
    decision = outcome(result, RetrySettings(retry_on=frozenset(retry_on)))
    assert isinstance(decision, RetryIn if 407 in retry_on else GiveUp)


@pytest.mark.parametrize("kind", [ErrorKind.REDIRECT, ErrorKind.LOCAL, ErrorKind.INTERNAL])
def test_retry_on_is_about_4xx_alone(kind: ErrorKind) -> None:
    """A listed code makes no other failure with that status one to retry."""
    result = JobResult(kind=kind, http_status=429)
    assert outcome(result, RetrySettings(retry_on=frozenset({429}))) == GiveUp(result)


@pytest.mark.parametrize("max_retries", [0, 1, 4, 1000])
def test_one_attempt_more_than_retries(max_retries: int) -> None:
    """A job that always fails is tried 1 + max_retries times; the last result is the end."""
    result = failure_by(503)
    decisions = [
        outcome(result, attempts=attempts, max_retries=max_retries)
        for attempts in range(1, max_retries + 3)
    ]
    assert all(isinstance(decision, RetryIn) for decision in decisions[:max_retries])
    assert decisions[max_retries:] == [GiveUp(result)] * 2


def test_the_jobs_own_retries_count() -> None:
    """The number of retries is the job's, not the run's default."""
    policy = RetrySettings(max_retries=0)
    assert isinstance(outcome(failure_by(503), policy, max_retries=1), RetryIn)
    policy = RetrySettings(max_retries=9)
    assert isinstance(outcome(failure_by(503), policy, max_retries=0), GiveUp)


@pytest.mark.parametrize(
    ("base", "cap", "bounds"),
    [
        (1, 60, [1, 2, 4, 8, 16, 32, 60, 60]),
        (0.5, 3, [0.5, 1, 2, 3, 3]),
        (10, 5, [5, 5]),
        (0, 60, [0, 0]),
        (1, 0, [0, 0]),
    ],
)
def test_backoff_doubles_up_to_its_cap(base: float, cap: float, bounds: list[float]) -> None:
    """The most that is waited doubles with each failure until the cap; the least is 0."""
    policy = RetrySettings(delay=base, max_delay=cap)
    for attempts, bound in enumerate(bounds, start=1):
        ends = [
            delay_of(
                outcome(failure_by(503), policy, attempts=attempts, max_retries=99, luck=n)
            )
            for n in (0.0, 0.5, 1.0)
        ]
        assert ends == [0, bound / 2, bound]


@given(base=SECONDS, cap=SECONDS, n=st.integers(0, 50), luck=LUCK)
def test_backoff_bounds(base: float, cap: float, n: int, luck: float) -> None:
    """After n + 1 failures no delay is below 0, above the cap, or above base * 2**n."""
    policy = RetrySettings(delay=base, max_delay=cap)
    assert backoff_bound(policy, n + 1) == min(cap, base * 2**n)
    decision = outcome(failure_by(500), policy, attempts=n + 1, max_retries=n + 1, luck=luck)
    assert 0 <= delay_of(decision) <= min(cap, base * 2**n)


@given(base=st.floats(1e-9, DAY), cap=SECONDS, n=st.integers(50, 10**100))
def test_many_failures_are_no_overflow(base: float, cap: float, n: int) -> None:
    """However many failures, the delay is a number, and it has reached the cap."""
    assert backoff_bound(RetrySettings(delay=base, max_delay=cap), n) == cap


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("1", 1),
        ("007", 7),
        (" 5 ", 5),
        ("\t5", 5),
        # No more than a thread can wait for.
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
    """Seconds and dates are understood; the past, the negative and rubbish are ignored."""
    assert retry_after_seconds(value, utc_now=NOV_6_1994 - 90) == seconds


def test_no_retry_after() -> None:
    """Without the field nothing is asked."""
    assert retry_after_seconds(None, utc_now=0) is None


@given(st.integers(1, 10**9), st.text(" \t", max_size=3), st.floats(0, 4e9))
def test_any_number_of_seconds(seconds: int, blank: str, utc_now: float) -> None:
    """Delay-seconds are taken as they are; the clock does not matter to them."""
    assert retry_after_seconds(f"{blank}{seconds}{blank}", utc_now=utc_now) == seconds


@given(DATES, st.integers(-(10**6), 10**6))
def test_any_date(date: datetime, ahead: int) -> None:
    """All three forms of a date say the same, counted from the receipt."""
    received = (date - timedelta(seconds=ahead)).timestamp()
    clock = f"{date:%H:%M:%S}"
    month, weekday = MONTHS[date.month - 1], DAYS[date.weekday()]
    forms = [
        email.utils.format_datetime(date, usegmt=True),
        time.asctime(date.timetuple()),
        f"{weekday}, {date:%d}-{month}-{date:%y} {clock} GMT",
    ]
    for form in forms:
        assert retry_after_seconds(form, utc_now=received) == (ahead if ahead > 0 else None)


@given(ANY_TEXT | NEARLY_A_DATE, st.floats(-4e9, 4e9))
def test_no_text_breaks_it(value: str, utc_now: float) -> None:
    """Whatever a server sends, it is ignored or a wait that is longer than none."""
    seconds = retry_after_seconds(value, utc_now=utc_now)
    assert seconds is None or seconds > 0


@given(asked=st.floats(0, 600), base=SECONDS, cap=SECONDS, luck=LUCK, n=st.integers(1, 2000))
def test_never_earlier_than_asked(
    asked: float, base: float, cap: float, luck: float, n: int
) -> None:
    """A server that names a time is asked then, at most the base delay later."""
    policy = RetrySettings(delay=base, max_delay=cap)
    result = JobResult(kind=ErrorKind.SERVER_ERROR, http_status=503, retry_after=asked)
    delay = delay_of(outcome(result, policy, attempts=n, max_retries=n, luck=luck))
    assert asked <= delay <= asked + base


@pytest.mark.parametrize("luck", [0.0, 0.25, 1.0])
def test_jitter_is_added_to_what_was_asked(luck: float) -> None:
    """The clients that a server sends away together do not come back together."""
    result = JobResult(kind=ErrorKind.SERVER_ERROR, http_status=503, retry_after=30)
    assert delay_of(outcome(result, RetrySettings(delay=4), luck=luck)) == 30 + 4 * luck


@pytest.mark.parametrize(
    ("asked", "limit", "is_too_long"),
    [
        (600, 600, False),
        (600.5, 600, True),
        (601, 600, True),
        (math.inf, 600, True),
        (5, 4, True),
        (5, 5, False),
        (1e300, 30 * DAY, True),
    ],
)
def test_too_long_a_wait_is_a_failure_now(
    asked: float, limit: float, is_too_long: bool
) -> None:
    """Asked to wait longer than the user allows, the job fails, naming the flag and why."""
    result = JobResult(
        kind=ErrorKind.SERVER_ERROR,
        message="HTTP 503 Service Unavailable",
        http_status=503,
        size=3,
        retry_after=asked,
        seconds=0.5,
    )
    decision = outcome(result, RetrySettings(max_retry_after=limit))
    assert isinstance(decision, GiveUp if is_too_long else RetryIn)
    if isinstance(decision, GiveUp):
        final = decision.result
        assert final.kind is ErrorKind.RETRY_AFTER
        assert final.message.startswith("HTTP 503 Service Unavailable")
        assert f"--max-retry-after {limit:g}" in final.message
        assert f"{asked:.0f} s" in final.message
        assert (final.http_status, final.size, final.seconds) == (503, 3, 0.5)


def test_a_wait_is_nothing_to_what_is_not_retried() -> None:
    """Retry-After makes no retry of a 404, and no new one after the last."""
    not_found = JobResult(kind=ErrorKind.CLIENT_ERROR, http_status=404, retry_after=1)
    assert outcome(not_found) == GiveUp(not_found)
    busy = JobResult(kind=ErrorKind.SERVER_ERROR, http_status=503, retry_after=1)
    assert outcome(busy, attempts=5) == GiveUp(busy)


def test_a_listed_429_honours_its_wait() -> None:
    """The status that is mostly sent with Retry-After waits for it when it is retried."""
    policy = RetrySettings(retry_on=frozenset({429}))
    result = JobResult(kind=ErrorKind.CLIENT_ERROR, http_status=429, retry_after=7)
    assert delay_of(outcome(result, policy, luck=0)) == 7
