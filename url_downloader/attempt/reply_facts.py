"""Facts about a file that the head of a reply states. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from url_downloader.shared.file_facts import SavedPart
from url_downloader.shared.http_semantics import http_date
from url_downloader.shared.job_options import Checksum
from url_downloader.shared.models import SourceFacts
from url_downloader.shared.ports import Reply
from url_downloader.shared.url_parts import without_credentials

PARTIAL = HTTPStatus.PARTIAL_CONTENT.value
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)


class ContentRange(NamedTuple):
    """Range of a file, in bytes.

    Args:
        first: Offset of the first byte.
        end: Offset after the last byte.
        total: Length of the whole file; None if it is unknown.
    """

    first: int
    end: int
    total: int | None


def file_headers(reply: Reply) -> Mapping[str, str]:
    """Return the header fields that describe the file; none for an error reply.

    The fields of a 416, for instance, describe its own body.
    """
    return reply.headers if reply.status < 400 else {}


def span_of(reply: Reply) -> ContentRange | None:
    """Return the range of the file that a 206 carries.

    It is None for other replies, and for a 206 that states no range.
    """
    return content_range(reply.headers) if reply.status == PARTIAL else None


def total_of(reply: Reply, saved: SavedPart | None) -> int | None:
    """Return the length of the whole file in bytes, before decoding; None if it is unknown.

    Args:
        reply: Reply that carries the file or a range of it.
        saved: Part that the reply continues, if any.
    """
    span = span_of(reply)
    if span is None:
        return reply.length
    return span.total if span.total is not None or saved is None else saved.total


def source_of(reply: Reply, *, digests: tuple[Checksum, ...] = ()) -> SourceFacts:
    """Return the source of the file and the version that the reply states.

    Args:
        reply: Final reply.
        digests: Digests of the file that were checked.
    """
    headers = file_headers(reply)
    return SourceFacts(
        url=without_credentials(reply.url),
        etag=headers.get("etag"),
        modified=http_date(headers.get("last-modified", "")),
        digests=digests,
    )


def content_range(headers: Mapping[str, str]) -> ContentRange | None:
    """Return the range that Content-Range states (RFC 9110 §14.4); None if it states none."""
    match = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if match is None:
        return None
    total = None if match[3] == "*" else int(match[3])
    return ContentRange(int(match[1]), int(match[2]) + 1, total)
