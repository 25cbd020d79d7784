"""Facts that the head of a reply states: its Content-Range."""

from __future__ import annotations

import pytest

from tests.support.reply_fields import fields
from url_downloader.attempt.reply_facts import ContentRange, content_range

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
def test_a_malformed_content_range(text: str) -> None:
    """A Content-Range that does not follow RFC 9110 §14.4 states no range."""
    assert content_range(fields(content_range=text)) is None


def test_a_missing_content_range() -> None:
    """A reply without a Content-Range states no range."""
    assert content_range(fields()) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 0-0/1", ContentRange(0, 1, 1)),
        ("bytes 4-9/10", ContentRange(4, 10, 10)),
        ("bytes 4-9/*", ContentRange(4, 10, None)),
        ("bytes 4294967296-9999999999/10000000000", ContentRange(1 << 32, 10**10, 10**10)),
    ],
)
def test_a_content_range(text: str, expected: ContentRange) -> None:
    """The last byte of a Content-Range is part of the range; `end` is the offset after it."""
    assert content_range(fields(content_range=text)) == expected
