"""Values as users write them: times and rates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_downloader.config.values import parse_rate, parse_seconds

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


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[(text, 0) for text in ("0", "0/s", "0.0/h", "000")],
        ("1/s", 1),
        ("4/s", 0.25),
        ("0.5/s", 2),
        (".5/s", 2),
        ("30/m", 2),
        ("1.5/m", 40),
        ("2/h", 1800),
        ("1/d", 86400),
        ("0.1/h", 36000),
        ("999999999/s", pytest.approx(1e-9)),
    ],
)
def test_parse_rate(text: str, seconds: float) -> None:
    """A rate becomes the time between two requests; 0 stays 0, which is no limit."""
    assert parse_rate(text) == seconds


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        *[
            (text, "N/s, N/m, N/h or N/d")
            for text in ("", "/s", "x", "-1/s", "+1/s", "1/", "1/S")
        ],
        *[
            (text, "N/s, N/m, N/h or N/d")
            for text in (" 1/s", "1 /s", "1./s", "1/2s", "1s", "1/ms")
        ],
        *[
            (text, "N/s, N/m, N/h or N/d")
            for text in ("1e3/s", "inf/s", "nan", "\u0663/s", "1/s\n")
        ],
        ("9" * 400 + "/s", "N/s, N/m, N/h or N/d"),
        *[(whole + "." + "0" * 400 + "1/s", "N/s, N/m, N/h or N/d") for whole in ("", "0")],
        ("5", "5/s or 5/m"),
        ("0.5", "0.5/s or 0.5/m"),
        ("0.5/d", "at least 1/d"),
        ("0.000000001/s", "at least 1/d"),
    ],
)
def test_parse_rate_refuses(text: str, remedy: str) -> None:
    """Any other text is an error, whose message has the text and the remedy."""
    with pytest.raises(ValueError, match="must") as caught:
        parse_rate(text)
    assert repr(text) in str(caught.value)
    assert remedy in str(caught.value)


@given(ANY_TEXT | st.from_regex(r"[0-9.]{0,5}(/[smhd])?", fullmatch=True))
def test_parse_rate_gives_a_usable_number_or_raises(text: str) -> None:
    """No text gives a time that is negative or longer than a day, or another exception."""
    try:
        seconds = parse_rate(text)
    except ValueError:
        return
    assert 0 <= seconds <= 86400
