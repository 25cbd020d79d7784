"""Content-Encoding field (RFC 9110 §8.4): the codings that it names. Pure functions."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

_NO_CODINGS = frozenset(
    {
        *("", "identity"),
        # Values that object stores, old scripts and mail programs send (RFC 2045 §6.1).
        *("none", "null", "false", "no", "off", "raw", "plain", "text", "utf", "unicode"),
        *("7bit", "8bit", "binary", "base64", "quoted-printable", "aws-chunked", "chunked"),
    }
)
"""Words of the field that stand for no coding."""


_MAX_WORDS = 20
"""Words of one field that are examined.

Python's look-up of a codec searches folders and caches the result: many words would take time
and memory.
"""


_MAX_SHOWN = 60
"""Characters of a field that a message shows."""


def content_codings(value: str) -> Sequence[str]:
    """Return the codings that a Content-Encoding field names, in the order they were applied.

    Words that name no coding, such as a charset or `aws-chunked`, are ignored.
    """
    # Nearly all replies have no such field.
    return [word for word in _words(value) if not _is_no_coding(word)] if value else ()


def non_coding_words(value: str) -> str:
    """Return the words that name no coding, except `identity`, shortened for a message.

    Args:
        value: Value of Content-Encoding.
    """
    words = [part.strip() for part in value.split(",", _MAX_WORDS)[:_MAX_WORDS]]
    ignored = dict.fromkeys(
        word
        for word in words
        if _is_no_coding(word.lower()) and word.lower() not in ("", "identity")
    )
    return ", ".join(ignored)[:_MAX_SHOWN]


def _words(value: str) -> Sequence[str]:
    """Return the words of a field in lower case.

    Words beyond the limit become one unknown word, so that the field is refused.
    """
    words = [part.strip().lower() for part in value.split(",", _MAX_WORDS)]
    return words if len(words) <= _MAX_WORDS else [*words[:-1], "..."]


def _is_no_coding(word: str) -> bool:
    # Some servers send media types and parameters here, which name no coding either.
    return word in _NO_CODINGS or "/" in word or "charset" in word or _is_charset(word)


def _is_charset(word: str) -> bool:
    try:
        return codecs.lookup(word)._is_text_encoding
    except (LookupError, ValueError):
        return False
