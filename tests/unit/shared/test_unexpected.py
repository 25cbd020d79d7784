"""Unexpected errors are logged without their texts, which may hold secrets."""

from __future__ import annotations

import codecs
import logging
import re

import pytest

from url_downloader.config.values import parse_seconds
from url_downloader.shared.unexpected import described, log_unexpected
from url_downloader.shared.url_parts import without_credentials
from url_downloader.shared.version import PROGRAM

SECRET = "S3CRET"


def caught(text: bytes = f"password {SECRET}\xfc".encode("latin-1")) -> Exception:
    """Return an error that quotes a whole file, and whose cause does too."""
    try:
        try:
            codecs.decode(text, "utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(text) from error
    except ValueError as error:
        return error
    raise AssertionError


def test_an_error_is_told_by_type_and_place() -> None:
    """The message has the type, file, line and function, and nothing of the text."""
    text = described(caught())
    assert text.startswith("ValueError at test_unexpected.py:")
    assert "(caught)" in text
    assert SECRET not in text


def test_the_place_in_this_package_is_told_too() -> None:
    """If a library raised the error, the message also has our line that called it."""
    with pytest.raises(AttributeError) as own:
        parse_seconds(None)  # type: ignore[arg-type]
    assert re.fullmatch(r"AttributeError at values.py:\d+ \(\w+\)", described(own.value))
    with pytest.raises(TypeError) as library:
        without_credentials(["@"])  # type: ignore[arg-type]
    assert ", from url_parts.py:" in described(library.value)


def test_an_error_that_was_never_raised_has_no_place() -> None:
    """Its message is its type alone."""
    assert described(KeyError(SECRET)) == "KeyError"


def test_the_traceback_is_for_those_who_debug(caplog: pytest.LogCaptureFixture) -> None:
    """CRITICAL has one line with the package's path; DEBUG has the frames, without texts."""
    log = logging.getLogger("tests.unexpected")
    with caplog.at_level(logging.DEBUG, log.name):
        log_unexpected(log, caught(), doing="job 7")
    critical, debug = caplog.records
    assert (critical.levelno, debug.levelno) == (logging.CRITICAL, logging.DEBUG)
    assert critical.getMessage().startswith("job 7: bug of this program: ValueError at ")
    assert critical.getMessage().endswith(f"; {PROGRAM}")
    lines = debug.getMessage().splitlines()
    assert [line for line in lines if line in ("ValueError", "UnicodeDecodeError")] == [
        "ValueError",
        "UnicodeDecodeError",
    ]
    assert SECRET not in caplog.text


def test_a_circle_of_causes_ends() -> None:
    """Errors that name each other as cause are logged once each."""
    first, second = ValueError(SECRET), KeyError(SECRET)
    first.__cause__, second.__cause__ = second, first
    log_unexpected(logging.getLogger("tests.unexpected"), first, doing="it")
