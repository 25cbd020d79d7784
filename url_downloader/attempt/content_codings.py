"""The words of a Content-Encoding field (RFC 9110 §8.4): codings, and what names none. Pure."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

_NO_CODINGS = frozenset(
    {
        *("", "identity"),
        # What object stores, old scripts and mail programs write there (RFC 2045 §6.1).
        *("none", "null", "false", "no", "off", "raw", "plain", "text", "utf", "unicode"),
        *("7bit", "8bit", "binary", "base64", "quoted-printable", "aws-chunked", "chunked"),
    }
)


_MAX_WORDS = 20
"""Each word is looked for among Python's codecs, which searches folders, and keeps a note."""


_MAX_SHOWN = 60


def content_codings(value: str) -> Sequence[str]:
    """Return the codings that a Content-Encoding field names, in the order they were applied.

    Words that name no coding, such as a charset or `aws-chunked`, are left out.
    """
    return [word for word in _words(value) if not _is_no_coding(word)]


def non_coding_words(value: str) -> str:
    """Return the words of a Content-Encoding field that name no coding, cut to be shown."""
    words = [part.strip() for part in value.split(",", _MAX_WORDS)[:_MAX_WORDS]]
    ignored = dict.fromkeys(
        word
        for word in words
        if _is_no_coding(word.lower()) and word.lower() not in ("", "identity")
    )
    return ", ".join(ignored)[:_MAX_SHOWN]


def _words(value: str) -> Sequence[str]:
    """Return the words of a field; what is too much of them is one that is unknown."""
    if not value:
        return ()
    words = [part.strip().lower() for part in value.split(",", _MAX_WORDS)]
    return words if len(words) <= _MAX_WORDS else [*words[:-1], "..."]


def _is_no_coding(word: str) -> bool:
    # Media types and parameters are no codings either.
    return word in _NO_CODINGS or "/" in word or "charset" in word or _is_charset(word)


def _is_charset(word: str) -> bool:
    try:
        return codecs.lookup(word)._is_text_encoding
    except (LookupError, ValueError):
        return False
