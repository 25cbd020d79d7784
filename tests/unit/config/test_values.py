"""Values as users write them: times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.config.values import parse_seconds

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
    """A number is seconds, unless s, m, h or d follows it."""
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
    """Any other text is an error, whose message has the text."""
    with pytest.raises(ValueError, match="not a time") as caught:
        parse_seconds(text)
    assert repr(text) in str(caught.value)


@given(ANY_TEXT | st.from_regex(r"\s*[0-9.]{0,5}[smhd]?\s*", fullmatch=True))
def test_parse_seconds_gives_a_usable_number_or_raises(text: str) -> None:
    """No text gives a negative or infinite time, or another exception."""
    try:
        seconds = parse_seconds(text)
    except ValueError:
        return
    assert 0 <= seconds < float("inf")
