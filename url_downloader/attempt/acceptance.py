"""User's rules for the media type and the size of a file. Pure functions."""

from __future__ import annotations

from url_downloader.attempt.reply_facts import span_of
from url_downloader.config.settings import TransferSettings
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Reply
from url_downloader.shared.text import format_size


def check_head(settings: TransferSettings, reply: Reply) -> None:
    """Check the head of a reply against the rules.

    Raises:
        AttemptError: The media type or the announced size is not accepted.
    """
    expected = settings.expected_types
    media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    span = span_of(reply)
    # A 206 may omit the type (RFC 9110 §15.3.7).
    is_type_known = media_type or span is None
    if expected and is_type_known and not _is_among(media_type, expected):
        shown = media_type[:60] or "no type"
        message = f"the server sent {shown}, not {' or '.join(expected)} (--expect-type)"
        raise AttemptError(ErrorKind.WRONG_TYPE, message)
    check_size(settings, span.end if span else reply.length or 0)


def check_size(settings: TransferSettings, size: int) -> None:
    """Check the size of a file, in bytes, against the user's limit.

    Raises:
        AttemptError: The file is too large.
    """
    limit = settings.max_filesize
    if limit and size > limit:
        message = f"larger than --max-filesize {format_size(limit)}"
        raise AttemptError(ErrorKind.TOO_LARGE, message)


def _is_among(media_type: str, expected: tuple[str, ...]) -> bool:
    main, _, _ = media_type.partition("/")
    return media_type in expected or f"{main}/*" in expected
