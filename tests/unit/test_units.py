"""Times and sizes as people write and read them, and text that is safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.config.values import parse_seconds
from url_downloader.reports.job_report import rfc3339
from url_downloader.shared.text import format_seconds, format_size, printable

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("1.5", 1.5),
        (".5", 0.5),
        ("007", 7),
        ("10s", 10),
        ("1.5m", 90),
        ("2h", 7200),
        ("1d", 86400),
        ("0d", 0),
        (" 3 ", 3),
        ("3\n", 3),
    ],
)
def test_parse_seconds(text: str, seconds: float) -> None:
    """A number is seconds; s, m, h and d after it are the units everybody knows."""
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "s", ".", "1.", "-1", "+1", "- 1", "1e3", "1_0", "0x10", "1,5"),
        *("nan", "inf", "-inf", "1 m", "1mm", "1m30s", "1M", "1w", "1ms", "1\0", "٣", "1µ"),
        "9" * 400,
        "9" * 308 + "d",
    ],
)
def test_parse_seconds_refuses(text: str) -> None:
    """Anything else raises, and the message shows what was not understood."""
    with pytest.raises(ValueError, match="not a time") as caught:
        parse_seconds(text)
    assert repr(text) in str(caught.value)


@given(ANY_TEXT | st.from_regex(r"\s*[0-9.]{0,5}[smhd]?\s*", fullmatch=True))
def test_parse_seconds_gives_a_usable_number_or_raises(text: str) -> None:
    """No text leads to a negative or endless time, or to another exception."""
    try:
        seconds = parse_seconds(text)
    except ValueError:
        return
    assert 0 <= seconds < float("inf")


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
        # Rounded up, it is one of the next unit.
        (1023.9, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (1024**4 - 1, "1.0 TiB"),
    ],
)
def test_format_size(count: float, text: str) -> None:
    """Sizes are 1024-based, with one digit after the point."""
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
        # Rounded up, it is a minute.
        (59.96, "1m00s"),
    ],
)
def test_format_seconds(seconds: float, text: str) -> None:
    """Durations get coarser as they get longer."""
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
    """What steers a terminal, or can't be seen, is written as an escape."""
    assert printable(text) == shown


@given(ANY_TEXT)
def test_printable_is_printable(text: str) -> None:
    """Nothing unprintable is let through, and what is printable already stays."""
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert shown == text or not text.isprintable()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (0.9999999, "1970-01-01T00:00:01.000000Z"),
        (-0.5, "1969-12-31T23:59:59.500000Z"),
        (1_700_000_000.125, "2023-11-14T22:13:20.125000Z"),
        (-62_135_596_800.0, "0001-01-01T00:00:00.000000Z"),
        (253_402_300_800.0, None),
        (float("nan"), None),
        (float("-inf"), None),
        (None, None),
    ],
)
def test_rfc3339(seconds: float | None, text: str | None) -> None:
    """Microseconds, always UTC, always of one length; nothing where no year is."""
    assert rfc3339(seconds) == text
