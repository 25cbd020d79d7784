"""The words of Content-Encoding: those that name a coding, and those that name none."""

from __future__ import annotations

import pytest

from url_downloader.attempt.content_codings import content_codings, non_coding_words


@pytest.mark.parametrize(
    "words",
    [
        *("none", "None", "NULL", "UTF-8", "utf8", "iso-8859-1", "windows-1252", "us-ascii"),
        *("binary", "8bit", "7bit", "base64", "aws-chunked", "text/plain", "charset=utf-8"),
        *("none, utf-8", "identity, binary", "", ","),
    ],
)
def test_a_word_that_names_no_coding_changes_nothing(words: str) -> None:
    """Words that object stores and old scripts write there name no coding."""
    assert list(content_codings(words)) == []


def test_not_every_word_is_looked_for() -> None:
    """Of a long list all words beyond a number count as one, as a look-up is slow."""
    assert len(content_codings(",".join(f"x{n}" for n in range(10_000)))) <= 21


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", ""),
        ("gzip, identity", ""),
        ("UTF-8", "UTF-8"),
        ("aws-chunked,gzip", "aws-chunked"),
        ("none, gzip, binary", "none, binary"),
        ("text/" + "x" * 1000, "text/" + "x" * 55),
        ("none," * 1000, "none"),
    ],
)
def test_only_words_that_name_no_coding_are_told(value: str, words: str) -> None:
    """The text for the warning has the words that name no coding, and is short."""
    assert non_coding_words(value) == words
