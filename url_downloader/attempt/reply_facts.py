"""What the head of a reply says of the file. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from url_downloader.shared.http_semantics import http_date
from url_downloader.shared.models import Checksum, SourceFacts
from url_downloader.shared.ports import Reply, SavedPart
from url_downloader.shared.url_parts import without_credentials

PARTIAL = HTTPStatus.PARTIAL_CONTENT.value
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)


class ContentRange(NamedTuple):
    """Bytes `first` up to, not including, `end` of `total`, where that is known."""

    first: int
    end: int
    total: int | None


def file_headers(reply: Reply) -> Mapping[str, str]:
    """The header fields that speak of the file: those of a 416 speak of its own body."""
    return reply.headers if reply.status < 400 else {}


def span_of(reply: Reply) -> ContentRange | None:
    """What part of the file a 206 carries."""
    return content_range(reply.headers) if reply.status == PARTIAL else None


def length_of(headers: Mapping[str, str]) -> int | None:
    """Bytes of the body, where the reply says so."""
    length = headers.get("Content-Length", "")
    # Where it frames nothing (204), it may be anything.
    return int(length) if length.isascii() and length.isdecimal() and len(length) < 19 else None


def total_of(reply: Reply, saved: SavedPart | None) -> int | None:
    """Bytes of the whole file, as it comes, where the reply or what is here already says so."""
    span = span_of(reply)
    if span is None:
        return length_of(reply.headers)
    return span.total if span.total is not None or saved is None else saved.total


def source_of(reply: Reply, *, digests: tuple[Checksum, ...] = ()) -> SourceFacts:
    """Where the file came from, and which version of it that is."""
    headers = file_headers(reply)
    return SourceFacts(
        url=without_credentials(reply.url),
        etag=headers.get("ETag"),
        modified=http_date(headers.get("Last-Modified", "")),
        digests=digests,
    )


def content_range(headers: Mapping[str, str]) -> ContentRange | None:
    """What a 206 carries (RFC 9110 §14.4), None if it does not say so."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if match is None:
        return None
    total = None if match[3] == "*" else int(match[3])
    return ContentRange(int(match[1]), int(match[2]) + 1, total)
