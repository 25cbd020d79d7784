"""Words of Content-Encoding that name a coding, and words that name none."""

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
def test_words_that_name_no_coding(words: str) -> None:
    """Words that object stores and old scripts send, such as a charset, name no coding."""
    assert list(content_codings(words)) == []


def test_a_field_of_many_words() -> None:
    """All words beyond a limit count as one, because a look-up of each would be slow."""
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
def test_the_words_for_the_warning(value: str, words: str) -> None:
    """The warning names each word that names no coding, once and shortened."""
    assert non_coding_words(value) == words
