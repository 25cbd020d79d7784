"""Durations and sizes as the user reads them, and text that is safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.shared.text import format_seconds, format_size, printable

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (0.4, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1023 * 1024, "1023.0 KiB"),
        (1024**2, "1.0 MiB"),
        (12 * 1024**2, "12.0 MiB"),
        (1024**3, "1.0 GiB"),
        (1024**4, "1.0 TiB"),
        (5000 * 1024**4, "5000.0 TiB"),
        # Rounded up, it reaches the next unit.
        (1023.9, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (1024**4 - 1, "1.0 TiB"),
    ],
)
def test_format_size(count: float, text: str) -> None:
    """A size has a 1024-based unit and one digit after the point."""
    assert format_size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.04, "0.0 s"),
        (0.36, "0.4 s"),
        (59.9, "59.9 s"),
        (60, "1m00s"),
        (125.4, "2m05s"),
        (3599, "59m59s"),
        (3599.6, "1h00m00s"),
        (3600, "1h00m00s"),
        (11232, "3h07m12s"),
        (100 * 3600, "100h00m00s"),
        # Rounded up, it reaches a minute.
        (59.96, "1m00s"),
    ],
)
def test_format_seconds(seconds: float, text: str) -> None:
    """A long duration is shown less precisely than a short one."""
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain é 日本 😀", "plain é 日本 😀"),
        ("C:\\x", "C:\\x"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("\u2028\ud800\U000e0001", r"\u2028\ud800\U000e0001"),
        ("\u00a0", r"\xa0"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    """A character that controls a terminal, or is invisible, becomes an escape."""
    assert printable(text) == shown


@given(ANY_TEXT)
def test_printable_is_printable(text: str) -> None:
    """The result is printable, and text that is printable already stays unchanged."""
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert shown == text or not text.isprintable()
