"""Meanings of statuses and header fields that several packages need (RFC 9110). Pure functions.

Dates, strong validators, Retry-After, and the failures that statuses mean.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from url_downloader.shared.models import ErrorKind

LONGEST_WAIT = 1e9
"""Seconds; upper bound for a Retry-After. About 30 years; more could overflow a clock."""
_HINTS = {
    407: "; put the user and password that the proxy wants into --proxy or its variable",
}
_DELAY_SECONDS = re.compile(r"\d+", re.ASCII)
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
_MAX_DATE_LENGTH = 100
"""Characters; upper bound for a date in any form of HTTP, with comments."""


def retry_after_seconds(value: str | None, *, utc_now: float) -> float | None:
    """Return the seconds that a Retry-After field (RFC 9110 §10.2.3) asks to wait.

    Args:
        value: Value of the field, as received: a number of seconds or an HTTP-date.
        utc_now: Time when it was received, in seconds since the epoch.

    Returns:
        None if there is no field, if it is invalid, or if it asks for no wait.
    """
    if value is None:
        return None
    text = value.strip()
    if _DELAY_SECONDS.fullmatch(text):
        return min(float(text), LONGEST_WAIT) or None
    date = http_date(text)
    return min(date - utc_now, LONGEST_WAIT) if date is not None and date > utc_now else None


def status_failure(status: int, headers: Mapping[str, str]) -> tuple[ErrorKind, str]:
    """Return the kind of the failure that a status means, and its reason for the user.

    Args:
        status: Status code of the final reply, which the caller does not accept.
        headers: Header fields of that reply.
    """
    reason = _reason(status)
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return ErrorKind.PROXY_REFUSED, reason
    if 400 <= status < 500:
        return ErrorKind.CLIENT_ERROR, reason
    if 500 <= status < 600:
        return ErrorKind.SERVER_ERROR, reason
    if status == HTTPStatus.PARTIAL_CONTENT:
        content_range = headers.get("content-range", "no Content-Range")
        return (
            ErrorKind.UNEXPECTED_STATUS,
            f"{reason}, which was not asked for ({content_range})",
        )
    return ErrorKind.UNEXPECTED_STATUS, f"{reason}, which was not asked for"


@functools.lru_cache(maxsize=1000)
def _reason(status: int) -> str:
    """Return the reason of a failure for the user.

    The cache makes all jobs share one string, which is the largest part of a failed record.
    """
    return f"HTTP {status} {_phrase(status)}".rstrip() + _HINTS.get(status, "")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def strong_validator(headers: Mapping[str, str]) -> str | None:
    """Return the ETag or Last-Modified that If-Range may have (RFC 9110 §8.8.2.2), or None."""
    etag = headers.get("etag", "").strip()
    if etag:
        return etag if _STRONG_ETAG.fullmatch(etag) else None
    modified = headers.get("last-modified", "").strip()
    modified_at, date = http_date(modified), http_date(headers.get("date", ""))
    is_strong = modified_at is not None and date is not None and modified_at <= date - 1
    return modified if is_strong else None


def is_strong_validator(text: str) -> bool:
    """Tell whether `strong_validator` may have returned this text."""
    return bool(_STRONG_ETAG.fullmatch(text)) or (
        text.isascii() and text.isprintable() and http_date(text) is not None
    )


def http_date(text: str) -> float | None:
    """Return an HTTP-date (RFC 9110 §5.6.7) in seconds since the epoch; None if invalid."""
    return _http_date(text) if len(text) <= _MAX_DATE_LENGTH else None


# The keys come from servers: http_date bounds their length, the cache their number.
@functools.lru_cache(maxsize=256)
def _http_date(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        # An asctime-date has no time zone and means UTC.
        return date.replace(tzinfo=date.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None
