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


def content_codings(value: str) -> Sequence[str]:
    """Return the codings that a Content-Encoding field names, in the order they were applied.

    Words that name no coding, such as a charset or `aws-chunked`, are left out.
    """
    if not value:
        return ()
    words = (part.strip().lower() for part in value.split(","))
    return [word for word in words if not _is_no_coding(word)]


def has_strange_words(value: str) -> bool:
    """Tell whether a Content-Encoding field has words that name no coding."""
    words = [part.strip().lower() for part in value.split(",")]
    return any(_is_no_coding(word) for word in words if word not in ("", "identity"))


def _is_no_coding(word: str) -> bool:
    # Media types and parameters are no codings either.
    return word in _NO_CODINGS or "/" in word or "charset" in word or _is_charset(word)


def _is_charset(word: str) -> bool:
    try:
        return codecs.lookup(word)._is_text_encoding
    except (LookupError, ValueError):
        return False
