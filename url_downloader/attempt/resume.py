"""Rules for resuming a part: the request, and the meaning of the reply. Pure functions.

RFC 9110 §8.8 (validators), §13.1.5 (If-Range), §14 (ranges), §15.3.7 (206), §15.5.17 (416).
Bytes are appended only if they certainly belong to the version that the part belongs to.
Independent of files and connections.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from http import HTTPStatus

from url_downloader.attempt.content_codings import content_codings
from url_downloader.attempt.reply_facts import PARTIAL, content_range
from url_downloader.shared.file_facts import SavedPart

_UNSATISFIED_RANGE = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)


class Plan(enum.Enum):
    """Way to handle a reply."""

    TAKE_ALL = "store its body from byte 0"
    APPEND = "append its body to the part"
    IS_COMPLETE = "the part is the whole file"
    START_OVER = "discard the part and request the whole file"
    REFUSE = "the reply does not carry the file"


def range_headers(saved: SavedPart | None) -> tuple[tuple[str, str], ...]:
    """Return header fields that request the missing rest of a part; none without a part."""
    if saved is None:
        return ()
    return (("Range", f"bytes={saved.size}-"), ("If-Range", saved.validator))


def plan_for(saved: SavedPart | None, status: int, *, headers: Mapping[str, str]) -> Plan:
    """Return the way to handle the final reply to a request with `range_headers(saved)`.

    Args:
        saved: Part that the request was to continue, if any.
        status: Status code of the reply.
        headers: Header fields of the reply.
    """
    if saved is not None and status == PARTIAL:
        return Plan.APPEND if _continues(saved, headers) else Plan.START_OVER
    if saved is not None and status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return Plan.IS_COMPLETE if _was_complete(saved, headers) else Plan.START_OVER
    if 200 <= status < 300 and status != PARTIAL:
        return Plan.TAKE_ALL
    return Plan.REFUSE


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Tell whether the body has a content coding, so that its bytes are not the file's."""
    return bool(content_codings(headers.get("content-encoding", "")))


def _continues(saved: SavedPart, headers: Mapping[str, str]) -> bool:
    """Tell whether a 206 carries the bytes that follow the part, of the same version."""
    span = content_range(headers)
    if headers.get("content-type", "").lower().startswith("multipart/byteranges"):
        return False
    if span is None or is_encoded(headers) or not _is_same_version(saved, headers):
        return False
    total = saved.total if span.total is None else span.total
    is_same_total = saved.total is None or total == saved.total
    length = headers.get("content-length", str(span.end - span.first)).strip()
    is_framed_so = length == str(span.end - span.first)
    is_next = total is not None and saved.size == span.first < span.end <= total
    return is_next and is_same_total and is_framed_so


def _was_complete(saved: SavedPart, headers: Mapping[str, str]) -> bool:
    """Tell whether a 416 means that the part is the whole file."""
    match = _UNSATISFIED_RANGE.fullmatch(headers.get("content-range", "").strip())
    is_whole = match is not None and int(match[1]) == saved.size == saved.total
    return is_whole and _is_same_version(saved, headers)


def _is_same_version(saved: SavedPart, headers: Mapping[str, str]) -> bool:
    """Tell whether the reply's validator equals the saved one, or is missing."""
    if saved.validator.startswith('"'):
        return headers.get("etag", saved.validator).strip() == saved.validator
    return headers.get("last-modified", saved.validator).strip() == saved.validator
